//! The management API of a running gateway, against what it publishes of itself.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Case, Protocol};
use serde_json::Value;

use crate::bed::Bed;
use crate::gate::{Gate, Plan};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![every_published_operation_is_served_and_open_only_where_it_says_so, an_administrator_ends_what_somebody_runs]
}

pub(crate) fn every_published_operation_is_served_and_open_only_where_it_says_so(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let bare = |method: &str, path: &str| {
        let request = http::Request::builder().method(method).uri(path);
        gate.https()?.send(Protocol::Http2, request.body(Bytes::new())?)
    };
    let described = bare("GET", "/api/v1/openapi.json")?.json()?;
    let printed: Value = serde_json::from_str(&gate.ok(&["openapi"])?)?;
    ensure!(described == printed, "the command prints another one");
    let session = gate.fresh_session("alice")?;
    let paths = described["paths"].as_object().context("no paths")?;
    ensure!(paths.len() > 8, "{paths:?}");
    for (path, methods) in paths {
        // What nobody has.
        let at = path.replace("{id}", "nobody").replace("{name}", "nobody");
        for (method, operation) in methods.as_object().context("no methods")? {
            let method = method.to_uppercase();
            let stranger = bare(&method, &at)?;
            let open = operation["security"].as_array().is_some_and(Vec::is_empty);
            ensure!((stranger.status == 401) != open, "{method} {path} answers {} to a stranger", stranger.status);
            let known =
                gate.https()?.send(Protocol::Http2, gate.request(&method, &at, &session).body(Bytes::new())?)?;
            let documented = operation["responses"].get(known.status.as_str()).is_some();
            ensure!(documented, "{method} {path} answers {}: {}", known.status, known.text());
            let told = known.text();
            ensure!(!told.contains("nothing at this path") && known.status != 405, "{method} {path}: {told}");
        }
    }
    Ok(())
}

pub(crate) fn an_administrator_ends_what_somebody_runs(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan { extra: "administrators: [\"user:corp:bob\"]", ..Plan::default() })?;
    gate.wait_until_proven()?;
    let (alice, bob) = (gate.fresh_session("alice")?, gate.fresh_session("bob")?);
    let listed = |session: &crate::gate::Session, query: &str| {
        gate.get(Protocol::Http2, &format!("/api/v1/sessions{query}"), session)
    };
    ensure!(listed(&alice, "?user=*")?.status == 403, "alice is no administrator");
    let hers = listed(&bob, "?user=alice")?.json()?["sessions"][0].clone();
    ensure!(hers["username"] == "corp:alice" && hers["flow"] == "api" && hers["address"] == "127.0.0.1", "{hers}");
    let mut watch = gate.kubectl(&alice, "east")?.start(&["get", "configmaps", "--watch", "--output-watch-events"])?;
    watch.wait_for("ADDED")?;
    let path = format!("/api/v1/sessions/{}", hers["id"].as_str().context("an id")?);
    let ended = gate.https()?.send(Protocol::Http2, gate.request("DELETE", &path, &bob).body(Bytes::new())?)?;
    ensure!(ended.status == 204, "{}", ended.text());
    watch.wait_for_end()?;
    ensure!(listed(&alice, "")?.status == 401, "alice is still in");
    ensure!(gate.ok(&["session", "list", "--all", "--user", "alice"])?.contains("ended by an administrator"));
    Ok(())
}
