//! What is known of a request, for its record.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{ACCEPT, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Version};
use kube_wire::audit::{audit_id, client_audit_id};
use kube_wire::header::AUDIT_ID;
use kube_wire::{RequestInfo, UserInfo};

use crate::admit::{Incoming, Place};
use crate::audit::words::{self, brief};
use crate::authenticate::Caller;
use crate::boundary::Noted;
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
    /// What the gateway's own API says of what it did.
    pub(super) noted: Option<Box<Noted>>,
    pub(super) panicked: bool,
    /// Refusals of strangers before this one that are not on record.
    pub(super) left_out: u64,
    pub(super) version: Version,
    pub(super) discovers: bool,
    pub(super) code: StatusCode,
    pub(super) bytes: u64,
    pub(super) end: End,
    /// How long something behind us took. Once it was called it may have done what was asked, whatever became of the
    /// answer.
    pub(super) waited: Option<Duration>,
    /// When it was called.
    pub(super) asked: Option<Instant>,
    pub(super) took: Duration,
    pub(super) closed: SystemTime,
}

/// The client went away before there was an answer.
const GONE: u16 = 499;

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
            noted: None,
            panicked: false,
            left_out: 0,
            version: head.version,
            discovers: discovers(head),
            // Stands when the client goes away before there is an answer, as nginx writes it.
            code: StatusCode::from_u16(GONE).unwrap_or(StatusCode::BAD_REQUEST),
            bytes: 0,
            end: End::Abandoned,
            waited: None,
            asked: None,
            took: Duration::ZERO,
            closed: received,
        }
    }

    pub(super) fn audit_id(&self) -> &str {
        self.audit_header.to_str().unwrap_or_default()
    }

    /// Nobody knows who asked, and nothing was done.
    pub(super) fn is_refused_stranger(&self) -> bool {
        let gone = self.code.as_u16() == GONE;
        self.caller.is_none() && !self.panicked && self.waited.is_none() && (self.refusal.is_some() || gone)
    }

    /// Nobody knows who asked, and the answer let nobody in: a login that failed, a health check.
    pub(super) fn is_public_answer(&self) -> bool {
        let gone = self.code.as_u16() == GONE;
        let harmless = self.method.is_safe() || !self.code.is_success();
        self.caller.is_none() && !self.panicked && self.refusal.is_none() && !gone && harmless
    }

    pub(super) fn cluster(&self) -> Option<&str> {
        self.place.as_ref().map(Place::id)
    }

    /// What the client calls itself, as far as it is text.
    pub(super) fn user_agent(&self) -> Cow<'_, str> {
        let agent = self.user_agent.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        words::shorten(String::from_utf8_lossy(agent), words::SENTENCE)
    }

    /// The target as the upstream sees it, cut to a length, without what some clients wrongly put into it.
    pub(super) fn request_uri(&self) -> Cow<'_, str> {
        let Some(path) = &self.path else { return Cow::Borrowed("") };
        match path.query() {
            Some(query) if query.split('&').any(is_secret) => {
                let clean = format!("{}?{}", path.path(), hide(query));
                Cow::Owned(brief(&clean, words::TARGET).into_owned())
            }
            _ => brief(path.as_str(), words::TARGET),
        }
    }
}

/// kubectl looks for what a cluster has in this form, and shows no `Status` that answers it.
fn discovers(head: &Parts) -> bool {
    let form = b"as=APIGroupDiscoveryList";
    head.headers.get_all(ACCEPT).iter().any(|line| line.as_bytes().windows(form.len()).any(|window| window == form))
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
    const SECRET: [&str; 12] = [
        "access_token",
        "token",
        "id_token",
        "id_token_hint",
        "refresh_token",
        "code",
        "user_code",
        "device_code",
        "code_verifier",
        "ticket",
        "password",
        "client_secret",
    ];
    SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}
