//! What each path does.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_core::{LoginInput, Password, PublicProvider};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use jiff::Timestamp;
use kube_wire::UserInfo;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body;
use super::entered::{Entered, agent};
use super::noted::Noted;
use super::problem::Problem;
use super::segment::Segment;
use crate::admin;
use crate::control::Control;
use crate::login::LoginRequest;

/// What somebody logs in with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginBody {
    username: String,
    password: Password,
}

/// A login that succeeded.
#[derive(Serialize, JsonSchema)]
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

/// The identity systems.
#[derive(Serialize, JsonSchema)]
pub(super) struct Providers {
    providers: Vec<PublicProvider>,
}

pub(super) async fn providers(State(control): State<Arc<Control>>) -> Json<Providers> {
    let registry = control.registry();
    Json(Providers { providers: registry.public().into_iter().cloned().collect() })
}

/// Who asks.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Me {
    user: String,
    provider: String,
    principal: String,
    session: String,
    token: String,
    expires_at: Timestamp,
    identity: Identity,
    /// Whether they may look after other people's sessions.
    administrator: bool,
    /// By which a client sees that it is of another release. Not for everybody.
    gateway_version: &'static str,
}

/// Whom clusters see.
#[derive(Serialize, JsonSchema)]
struct Identity {
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    groups: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra: BTreeMap<String, Vec<String>>,
}

impl From<UserInfo> for Identity {
    fn from(user: UserInfo) -> Self {
        Self { username: user.username, uid: user.uid, groups: user.groups, extra: user.extra }
    }
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
        identity: caller.identity.into(),
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

/// That all is well.
#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    status: &'static str,
}

pub(super) async fn health(State(control): State<Arc<Control>>) -> Result<Json<Health>, Problem> {
    control.store().ping().await?;
    Ok(Json(Health { status: "ok" }))
}

/// Where tokens for this API come from.
#[derive(Serialize, JsonSchema)]
pub(super) struct Resource {
    resource: String,
    authorization_servers: [String; 1],
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'static str,
}

/// Which issuer a client asks for a token (RFC 9728 §2).
pub(super) async fn metadata(State(control): State<Arc<Control>>) -> Result<Json<Resource>, Problem> {
    let missing = || Problem::new(404, "no-issuer", "This gateway has no issuer: hosts.console is not set.");
    let issuer = control.issuer().ok_or_else(missing)?;
    Ok(Json(Resource {
        resource: issuer.resource().to_owned(),
        authorization_servers: [issuer.url().to_owned()],
        bearer_methods_supported: ["header"],
        resource_name: "Gatewarden",
    }))
}
