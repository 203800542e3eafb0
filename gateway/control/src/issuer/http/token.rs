//! Tokens for clients (RFC 6749 §3.2), and their end (RFC 7009).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use secrecy::ExposeSecret;
use serde_json::json;

use super::client_auth::client;
use super::narrow;
use super::params::Params;
use crate::api::{Entered, Noted};
use crate::control::Control;
use crate::issuer::exchange::{GrantError, Redeems, TokenSet};
use crate::issuer::{Client, Issuer};

const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What may be exchanged for tokens.
pub(super) const GRANTS: [&str; 4] = [CODE, REFRESH, DEVICE, narrow::GRANT];

/// An answer to a client that did something wrong, or must wait.
pub(super) struct Wrong {
    status: StatusCode,
    error: &'static str,
    why: String,
    /// What the client is not told.
    noted: Option<Box<Noted>>,
}

impl Wrong {
    pub(super) fn new(error: &'static str, why: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, why: why.into(), noted: None }
    }

    /// The same under another word.
    pub(super) fn called(self, error: &'static str) -> Self {
        Self { error, ..self }
    }

    pub(super) const fn with(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.error, "error_description": self.why }));
        let mut response = (self.status, body).into_response();
        if let Some(noted) = self.noted {
            response.extensions_mut().insert(*noted);
        }
        let (name, value) = match self.status {
            StatusCode::SERVICE_UNAVAILABLE => (header::RETRY_AFTER, "5"),
            // RFC 6749 §5.2: a client that came with the header is told which one is read.
            StatusCode::UNAUTHORIZED => (header::WWW_AUTHENTICATE, "Basic realm=\"gatewarden\""),
            _ => return response,
        };
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
        response
    }
}

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

pub(super) fn issuer(control: &Control) -> Result<&Issuer, Wrong> {
    control.issuer().ok_or_else(|| Wrong::new("invalid_request", "there is no issuer").with(StatusCode::NOT_FOUND))
}

pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Params, Wrong> {
    Params::of_form(headers, body).await.map_err(|why| Wrong::new("invalid_request", why.to_string()))
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

/// A client learns a word; the reason is for the log.
pub(super) fn refused(error: &GrantError, client: &Client, entered: &Entered) -> Wrong {
    let audit_id = entered.arrival().trace_id.as_str();
    if matches!(error, GrantError::Pending) {
        return Wrong::new("authorization_pending", "nobody has logged in yet");
    }
    tracing::warn!(audit_id, client = client.id, why = %auth_core::with_causes(error), "no token is given out");
    let noted = Noted::refused("no-token".to_owned(), auth_core::with_causes(error));
    Wrong { noted: Some(Box::new(noted)), ..told(error) }
}

fn told(error: &GrantError) -> Wrong {
    match error {
        GrantError::Invalid(_) => Wrong::new("invalid_grant", "log in again"),
        GrantError::Pending => Wrong::new("authorization_pending", "nobody has logged in yet"),
        GrantError::SlowDown => Wrong::new("slow_down", "ask less often"),
        GrantError::Denied => Wrong::new("access_denied", "the person said no"),
        GrantError::Target(_) => Wrong::new("invalid_target", "no token for that cluster comes of this one"),
        GrantError::NotForClient => Wrong::new("unauthorized_client", "only clients of clusters may ask for this"),
        GrantError::Expired => Wrong::new("expired_token", "nobody logged in in time; begin again"),
        GrantError::Unavailable | GrantError::Store(_) => {
            Wrong::new("temporarily_unavailable", "try again later").with(StatusCode::SERVICE_UNAVAILABLE)
        }
        GrantError::Keys(_) => {
            Wrong::new("server_error", "no token can be made").with(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}
