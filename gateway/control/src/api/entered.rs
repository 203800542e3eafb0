//! How the caller gets to the handlers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, header};
use axum::response::Response;
use jiff::Timestamp;
use kube_wire::UserInfo;
use tower::ServiceExt;

use super::clusters::Reasons;
use super::problem::Problem;

/// Who asks, as the one who verified their credential knows them.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The name of the token they presented.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Their session.
    pub session: String,
    /// Their user id.
    pub user: String,
    /// The instance that they logged in by.
    pub provider: String,
    /// The principal that the instance knows them as.
    pub principal: String,
    /// What clusters see.
    pub identity: UserInfo,
    /// Why they may enter these.
    pub reasons: Reasons,
    /// The clusters that they may enter, and whether only to read.
    pub clusters: BTreeMap<String, bool>,
    /// Whether they may look after other people's sessions.
    pub is_administrator: bool,
}

/// How a request came in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Who asks; `None` on a public route.
    pub caller: Option<Caller>,
    /// The address of the other end.
    pub client: IpAddr,
    /// Joins the answer with the audit log.
    pub trace_id: String,
}

/// Answers one request. The only way in.
pub async fn enter(router: &Router, mut request: Request<Body>, arrival: Arrival) -> Response {
    request.extensions_mut().insert(Entered(Arc::new(arrival)));
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The one extractor of who asks. Private, and so is its place in the request.
#[derive(Debug, Clone)]
pub(crate) struct Entered(Arc<Arrival>);

impl Entered {
    pub(crate) fn arrival(&self) -> &Arrival {
        &self.0
    }

    pub(super) fn caller(&self) -> Result<&Caller, Problem> {
        let hint = "Log in first, and send the token as a bearer token.";
        self.0.caller.as_ref().ok_or_else(|| Problem::new(401, "unauthenticated", hint))
    }
}

/// What a program may call itself.
const LONGEST_AGENT: usize = 128;

/// What the program at the other end calls itself, as far as it is text.
pub(crate) fn agent(headers: &HeaderMap) -> Option<String> {
    let named = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(named.chars().take(LONGEST_AGENT).collect())
}

impl<S: Sync> FromRequestParts<S> for Entered {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let missing = || Problem::new(500, "internal", "The request came past the gate.");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}
