//! The issuer in HTTP, on a host name of its own: the protocol for clients, and the pages that people see.
//!
//! Everything here is open to all. What a request may do follows from what it carries: a code, a token, a form that was
//! shown to the same browser.

mod authorize;
mod browser;
mod client_auth;
mod consent;
mod device;
mod discovery;
mod introspect;
mod leave;
mod login;
mod logout;
mod narrow;
mod pages;
mod params;
mod texts;
mod token;
mod told;
mod trip;
mod userinfo;
mod wrong;

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use url::Url;

use super::Issuer;
use crate::api::{Arrival, Entered};
use crate::control::Control;
use pages::Failed;
use texts::Texts;

/// The routes of the console's host name. Served only through [`crate::enter`].
pub fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route("/oidc/.well-known/openid-configuration", get(discovery::configuration))
        .route("/oidc/jwks", get(discovery::jwks))
        .route("/oidc/authorize", get(authorize::by_query).post(authorize::by_form))
        .route("/oidc/token", post(token::token))
        .route("/oidc/revoke", post(token::revoke))
        .route("/oidc/introspect", post(introspect::introspect))
        .route("/oidc/device", post(device::begin))
        .route("/oidc/userinfo", get(userinfo::show).post(userinfo::show))
        .route("/oidc/logout", get(logout::by_query).post(logout::by_form))
        .route("/logout", get(logout::by_query).post(logout::submit))
        .route(leave::DONE, get(leave::arrive))
        .route("/login", get(login::show).post(login::submit))
        .route("/login/with", get(trip::depart))
        .route(trip::CALLBACK, get(trip::arrive))
        .route(told::NOTICES, post(told::hear))
        .route("/device", get(device::show).post(device::submit))
        .route("/style.css", get(style))
        .fallback(nothing)
        .layer(map_response_with_state(Arc::clone(&control), guarded))
        .with_state(control)
}

/// The issuer of a router that is served only where there is one.
fn issuer(control: &Control) -> Result<&Issuer, StatusCode> {
    control.issuer().ok_or(StatusCode::NOT_FOUND)
}

/// Tells the operator of a fault of ours, under the id that whoever asked can quote.
fn log(arrival: &Arrival, fault: &(dyn Error + 'static)) {
    tracing::error!(audit_id = arrival.trace_id, why = auth_core::with_causes(fault), "the issuer cannot answer");
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../../../static/style.css"))
}

async fn nothing(State(_): State<Arc<Control>>, entered: Entered, headers: axum::http::HeaderMap) -> Response {
    let texts = Texts::wanted(&headers);
    Failed::new(texts, texts.nothing_here, entered.arrival()).with(StatusCode::NOT_FOUND)
}

/// What every answer says, whatever made it. A page that allows more says so itself.
async fn guarded(State(control): State<Arc<Control>>, mut response: Response) -> Response {
    const ALWAYS: [(HeaderName, &str); 5] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with that, browsers say `Origin: null` of our own forms (Fetch §3.2, "origin header").
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(pages::POLICY));
    if control.issuer().is_some_and(|issuer| keeps_to_tls(issuer.origin())) {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(FOR_A_YEAR));
    }
    response
}

/// RFC 6797 §6.1. Of this host alone: what else lives below its name is not ours to say.
const FOR_A_YEAR: &str = "max-age=31536000";

/// Whether browsers are told to come back by TLS alone. It would hold for every port of the name: on a person's own
/// machine other programs have them, without TLS.
fn keeps_to_tls(origin: &str) -> bool {
    let host = Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| host != "localhost" && !host.ends_with(".localhost"))
}

#[cfg(test)]
mod tests;
