//! Why a request was refused, as the command tells the operator.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Answer, Case, Protocol};

use crate::bed::{Bed, WHOM_TO_ASK};
use crate::gate::Session;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![a_refusal_is_explained_with_what_to_do, an_id_that_is_not_on_record_says_where_was_looked]
}

pub(crate) fn a_refusal_is_explained_with_what_to_do(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let (alice, dave) = (gate.session("alice")?, gate.session("dave")?);
    let ask = |session: &Session, path: &str| gate.get(Protocol::Http2, path, session);
    // The gateway's own no: dave has no grant.
    let told = explained(bed, &ask(&dave, "/k8s/clusters/east/api/v1/namespaces/dev/pods")?, 403)?;
    for part in ["no-grant", "user:corp:dave", "403 by the gateway", "dev/pods", WHOM_TO_ASK] {
        ensure!(told.contains(part), "{part:?} is missing: {told}");
    }
    // The cluster's no: a role is missing there.
    let told = explained(bed, &ask(&alice, "/k8s/clusters/east/api/v1/namespaces/kube-system/secrets")?, 403)?;
    for part in ["403 by the cluster", "auth can-i list secrets -n kube-system --as=corp:alice", "--as-group=corp:dev"]
    {
        ensure!(told.contains(part), "{part:?} is missing: {told}");
    }
    // What kubectl would be told to run is what the cluster answers to.
    let cluster = bed.admin("east")?;
    let asked = ["auth", "can-i", "list", "secrets", "-n", "kube-system", "--as=corp:alice", "--as-group=corp:dev"];
    cluster.refused(&asked)?;
    // A stranger's request, and a good one.
    let nobody = http::Request::get("/k8s/clusters/east/api").body(Bytes::new())?;
    let told = explained(bed, &gate.https()?.send(Protocol::Http2, nobody)?, 401)?;
    ensure!(told.contains("log in again"), "{told}");
    let told = explained(bed, &ask(&alice, "/k8s/clusters/east/api/v1/namespaces/dev/pods")?, 200)?;
    ensure!(told.contains("200 by the cluster") && told.contains("corp:alice") && !told.contains("reason"), "{told}");
    ensure!(!told.contains(alice.token.split_once(':').context("name:secret")?.1), "a secret is told");
    Ok(())
}

pub(crate) fn an_id_that_is_not_on_record_says_where_was_looked(bed: &Bed) -> Result<()> {
    let told = bed.gate().command(&["explain", "--audit-id", "0199f0c2-none"])?;
    ensure!(
        !told.success() && told.stderr.contains("audit.log") && told.stderr.contains("Audit-Id"),
        "{}",
        told.stderr
    );
    Ok(())
}

/// The explanation of an answer, as soon as its record is written.
fn explained(bed: &Bed, answer: &Answer, status: u16) -> Result<String> {
    ensure!(answer.status == status, "{} {}", answer.status, answer.text());
    let id = answer.header("audit-id").to_owned();
    bed.gate().audit().wait_for("the record", |event| event.audit_id == id)?;
    bed.gate().ok(&["explain", "--audit-id", &id])
}
