//! What each path does.

use std::sync::Arc;

use auth_core::{LoginInput, Password};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use jiff::Timestamp;
use kube_wire::UserInfo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body;
use super::entered::{Entered, agent};
use super::noted::Noted;
use super::problem::Problem;
use super::segment::Segment;
use crate::admin;
use crate::control::Control;
use crate::login::LoginRequest;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    username: String,
    password: Password,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoggedIn {
    token: String,
    expires_at: Timestamp,
    session: String,
    user: String,
}

pub(super) async fn login(
    State(control): State<Arc<Control>>,
    Segment(provider): Segment,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Extension<Noted>, Json<LoggedIn>), Problem> {
    let LoginBody { username, password } = body::read(&control, &headers, body, "username and password").await?;
    let arrival = entered.arrival();
    let request = LoginRequest {
        provider,
        input: LoginInput::Password { login: username, password },
        client: Some(arrival.client),
        agent: agent(&headers),
        trace_id: arrival.trace_id.clone(),
    };
    let done = control.login(request).await?;
    let answer = LoggedIn {
        token: done.token.expose().to_owned(),
        expires_at: done.expires_at,
        session: done.session.to_string(),
        user: done.user.to_string(),
    };
    Ok((StatusCode::CREATED, Noted::began(&done.session, &done.principal), Json(answer)))
}

pub(super) async fn providers(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(json!({ "providers": control.registry().public() }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Me {
    user: String,
    provider: String,
    principal: String,
    session: String,
    token: String,
    expires_at: Timestamp,
    identity: UserInfo,
    /// Whether they may look after other people's sessions.
    administrator: bool,
    /// By which a client sees that it is of another release. Not for everybody.
    gateway_version: &'static str,
}

pub(super) async fn me(entered: Entered) -> Result<Json<Me>, Problem> {
    let caller = entered.caller()?.clone();
    Ok(Json(Me {
        user: caller.user,
        provider: caller.provider,
        principal: caller.principal,
        session: caller.session,
        token: caller.token,
        expires_at: caller.expires_at,
        identity: caller.identity,
        administrator: caller.is_administrator,
        gateway_version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Somebody else's token answers as one that is not there: names are not to be guessed at.
pub(super) async fn end_token(
    State(control): State<Arc<Control>>,
    Segment(name): Segment,
    entered: Entered,
) -> Result<StatusCode, Problem> {
    let caller = entered.caller()?;
    let not_found = || Problem::new(404, "not-found", "You have no such token.");
    if name == "current" && caller.token.parse::<crate::tokens::TokenName>().is_err() {
        // A signed token is kept nowhere: it ends with its session.
        return super::sessions::end_one(&control, caller, &caller.session).await;
    }
    let name = if name == "current" { caller.token.clone() } else { name };
    let name = name.parse().map_err(|_| not_found())?;
    if admin::revoke(control.store(), &name, Some(&caller.user)).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found())
    }
}

pub(super) async fn health(State(control): State<Arc<Control>>) -> Result<Json<Value>, Problem> {
    control.store().ping().await?;
    Ok(Json(json!({ "status": "ok" })))
}

/// Where the caller may go; what they may do there is for each cluster to say.
pub(super) async fn clusters(entered: Entered) -> Result<Json<Value>, Problem> {
    let open = entered.caller()?.clusters.iter();
    let clusters: Vec<Value> = open.map(|(id, read_only)| json!({ "id": id, "readOnly": read_only })).collect();
    Ok(Json(json!({ "clusters": clusters })))
}

/// Which issuer a client asks for a token (RFC 9728 §2).
pub(super) async fn metadata(State(control): State<Arc<Control>>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::new(404, "no-issuer", "This gateway has no issuer: hosts.console is not set.");
    let issuer = control.issuer().ok_or_else(missing)?;
    Ok(Json(json!({
        "resource": issuer.resource(),
        "authorization_servers": [issuer.url()],
        "bearer_methods_supported": ["header"],
        "resource_name": "Gatewarden",
    })))
}
