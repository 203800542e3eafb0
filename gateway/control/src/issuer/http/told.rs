//! Where identity systems tell of logins that are over there (OpenID Connect Back-Channel Logout 1.0 §2.5).
//!
//! No browser comes here, and nobody is known: what counts is what the notice proves. An address for each provider, as
//! that of its callback.

use std::sync::Arc;

use auth_core::{LogoutNotice, with_causes};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::params;
use crate::api::{Entered, Noted};
use crate::control::Control;
use crate::logouts::NotHeard;

/// Where each provider's identity system tells of logouts; operators register it there.
pub(super) const NOTICES: &str = "/backchannel-logout/{provider}";

pub(super) async fn hear(
    State(control): State<Arc<Control>>,
    Path(provider): Path<String>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let arrival = entered.arrival();
    let Some(parameters) = form(&headers, body).await else {
        return refused(&provider, "the body is no form of 16 KiB at most");
    };
    let heard = control.hear_logout(&provider, LogoutNotice { parameters }, &arrival.trace_id).await;
    log(&arrival.trace_id, &provider, &heard);
    match heard {
        // §2.8: 200, and nothing to say.
        Ok(_) => StatusCode::OK.into_response(),
        Err(NotHeard::Nowhere) => StatusCode::NOT_FOUND.into_response(),
        Err(NotHeard::Refused(why)) => refused(&provider, &why),
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, retry_after(&fault))]).into_response(),
    }
}

fn log(audit_id: &str, provider: &str, heard: &Result<usize, NotHeard>) {
    let why = match heard {
        Ok(sessions) => return tracing::info!(audit_id, provider, sessions, "the identity system told of a logout"),
        Err(NotHeard::Nowhere) => return,
        Err(NotHeard::Undecided(error)) => error.audit_text(),
        Err(other) => with_causes(other),
    };
    tracing::warn!(audit_id, provider, why, "a notice of a logout was refused");
}

async fn form(headers: &HeaderMap, body: Body) -> Option<Vec<(String, String)>> {
    let bytes = to_bytes(body, params::MOST).await.ok().filter(|_| params::is_form(headers))?;
    Some(url::form_urlencoded::parse(&bytes).into_owned().collect())
}

/// §2.8. Why is for the operator: whoever sent it may be anybody.
fn refused(provider: &str, why: &str) -> Response {
    let noted = Noted::refused("logout-refused".to_owned(), format!("{provider}: {why}"));
    let told = json!({"error": "invalid_request", "error_description": "the logout token was refused"});
    (StatusCode::BAD_REQUEST, axum::Extension(noted), Json(told)).into_response()
}

fn retry_after(fault: &NotHeard) -> String {
    let after = match fault {
        NotHeard::Undecided(error) => error.retry_after(),
        _ => None,
    };
    after.map_or(1, |after| after.as_secs().max(1)).to_string()
}
