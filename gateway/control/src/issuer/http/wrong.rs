//! What the addresses for clients share: how they are asked, and how they say no.

use std::error::Error;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::log;
use super::params::Params;
use crate::api::{Arrival, Entered, Noted};
use crate::control::Control;
use crate::issuer::exchange::GrantError;
use crate::issuer::{Client, Issuer};

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

    /// A store that does not answer.
    pub(super) fn unavailable(arrival: &Arrival, fault: &(dyn Error + 'static)) -> Self {
        log(arrival, fault);
        Self::new("temporarily_unavailable", "try again later").with(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// A machine without randomness, or what we cannot read of our own.
    pub(super) fn broken(arrival: &Arrival, fault: &(dyn Error + 'static)) -> Self {
        log(arrival, fault);
        Self::new("server_error", "try again later").with(StatusCode::INTERNAL_SERVER_ERROR)
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

pub(super) fn issuer(control: &Control) -> Result<&Issuer, Wrong> {
    control.issuer().ok_or_else(|| Wrong::new("invalid_request", "there is no issuer").with(StatusCode::NOT_FOUND))
}

pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Params, Wrong> {
    Params::of_form(headers, body).await.map_err(|why| Wrong::new("invalid_request", why.to_string()))
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
