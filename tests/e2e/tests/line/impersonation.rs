//! `kubectl --as`, and every other way of asking to be somebody else.

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Protocol};

use crate::bed::{Bed, POD};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        as_somebody_is_allowed_where_the_cluster_allows_it,
        as_somebody_else_is_refused_with_both_names,
        as_system_masters_is_always_refused,
        as_a_reserved_user_is_always_refused,
        as_a_service_account_takes_the_opt_in,
        a_group_without_a_user_is_a_bad_request,
        two_users_are_a_bad_request,
        a_connection_header_takes_no_identity_away,
        headers_of_other_proxies_are_not_believed,
    ]
}

pub(crate) fn as_somebody_is_allowed_where_the_cluster_allows_it(bed: &Bed) -> Result<()> {
    let alice = bed.kubectl("alice", "east")?;
    ensure!(alice.ok(&["get", "pod", POD, "-o", "name", "--as=jane"])?.trim() == format!("pod/{POD}"));
    let name = alice.ok(&["auth", "whoami", "--as=jane", "--as-group=qa", "-o", "jsonpath={.status.userInfo}"])?;
    ensure!(name.contains(r#""username":"jane""#) && name.contains(r#""qa""#) && !name.contains("corp:dev"), "{name}");
    let ours = bed.gate().audit().wait_for("the call as jane", |event| {
        // Our log names the caller.
        event.user.username == "corp:alice"
            && event.impersonated_user.as_ref().is_some_and(|user| user.username == "jane" && user.groups.is_empty())
    })?;
    let theirs = bed.audit("east").wait_for("the same call", |event| event.audit_id == ours.audit_id)?;
    let jane = theirs.impersonated_user.context("nobody was impersonated")?;
    ensure!(jane.username == "jane", "{jane:?}");
    if bed.by_token() {
        ensure!(theirs.user.username == "corp:alice", "the cluster itself knows by whom: {:?}", theirs.user);
        return Ok(());
    }
    ensure!(jane.extra.get("gatewarden/original-user").is_some_and(|by| by == &["corp:alice"]), "{jane:?}");
    Ok(())
}

pub(crate) fn as_somebody_else_is_refused_with_both_names(bed: &Bed) -> Result<()> {
    // carol may read pods herself; as somebody else she may not even ask.
    for arguments in [["get", "pods", "--as=jane"], ["get", "pods", "--as=corp:alice"]] {
        let carol = bed.kubectl("carol", "east")?;
        carol.ok(&["get", "pods"])?;
        let refused = carol.refused(&arguments)?;
        let target = arguments.last().and_then(|flag| flag.strip_prefix("--as=")).unwrap_or_default();
        ensure!(refused.contains("(Forbidden)"), "{refused}");
        // The API server's own words, where it judges, name the caller alone.
        ensure!(refused.contains("corp:carol") && (bed.by_token() || refused.contains(target)), "{refused}");
    }
    let refused = bed.kubectl("alice", "east")?.refused(&["get", "pods", "--as=jane", "--as-group=corp:dev"])?;
    ensure!(refused.contains("(Forbidden)"), "a group that nobody allowed: {refused}");
    Ok(())
}

pub(crate) fn as_system_masters_is_always_refused(bed: &Bed) -> Result<()> {
    for group in ["system:masters", "system:nodes"] {
        let flag = format!("--as-group={group}");
        let refused = bed.kubectl("erin", "east")?.refused(&["get", "pods", "--as=jane", &flag])?;
        ensure!(refused.contains("(Forbidden)"), "{refused}");
    }
    Ok(())
}

pub(crate) fn as_a_reserved_user_is_always_refused(bed: &Bed) -> Result<()> {
    // The cluster lets erin be anybody, and would not refuse this one by itself.
    let erin = bed.kubectl("erin", "east")?;
    erin.ok(&["get", "pods", "--as=jane"])?;
    let refused = erin.refused(&["get", "pods", "--as=system:kube-controller-manager"])?;
    ensure!(refused.contains("(Forbidden)"), "{refused}");
    Ok(())
}

pub(crate) fn as_a_service_account_takes_the_opt_in(bed: &Bed) -> Result<()> {
    let name = "system:serviceaccount:dev:default";
    let flag = format!("--as={name}");
    let whoami = ["auth", "whoami", "-o", "jsonpath={.status.userInfo}", &flag];
    let told = bed.kubectl("erin", "east")?.ok(&whoami)?;
    ensure!(told.contains(name) && told.contains("system:serviceaccounts:dev"), "{told}");
    // The west cluster gives erin the same right, and the gateway's account has none.
    let refused = bed.kubectl("erin", "west")?.refused(&["get", "pods", &flag])?;
    ensure!(refused.contains("(Forbidden)"), "{refused}");
    // Where alice may not, the opt-in gives her nothing.
    let alice = bed.kubectl("alice", "east")?;
    // kubectl keeps the words of a refusal to itself while it still discovers what the cluster serves.
    alice.ok(&["get", "pods"])?;
    let refused = alice.refused(&["get", "pods", &flag])?;
    ensure!(refused.contains("(Forbidden)") && refused.contains("corp:alice"), "{refused}");
    Ok(())
}

pub(crate) fn a_group_without_a_user_is_a_bad_request(bed: &Bed) -> Result<()> {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for header in ["impersonate-group", "impersonate-uid", "impersonate-extra-x", "impersonate-new"] {
            let answer = asked(bed, protocol, &[(header, "dev")])?;
            ensure!(answer.status == 400 && answer.json()?["kind"] == "Status", "{header}: {}", answer.text());
        }
    }
    Ok(())
}

pub(crate) fn two_users_are_a_bad_request(bed: &Bed) -> Result<()> {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer = asked(bed, protocol, &[("impersonate-user", "jane"), ("impersonate-user", "jane")])?;
        ensure!(answer.status == 400, "{}", answer.text());
    }
    Ok(())
}

pub(crate) fn a_connection_header_takes_no_identity_away(bed: &Bed) -> Result<()> {
    // A proxy that removes what `Connection` names after it added its own headers calls as its own account.
    let review = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let alice = bed.gate().session("alice")?;
    for named in
        ["Impersonate-User", "close, impersonate-group", "foo,\tImpersonate-User", "Authorization", "Impersonate-Uid"]
    {
        let request = bed
            .gate()
            .request("POST", "/k8s/clusters/east/apis/authentication.k8s.io/v1/selfsubjectreviews", &alice)
            .header("connection", named)
            .header("content-type", "application/json")
            .body(review.into())?;
        let answer = bed.gate().https()?.send(Protocol::Http1, request)?;
        let user = &answer.json()?["status"]["userInfo"];
        ensure!(user["username"] == "corp:alice", "{named:?}: {}", answer.text());
        ensure!(
            user["groups"].to_string().contains("corp:dev") && user["uid"].is_string(),
            "{named:?}: {}",
            answer.text()
        );
    }
    Ok(())
}

pub(crate) fn headers_of_other_proxies_are_not_believed(bed: &Bed) -> Result<()> {
    let lines = [
        ("x-remote-user", "admin"),
        ("x-remote-group", "system:masters"),
        ("x-forwarded-user", "admin"),
        ("x-original-url", "/api/v1/secrets"),
        ("x-http-method-override", "DELETE"),
    ];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer = asked(bed, protocol, &lines)?;
        ensure!(answer.status == 200, "{}", answer.text());
        ensure!(answer.json()?["kind"] == "PodList", "{}", answer.text());
        let id = answer.header("audit-id").to_owned();
        let event = bed.audit("east").wait_for("the call", |event| event.audit_id == id)?;
        ensure!(bed.asker(&event)?.username == "corp:alice");
        let folded = asked(bed, protocol, &[("impersonate_user", "admin")])?;
        ensure!(folded.status == 400, "a later server may read `_` as `-`: {}", folded.text());
    }
    Ok(())
}

fn asked(bed: &Bed, protocol: Protocol, lines: &[(&str, &str)]) -> Result<e2e::Answer> {
    let alice = bed.gate().session("alice")?;
    let mut request = bed.gate().request("GET", "/k8s/clusters/east/api/v1/namespaces/dev/pods", &alice);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    bed.gate().https()?.send(protocol, request.body(Default::default())?)
}
