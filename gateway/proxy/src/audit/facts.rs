//! What is known of a request, for its record.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode};
use kube_wire::audit::{audit_id, client_audit_id};
use kube_wire::header::AUDIT_ID;
use kube_wire::{RequestInfo, UserInfo};

use crate::admit::{Incoming, Place};
use crate::authenticate::Caller;
use crate::refusal::Surface;

/// What is known of a request.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(super) audit_header: HeaderValue,
    user_agent: Option<HeaderValue>,
    pub(super) path: Option<PathAndQuery>,
    pub(super) started: Instant,
    pub(super) long_running: bool,
    pub(super) client_audit_id: Option<Box<str>>,
    pub(super) received: SystemTime,
    pub(super) method: Method,
    pub(super) client: IpAddr,
    pub(super) surface: Surface,
    pub(super) place: Option<Place>,
    pub(super) info: Option<Arc<RequestInfo>>,
    pub(super) caller: Option<Arc<Caller>>,
    pub(super) acting_as: Option<UserInfo>,
    pub(super) refusal: Option<(&'static str, String)>,
    pub(super) panicked: bool,
    pub(super) code: StatusCode,
    pub(super) bytes: u64,
    pub(super) end: End,
    pub(super) waited: Duration,
    pub(super) took: Duration,
    pub(super) closed: SystemTime,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With its last byte.
    Complete,
    /// With an error of the cluster's, or with the session.
    Broken,
    /// The client went away first.
    Abandoned,
}

impl End {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Broken => "broken",
            Self::Abandoned => "abandoned",
        }
    }
}

impl Facts {
    pub(super) fn open(incoming: &Incoming, received: SystemTime, started: Instant) -> Self {
        let head = incoming.head();
        let proposed = head.headers.get(AUDIT_ID).and_then(client_audit_id);
        Self {
            // A UUID is always a header value.
            audit_header: HeaderValue::try_from(audit_id()).unwrap_or(HeaderValue::from_static("none")),
            client_audit_id: proposed.map(Box::from),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            path: head.uri.path_and_query().cloned(),
            started,
            received,
            long_running: false,
            method: head.method.clone(),
            client: incoming.peer().ip(),
            surface: Surface::Cluster,
            place: None,
            info: None,
            caller: None,
            acting_as: None,
            refusal: None,
            panicked: false,
            // Stands when the client goes away before there is an answer, as nginx writes it.
            code: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            bytes: 0,
            end: End::Abandoned,
            waited: Duration::ZERO,
            took: Duration::ZERO,
            closed: received,
        }
    }

    pub(super) fn audit_id(&self) -> &str {
        self.audit_header.to_str().unwrap_or_default()
    }

    pub(super) fn cluster(&self) -> Option<&str> {
        self.place.as_ref().map(Place::id)
    }

    /// What the client calls itself, as far as it is text.
    pub(super) fn user_agent(&self) -> String {
        self.user_agent.as_ref().map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned()).unwrap_or_default()
    }

    /// The target as the upstream sees it, without what some clients wrongly put into it.
    pub(super) fn request_uri(&self) -> Cow<'_, str> {
        let Some(path) = &self.path else { return Cow::Borrowed("") };
        match path.query() {
            Some(query) if query.split('&').any(is_secret) => Cow::Owned(format!("{}?{}", path.path(), hide(query))),
            _ => Cow::Borrowed(path.as_str()),
        }
    }
}

fn hide(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(pair) => Cow::Owned(format!("{name}=hidden")),
        _ => Cow::Borrowed(pair),
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn is_secret(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    ["access_token", "token", "id_token", "refresh_token", "code", "ticket", "password", "client_secret"]
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}
