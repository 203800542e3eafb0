//! A token that a cluster reads itself, for a person who goes there without the gateway.
//!
//! Nothing of the gateway's holds on that way: no audit log of ours, no limit, and a revocation only when the token ends.
//! So the operator says for each cluster whether there is one, and a grant that is read-only opens none.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::entered::Entered;
use super::problem::Problem;
use super::segment::Segment;
use crate::control::Control;
use crate::issuer::{ClusterSubject, ClusterTokenError};

/// A token for one cluster.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    token: String,
    expires_at: Timestamp,
}

pub(super) async fn make(
    State(control): State<Arc<Control>>,
    Segment(id): Segment,
    entered: Entered,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let caller = entered.caller()?;
    // A cluster that is not there answers as one that they may not enter.
    let read_only = caller.clusters.get(&id).ok_or_else(|| {
        Problem::new(403, "no-grant", "No grant lets you enter this cluster; GET /api/v1/clusters lists yours.")
    })?;
    if !control.clusters().get(&id).is_some_and(|direct| *direct) {
        let detail = "People go to this cluster through the gateway alone, under /k8s/clusters/.";
        return Err(Problem::new(409, "not-direct", detail));
    }
    if *read_only {
        let detail = "You may only read there, and only the gateway sees to that: go through it.";
        return Err(Problem::new(403, "read-only", detail));
    }
    let about = ClusterSubject {
        user: &caller.user,
        session: &caller.session,
        provider: &caller.provider,
        principal: &caller.principal,
        identity: &caller.identity,
    };
    let made = control.cluster_token_until(caller.expires_at, about, &id).map_err(|error| match error {
        ClusterTokenError::TooLarge { .. } => Problem::new(403, "identity-too-large", format!("No token: {error}.")),
        ClusterTokenError::NoKey => Problem::new(503, "unavailable", "There is no key to sign with now. Try again."),
    })?;
    let arrival = entered.arrival();
    tracing::info!(
        audit_id = arrival.trace_id,
        user = caller.user,
        session = caller.session,
        cluster = id,
        "a token was made for going to a cluster without the gateway"
    );
    let expires_at = control.store().now().saturating_add(made.lasts).unwrap_or(caller.expires_at);
    Ok((StatusCode::CREATED, Json(Made { token: made.token.expose_secret().to_owned(), expires_at })))
}
