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

/// Asks the cluster by a SubjectAccessReview, written as JSON. A failure is an error and never a "no", so that nobody
/// remembers it as one.
pub(crate) async fn review(gate: &Gate, cluster: &Arc<Cluster>, review: Bytes) -> Result<bool, Refusal> {
    let unavailable = |why: &str| Refusal::ClusterUnavailable {
        cluster: cluster.id().into(),
        why: format!("review: {why}").into(),
        retry_after: Duration::from_secs(1),
    };
    let runtime = gate.common.clusters.of(cluster).map_err(|why| unavailable(&why))?;
    match timeout(DEADLINE, ask(gate, &runtime, review)).await {
        Ok(allowed) => allowed.map_err(|why| unavailable(&why)),
        Err(_late) => Err(unavailable("no answer in time")),
    }
}

/// Whether the cluster knows constrained impersonation, so that its own verbs have to be asked too.
pub(crate) fn is_constrained(gate: &Gate, cluster: &Arc<Cluster>) -> bool {
    gate.common.clusters.of(cluster).is_ok_and(|runtime| runtime.is_constrained())
}

async fn ask(gate: &Gate, runtime: &Arc<Runtime>, review: Bytes) -> Result<bool, String> {
    let _turn = runtime.reviews.acquire().await.map_err(|closed| closed.to_string())?;
    let own = Own::post(Role::Reviewer, REVIEWS, review);
    let (status, answer) = upstream::ask(&gate.pool, runtime, own).await.map_err(|fault| fault.chain())?;
    if status != StatusCode::CREATED {
        return Err(format!("the reviewer was answered {status}"));
    }
    allowed(&answer)
}

/// The verdict in a review that came back.
pub(super) fn allowed(answer: &[u8]) -> Result<bool, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|fault| fault.to_string())?;
    let allowed = answer.get("status").and_then(|status| status.get("allowed")).and_then(Value::as_bool);
    allowed.ok_or_else(|| "the answer holds no verdict".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_verdict_is_no_verdict() {
        assert_eq!(allowed(br#"{"status":{"allowed":true}}"#), Ok(true));
        assert_eq!(allowed(br#"{"status":{"allowed":false}}"#), Ok(false));
        assert!(allowed(br#"{"status":{}}"#).is_err());
        assert!(allowed(b"<html>").is_err());
    }
}
