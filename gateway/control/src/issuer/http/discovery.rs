//! What a client needs to know of the issuer (OpenID Connect Discovery 1.0 §3, RFC 8414).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::client_auth::{METHODS, SECRET_METHODS};
use super::issuer;
use crate::control::Control;
use crate::issuer::{Alg, Issuer};

/// How long others may keep it: far shorter than a key is known before it signs.
const KEPT: &str = "public, max-age=3600";

pub(super) async fn configuration(State(control): State<Arc<Control>>) -> Result<impl IntoResponse, StatusCode> {
    let issuer = issuer(&control)?;
    Ok(([(header::CACHE_CONTROL, KEPT)], Json(described(issuer))))
}

pub(super) async fn jwks(State(control): State<Arc<Control>>) -> Result<impl IntoResponse, StatusCode> {
    let jwks = issuer(&control)?.keys().jwks(control.store().now());
    Ok(([(header::CACHE_CONTROL, KEPT)], Json(jwks)))
}

fn described(issuer: &Issuer) -> Value {
    let url = issuer.url();
    let algs: Vec<&str> = Alg::ALL.into_iter().filter(|alg| issuer.signs_by(*alg)).map(Alg::name).collect();
    let at = |path: &str| format!("{url}/{path}");
    json!({
        "issuer": url,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "device_authorization_endpoint": at("device"),
        "revocation_endpoint": at("revoke"),
        "introspection_endpoint": at("introspect"),
        "userinfo_endpoint": at("userinfo"),
        "end_session_endpoint": at("logout"),
        "jwks_uri": at("jwks"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": super::token::GRANTS,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algs,
        "token_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "introspection_endpoint_auth_methods_supported": SECRET_METHODS,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": crate::issuer::scope::ALL,
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "preferred_username", "groups"],
        "ui_locales_supported": ["en", "ko"],
        "authorization_response_iss_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}
