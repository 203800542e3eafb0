//! May this user do this there? Asked of the cluster itself, by its reviewer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::time::timeout;

use super::own::Own;
use super::runtime::{Role, Runtime};
use crate::boundary::Cluster;
use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::upstream;

/// The review API.
pub(super) const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
const DEADLINE: Duration = Duration::from_secs(10);

/// What a cluster said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reviewed {
    pub(crate) allowed: bool,
    /// Its own words. RBAC names the binding behind a yes, and says nothing with a no.
    pub(crate) reason: String,
}

/// Asks the cluster by a SubjectAccessReview, written as JSON. A failure is an error and never a "no", so that nobody
/// remembers it as one.
pub(crate) async fn review(gate: &Gate, cluster: &Arc<Cluster>, review: Bytes) -> Result<Reviewed, Refusal> {
    let unavailable = |why: &str| Refusal::ClusterUnavailable {
        cluster: cluster.id().into(),
        why: format!("review: {why}").into(),
        retry_after: Duration::from_secs(1),
    };
    let runtime = gate.common.clusters.of(cluster).map_err(|why| unavailable(&why))?;
    match timeout(DEADLINE, ask(gate, &runtime, review)).await {
        Ok(reviewed) => reviewed.map_err(|why| unavailable(&why)),
        Err(_late) => Err(unavailable("no answer in time")),
    }
}

/// Whether the cluster knows constrained impersonation, so that its own verbs have to be asked too.
pub(crate) fn is_constrained(gate: &Gate, cluster: &Arc<Cluster>) -> bool {
    gate.common.clusters.of(cluster).is_ok_and(|runtime| runtime.is_constrained())
}

async fn ask(gate: &Gate, runtime: &Arc<Runtime>, review: Bytes) -> Result<Reviewed, String> {
    let _turn = runtime.reviews.acquire().await.map_err(|closed| closed.to_string())?;
    let own = Own::post(Role::Reviewer, REVIEWS, review);
    let (status, answer) = upstream::ask(&gate.pool, runtime, own).await.map_err(|fault| fault.chain())?;
    if status != StatusCode::CREATED {
        return Err(format!("the reviewer was answered {status}"));
    }
    reviewed(&answer)
}

/// The verdict in a review that came back.
pub(super) fn reviewed(answer: &[u8]) -> Result<Reviewed, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|fault| fault.to_string())?;
    let status = answer.get("status");
    let allowed = status.and_then(|status| status.get("allowed")).and_then(Value::as_bool);
    let said = |key: &str| status.and_then(|status| status.get(key)).and_then(Value::as_str).filter(|s| !s.is_empty());
    let reason = [said("reason"), said("evaluationError")].into_iter().flatten().collect::<Vec<_>>().join("; ");
    Ok(Reviewed { allowed: allowed.ok_or_else(|| "the answer holds no verdict".to_owned())?, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_verdict_is_no_verdict() {
        let yes = reviewed(br#"{"status":{"allowed":true,"reason":"a binding"}}"#).unwrap();
        assert!(yes.allowed && yes.reason == "a binding");
        assert!(!reviewed(br#"{"status":{"allowed":false}}"#).unwrap().allowed);
        assert!(reviewed(br#"{"status":{}}"#).is_err());
        assert!(reviewed(b"<html>").is_err());
    }
}
