//! HTTP/1.1 and HTTP/2, and the ids that join the logs.

use anyhow::{Result, ensure};
use e2e::{Case, Protocol};

use crate::bed::{Bed, POD};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        both_protocols_answer_alike,
        kubectl_works_without_http2,
        a_refusal_carries_an_audit_id,
        a_clients_audit_id_is_kept_beside_ours,
    ]
}

pub(crate) fn both_protocols_answer_alike(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    for path in
        ["/k8s/clusters/east/version", "/k8s/clusters/east/api/v1/namespaces/dev", "/api/v1/me", "/api/v1/providers"]
    {
        let one = bed.gate().get(Protocol::Http1, path, &alice)?;
        let two = bed.gate().get(Protocol::Http2, path, &alice)?;
        ensure!(one.status == 200 && two.status == 200, "{path}: {} {}", one.text(), two.text());
        ensure!(one.body == two.body, "{path}: {}\n{}", one.text(), two.text());
    }
    Ok(())
}

pub(crate) fn kubectl_works_without_http2(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let alice = bed.kubectl("alice", "east")?.env("DISABLE_HTTP2", "true");
    ensure!(alice.ok(&["get", "pod", POD, "-o", "name"])?.trim() == format!("pod/{POD}"));
    alice.start(&["get", "pods", "--watch"])?.wait_for(POD)?;
    alice.start(&["logs", "--follow", "--tail=0", POD])?.wait_for("tick")
}

pub(crate) fn a_refusal_carries_an_audit_id(bed: &Bed) -> Result<()> {
    let dave = bed.gate().session("dave")?;
    let answer = bed.gate().get(Protocol::Http2, "/k8s/clusters/east/api/v1/pods", &dave)?;
    let id = answer.header("audit-id").to_owned();
    ensure!(answer.status == 403 && !id.is_empty(), "{:?}", answer.headers);
    let event = bed.gate().audit().wait_for("the refusal", |event| event.audit_id == id)?;
    ensure!(event.response_status.is_some_and(|status| status.code == 403) && event.user.username == "corp:dave");
    let nobody = http::Request::get("/k8s/clusters/east/api/v1/pods").body(Default::default())?;
    let answer = bed.gate().https()?.send(Protocol::Http2, nobody)?;
    let id = answer.header("audit-id").to_owned();
    bed.gate().audit().wait_for("the call of nobody", |event| event.audit_id == id)?;
    Ok(())
}

pub(crate) fn a_clients_audit_id_is_kept_beside_ours(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    for (proposed, kept) in [("client-id-1", true), ("not an id", false)] {
        let request = bed.gate().request("GET", "/k8s/clusters/east/version", &alice).header("audit-id", proposed);
        let answer = bed.gate().https()?.send(Protocol::Http2, request.body(Default::default())?)?;
        let id = answer.header("audit-id").to_owned();
        ensure!(id != proposed, "ours is not the client's to choose");
        let ours = bed.gate().audit().wait_for("the call", |event| event.audit_id == id)?;
        ensure!(ours.annotations.values().any(|value| value == proposed) == kept, "{:?}", ours.annotations);
        bed.audit("east").wait_for("ours upstream", |event| event.audit_id == id)?;
    }
    Ok(())
}
