//! The clusters that the caller may enter, and why.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;

use super::entered::Entered;
use super::problem::Problem;

/// Why the caller may enter clusters, as the one who decides it says.
#[derive(Debug, Clone, Default)]
pub struct Reasons {
    /// What a grant may name the caller by.
    pub subjects: Vec<String>,
    /// By cluster that is open to them, which of these a grant names.
    pub granted_to: BTreeMap<String, Vec<String>>,
    /// The clusters that read a token of the session instead of impersonation headers.
    pub by_token: BTreeSet<String>,
    /// By cluster that is open to them, the host names that lead to it alone.
    pub cluster_hosts: BTreeMap<String, Vec<String>>,
    /// The host names of the gateway, below which each cluster has a path.
    pub hosts: Vec<String>,
    /// The text that a refused user reads.
    pub whom_to_ask: String,
}

/// Where the caller may go; what they may do there is for each cluster to say. One without a grant stands here as little as
/// one that is not there.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clusters {
    clusters: Vec<ClusterView>,
    /// The host names of the gateway: below each, a cluster is at `/k8s/clusters/<id>`.
    hosts: Vec<String>,
    /// What a grant may name the caller by.
    subjects: Vec<String>,
    /// Whom to ask about other clusters.
    whom_to_ask: String,
}

/// A cluster that is open to the caller.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ClusterView {
    id: String,
    /// Whether the gateway lets only reading through.
    read_only: bool,
    /// Which of the caller's subjects a grant names.
    granted_to: Vec<String>,
    /// The host names that lead to it alone.
    hosts: Vec<String>,
    /// How the cluster learns who asks.
    identity: CarriedBy,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum CarriedBy {
    Impersonation,
    Bearer,
}

pub(super) async fn list(entered: Entered) -> Result<Json<Clusters>, Problem> {
    let caller = entered.caller()?;
    let why = &caller.reasons;
    let view = |(id, read_only): (&String, &bool)| ClusterView {
        id: id.clone(),
        read_only: *read_only,
        granted_to: why.granted_to.get(id).cloned().unwrap_or_default(),
        hosts: why.cluster_hosts.get(id).cloned().unwrap_or_default(),
        identity: if why.by_token.contains(id) { CarriedBy::Bearer } else { CarriedBy::Impersonation },
    };
    Ok(Json(Clusters {
        clusters: caller.clusters.iter().map(view).collect(),
        hosts: why.hosts.clone(),
        subjects: why.subjects.clone(),
        whom_to_ask: why.whom_to_ask.clone(),
    }))
}
