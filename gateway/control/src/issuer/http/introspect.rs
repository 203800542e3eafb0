//! What a token is worth (RFC 7662 §2): for clients that hold a secret.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::client_auth::confidential;
use super::params::Params;
use super::wrong::{Wrong, issuer, read, refused};
use crate::api::Entered;
use crate::control::Control;

pub(super) async fn introspect(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Wrong> {
    let (issuer, params): (_, Params) = (issuer(&control)?, read(&headers, body).await?);
    let client = confidential(issuer, &headers, &params)?;
    let token = params.get("token").ok_or_else(|| Wrong::new("invalid_request", "token is missing"))?;
    match control.introspect(issuer, client, token).await {
        Ok(Some(active)) => Ok(Json(active).into_response()),
        Ok(None) => Ok(Json(json!({ "active": false })).into_response()),
        Err(error) => Err(refused(&error, client, &entered)),
    }
}
