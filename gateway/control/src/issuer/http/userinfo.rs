//! Who somebody is, for a client that they logged in to (OpenID Connect Core §5.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kube_wire::UserInfo;
use serde_json::json;

use super::wrong::{Wrong, issuer};
use crate::api::Entered;
use crate::control::Control;
use crate::identity::SessionIdentity;
use crate::issuer::exchange::GrantError;
use crate::issuer::scope;

pub(super) async fn show(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let issuer = issuer(&control).map_err(IntoResponse::into_response)?;
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or_else(challenge)?;
    let (claims, standing) = match control.session_of(issuer, token).await {
        Ok(found) => found,
        Err(GrantError::Invalid(_)) => return Err(challenge()),
        Err(error) => return Err(Wrong::unavailable(entered.arrival(), &error).into_response()),
    };
    if issuer.cluster_of(&claims.aud).is_some() {
        // It is for that cluster, and whoever holds it is not told more than that cluster sees.
        return Err(challenge());
    }
    let user = SessionIdentity::read(&standing.identity);
    let user = user.map_err(|fault| Wrong::broken(entered.arrival(), &fault).into_response())?;
    let UserInfo { username, groups, .. } = user.user;
    let mut body = json!({ "sub": claims.sub, "sid": claims.sid, "preferred_username": username });
    // For a client that asked for them when the person logged in.
    let asked = scope::holds(claims.scope.as_deref().unwrap_or_default(), scope::GROUPS);
    if let (true, Some(body)) = (asked, body.as_object_mut()) {
        body.insert("groups".to_owned(), json!(groups));
    }
    Ok(Json(body).into_response())
}

fn challenge() -> Response {
    let words = r#"Bearer error="invalid_token", error_description="log in again""#;
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, words)]).into_response()
}
