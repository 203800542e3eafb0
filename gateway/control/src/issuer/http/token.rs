//! Tokens for clients (RFC 6749 §3.2), and their end (RFC 7009).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use secrecy::ExposeSecret;
use serde_json::json;

use super::client_auth::client;
use super::narrow;
use super::wrong::{Wrong, issuer, read, refused};
use crate::api::{Entered, Noted};
use crate::control::Control;
use crate::issuer::exchange::{Redeems, TokenSet};

const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What may be exchanged for tokens.
pub(super) const GRANTS: [&str; 4] = [CODE, REFRESH, DEVICE, narrow::GRANT];

pub(super) async fn token(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Wrong> {
    let (issuer, params) = (issuer(&control)?, read(&headers, body).await?);
    let client = client(issuer, &headers, &params)?;
    let given = match params.get("grant_type") {
        Some(CODE) => {
            let part = |name: &str| {
                params.get(name).ok_or_else(|| Wrong::new("invalid_request", format!("{name} is missing")))
            };
            let redeems =
                Redeems { code: part("code")?, redirect_uri: part("redirect_uri")?, verifier: part("code_verifier")? };
            control.redeem_code(issuer, client, redeems).await
        }
        Some(DEVICE) => control.redeem_device(issuer, client, params.get("device_code").unwrap_or_default()).await,
        Some(REFRESH) => control.refresh_tokens(issuer, client, params.get("refresh_token").unwrap_or_default()).await,
        Some(narrow::GRANT) => return narrow::exchange(&control, (issuer, client), &params, &entered).await,
        _ => {
            return Err(Wrong::new(
                "unsupported_grant_type",
                format!("grant_type must be one of {}", GRANTS.join(", ")),
            ));
        }
    };
    given.map(answer).map_err(|error| refused(&error, client, &entered))
}

/// Ends the login that a token belongs to. A token that means nothing is none: the client wanted it gone (RFC 7009 §2.2).
pub(super) async fn revoke(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Wrong> {
    let (issuer, params) = (issuer(&control)?, read(&headers, body).await?);
    let client = client(issuer, &headers, &params)?;
    let token = params.get("token").ok_or_else(|| Wrong::new("invalid_request", "token is missing"))?;
    let ended = control.end_by_token(issuer, client, token).await;
    ended.map(|()| StatusCode::OK).map_err(|error| refused(&error, client, &entered))
}

fn answer(given: TokenSet) -> Response {
    let TokenSet { access_token, id_token, refresh_token, expires_in, scope, session } = given;
    let mut body = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": expires_in.as_secs(),
        "id_token": id_token,
        "scope": scope,
    });
    if let (Some(token), Some(body)) = (refresh_token, body.as_object_mut()) {
        body.insert("refresh_token".to_owned(), token.expose_secret().into());
    }
    (Extension(Noted::about(session)), Json(body)).into_response()
}
