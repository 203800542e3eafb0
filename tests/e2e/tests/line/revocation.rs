//! What takes access away, beside a running server and under running streams.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Kubectl, Protocol, Running};

use crate::bed::{Bed, POD};
use crate::gate::Session;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_revoked_token_ends_every_running_stream,
        a_disabled_user_is_out,
        a_login_ends_itself,
        a_group_that_is_gone_takes_its_access_along,
    ]
}

pub(crate) fn a_revoked_token_ends_every_running_stream(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let (lost, kept) = (bed.gate().fresh_session("alice")?, bed.gate().fresh_session("alice")?);
    let streams = all_streams(&bed.gate().kubectl(&lost, "east")?)?;
    let mut other = bed.gate().kubectl(&kept, "east")?.start(&["logs", "--follow", "--tail=0", POD])?;
    other.wait_for("tick")?;
    bed.gate().ok(&["token", "revoke", lost.token_name()?])?;
    all_end("a token was revoked", streams)?;
    refused(bed, &lost)?;
    ensure!(other.is_alive()?, "another token of the same person was hit: {}", other.output());
    Ok(())
}

pub(crate) fn a_disabled_user_is_out(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let person = bed.new_person("disabled", &["dev"])?;
    let session = bed.gate().fresh_session(&person)?;
    let streams = all_streams(&bed.gate().kubectl(&session, "east")?)?;
    bed.gate().ok(&["user", "disable", &session.user])?;
    all_end("a user was disabled", streams)?;
    refused(bed, &session)?;
    let again = bed.gate().login_as(&person)?;
    ensure!(again.status != 201, "a disabled user logged in: {}", again.text());
    bed.gate().ok(&["user", "enable", &session.user])?;
    e2e::eventually("the enabled user's login", || Ok((bed.gate().login_as(&person)?.status == 201).then_some(())))
}

pub(crate) fn a_login_ends_itself(bed: &Bed) -> Result<()> {
    let session = bed.gate().fresh_session("alice")?;
    bed.needs_a_node()?;
    let streams = all_streams(&bed.gate().kubectl(&session, "east")?)?;
    let request = bed.gate().request("DELETE", "/api/v1/tokens/current", &session).body(Default::default())?;
    let answer = bed.gate().https()?.send(Protocol::Http2, request)?;
    ensure!(answer.status.is_success(), "{} {}", answer.status, answer.text());
    all_end("a session was ended by its person", streams)?;
    refused(bed, &session)
}

pub(crate) fn a_group_that_is_gone_takes_its_access_along(bed: &Bed) -> Result<()> {
    let person = bed.new_person("leaver", &["dev"])?;
    let session = bed.gate().fresh_session(&person)?;
    bed.needs_a_node()?;
    let streams = all_streams(&bed.gate().kubectl(&session, "east")?)?;
    bed.leave_group(&person, "dev")?;
    bed.gate().ok(&["user", "refresh", &session.user])?;
    // The grant rests on the group: the way into the cluster closes, under the running watch too.
    all_end("a group was lost, and the directory asked again", streams)?;
    e2e::eventually("the refusal", || {
        let answer = bed.gate().get(Protocol::Http2, "/k8s/clusters/east/api/v1/namespaces/dev/pods", &session)?;
        Ok((answer.status == 403).then_some(()))
    })
}

/// logs -f, watch, exec and port-forward, each seen to work.
fn all_streams(kubectl: &Kubectl) -> Result<Vec<Running>> {
    let mut streams = Vec::new();
    for (arguments, sign) in [
        (&["logs", "--follow", "--tail=0", POD][..], "tick"),
        (&["get", "pods", "--watch"], POD),
        (&["exec", POD, "--", "sh", "-c", "echo ready; sleep 600"], "ready"),
        (&["port-forward", "--address=127.0.0.1", POD, ":8080"], "Forwarding from"),
    ] {
        let mut stream = kubectl.start(arguments)?;
        stream.wait_for(sign).with_context(|| format!("{arguments:?}"))?;
        streams.push(stream);
    }
    Ok(streams)
}

/// Waits for the end of all, and says how long it took since the command returned that took the access away.
fn all_end(what: &str, streams: Vec<Running>) -> Result<()> {
    let since = Instant::now();
    for mut stream in streams {
        stream.wait_for_end()?;
    }
    e2e::note(&format!("{what}: every running stream ended {} ms later", since.elapsed().as_millis()));
    Ok(())
}

fn refused(bed: &Bed, session: &Session) -> Result<()> {
    let answer = bed.gate().get(Protocol::Http2, "/k8s/clusters/east/api/v1/namespaces/dev/pods", session)?;
    ensure!(answer.status == 401, "{} {}", answer.status, answer.text());
    Ok(())
}
