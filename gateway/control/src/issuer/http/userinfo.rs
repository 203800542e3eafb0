//! Who somebody is, for a client that they logged in to (OpenID Connect Core §5.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::token::{Wrong, issuer};
use crate::control::Control;
use crate::identity::SessionIdentity;
use crate::issuer::exchange::GrantError;

pub(super) async fn show(State(control): State<Arc<Control>>, headers: HeaderMap) -> Result<Response, Response> {
    let issuer = issuer(&control).map_err(IntoResponse::into_response)?;
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or_else(challenge)?;
    let (claims, standing) = match control.session_of(issuer, token).await {
        Ok(found) => found,
        Err(GrantError::Invalid(_)) => return Err(challenge()),
        Err(error) => {
            tracing::error!(why = %auth_core::with_causes(&error), "userinfo cannot be answered");
            let wrong = Wrong::new("temporarily_unavailable", "try again later");
            return Err(wrong.with(StatusCode::SERVICE_UNAVAILABLE).into_response());
        }
    };
    let user = SessionIdentity::read(&standing.identity).map(|identity| identity.user);
    let user = user.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
    let body =
        json!({ "sub": claims.sub, "sid": claims.sid, "preferred_username": user.username, "groups": user.groups });
    Ok(Json(body).into_response())
}

fn challenge() -> Response {
    let words = r#"Bearer error="invalid_token", error_description="log in again""#;
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, words)]).into_response()
}
