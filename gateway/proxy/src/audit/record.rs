//! One request's record, from the first byte to the last.

use std::borrow::Cow;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use kube_wire::audit::{Event, Stage, audit_id, client_audit_id};
use kube_wire::header::AUDIT_ID;
use kube_wire::{RequestInfo, UserInfo};

use crate::admit::{Incoming, Place, Target};
use crate::audit::event;
use crate::audit::sink::{Lost, Message, Seat, Sink};
use crate::authenticate::{Caller, Slot};
use crate::body::{Body, Polled};
use crate::gate::Common;
use crate::refusal::{About, Refusal, Surface};

/// A request's record. Dropping it closes it, so that every request leaves exactly one, however it ends.
#[derive(Debug)]
pub(crate) struct Record {
    common: Arc<Common>,
    facts: Option<Box<Facts>>,
    slot: Option<Slot>,
    seat: Option<Seat>,
    tunnel: Option<Arc<Mutex<Tunnel>>>,
}

/// What is known of a request.
#[derive(Debug)]
pub(crate) struct Facts {
    audit_header: HeaderValue,
    user_agent: Option<HeaderValue>,
    path: Option<PathAndQuery>,
    started: Instant,
    long_running: bool,
    pub(super) client_audit_id: Option<Box<str>>,
    pub(super) received: SystemTime,
    pub(super) method: Method,
    pub(super) client: IpAddr,
    pub(super) surface: Surface,
    place: Option<Place>,
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

/// Kept by a tunnel to its end, which closes the record of the request that opened it.
#[derive(Debug)]
pub(crate) struct Hold(Option<Arc<Mutex<Tunnel>>>);

#[derive(Debug, Default)]
struct Tunnel {
    record: Option<Record>,
    over: bool,
}

impl Record {
    /// Opens the record of a request that has just arrived.
    pub(crate) fn open(common: &Arc<Common>, incoming: &Incoming) -> Self {
        let head = incoming.head();
        let proposed = head.headers.get(AUDIT_ID).and_then(client_audit_id);
        common.metrics.opened();
        let received = common.time.wall();
        let facts = Facts {
            // A UUID is always a header value.
            audit_header: HeaderValue::try_from(audit_id()).unwrap_or(HeaderValue::from_static("none")),
            client_audit_id: proposed.map(Box::from),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            path: head.uri.path_and_query().cloned(),
            started: common.time.monotonic(),
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
        };
        Self { common: Arc::clone(common), facts: Some(Box::new(facts)), slot: None, seat: None, tunnel: None }
    }

    pub(crate) fn routed(&mut self, target: &Target) {
        let Some(facts) = &mut self.facts else { return };
        facts.path = Some(target.path().clone());
        match target {
            Target::Cluster { place, .. } => facts.place = Some(place.clone()),
            Target::Management { .. } => facts.surface = Surface::Management,
        }
    }

    pub(crate) fn asks(&mut self, info: &Arc<RequestInfo>, upgrade: bool) {
        if upgrade {
            self.tunnel = Some(Arc::default());
        }
        let Some(facts) = &mut self.facts else { return };
        facts.info = Some(Arc::clone(info));
        facts.long_running = info.is_long_running(upgrade);
        self.common.metrics.started(facts.long_running);
    }

    pub(crate) fn called_by(&mut self, caller: &Arc<Caller>) {
        if let Some(facts) = &mut self.facts {
            facts.caller = Some(Arc::clone(caller));
        }
    }

    pub(crate) fn acts_as(&mut self, target: Option<UserInfo>) {
        if let Some(facts) = &mut self.facts {
            facts.acting_as = target;
        }
    }

    /// Keeps a place among the user's requests for as long as this one runs.
    pub(crate) fn occupies(&mut self, slot: Slot) {
        self.slot = Some(slot);
    }

    /// The id that joins the logs of the gateway and of the cluster.
    pub(crate) fn audit_id(&self) -> &str {
        self.facts.as_ref().map_or("", |facts| facts.audit_id())
    }

    pub(crate) fn audit_header(&self) -> HeaderValue {
        self.facts.as_ref().map_or(HeaderValue::from_static("none"), |facts| facts.audit_header.clone())
    }

    /// What a tunnel keeps to its end.
    pub(crate) fn hold(&self) -> Hold {
        Hold(self.tunnel.clone())
    }

    /// Counts the time that the upstream takes as the upstream's.
    pub(crate) async fn upstream<F: Future>(&mut self, answer: F) -> F::Output {
        let asked = self.common.time.monotonic();
        let answer = answer.await;
        if let Some(facts) = &mut self.facts {
            facts.waited = self.common.time.monotonic().saturating_duration_since(asked);
        }
        answer
    }

    /// The event that must be on disk before the request is sent, if it is of that kind.
    pub(super) fn event_before_sending(&self, stage: Stage) -> Option<Event> {
        let facts = self.facts.as_ref()?;
        let changes = facts.info.as_ref().is_none_or(|info| info.is_mutating());
        (changes || facts.long_running).then(|| event::at(facts, stage, self.common.time.wall()))
    }

    pub(super) fn reserve(&mut self, sink: &Sink) -> Result<(), Lost> {
        self.seat = Some(sink.seat()?);
        Ok(())
    }

    /// The upstream's answer, on its way to the client.
    pub(crate) fn answered(mut self, mut response: Response<Body>) -> Response<Body> {
        self.responds(response.status());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // The answer's body is empty; the tunnel is what runs, and what closes the record.
            self.ended(End::Complete);
            if let Some(tunnel) = self.tunnel.take() {
                Tunnel::keep(&tunnel, self);
            }
            return response;
        }
        // Ours, whatever a server behind it thought up.
        response.headers_mut().insert(AUDIT_ID, self.audit_header());
        self.into_body_of(response)
    }

    /// The refusal, on its way to the client.
    pub(crate) fn refused(mut self, refusal: &Refusal) -> Response<Body> {
        let mut about = About { surface: Surface::Cluster, user: None, asked: None };
        if let Some(facts) = &mut self.facts {
            facts.refusal = Some((refusal.code(), refusal.reason()));
            facts.panicked = matches!(refusal, Refusal::Panicked);
            about.surface = facts.surface;
            about.asked = facts.info.as_deref();
            about.user = facts.caller.as_ref().map(|caller| caller.session().identity().username.as_str());
        }
        let mut response = refusal.respond(about);
        if self.facts.as_ref().is_some_and(|facts| facts.method == Method::HEAD) {
            // hyper sends on HTTP/2 what it is given, and clients break off at a body that answers HEAD.
            *response.body_mut() = Body::empty();
        }
        self.common.metrics.refused(refusal.code());
        self.responds(response.status());
        response.headers_mut().insert(AUDIT_ID, self.audit_header());
        self.into_body_of(response)
    }

    /// Looks at a frame of the answer as it passes; `complete` says that it was the last.
    pub(crate) fn saw(&mut self, frame: &Polled, complete: bool) {
        let Some(facts) = &mut self.facts else { return };
        match frame {
            Some(Ok(frame)) => facts.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => facts.end = End::Broken,
            None => facts.end = End::Complete,
        }
        if complete && facts.end == End::Abandoned {
            facts.end = End::Complete;
        }
    }

    fn into_body_of(mut self, response: Response<Body>) -> Response<Body> {
        if response.body().is_end_stream() {
            self.ended(End::Complete);
        }
        response.map(|body| body.recorded(self))
    }

    fn responds(&mut self, code: StatusCode) {
        let Some(facts) = &mut self.facts else { return };
        facts.code = code;
        let spent = self.common.time.monotonic().saturating_duration_since(facts.started);
        self.common.metrics.overhead(spent.saturating_sub(facts.waited));
        if facts.long_running && facts.refusal.is_none() && self.common.audit.keeps_events() {
            let line = event::at(facts, Stage::ResponseStarted, self.common.time.wall()).to_line();
            self.common.audit.put(Message::Line(line), None);
        }
    }

    fn ended(&mut self, end: End) {
        if let Some(facts) = &mut self.facts {
            facts.end = end;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(mut facts) = self.facts.take() else { return };
        facts.closed = self.common.time.wall();
        facts.took = self.common.time.monotonic().saturating_duration_since(facts.started);
        self.common.metrics.closed(&Closed {
            cluster: match facts.surface {
                Surface::Management => "management",
                // A name that is not in the snapshot is the client's invention and makes no label.
                Surface::Cluster => match &facts.place {
                    Some(Place::Known(cluster)) => cluster.id(),
                    Some(Place::Unknown(_)) | None => "",
                },
            },
            verb: facts.info.as_ref().map_or("", |info| info.verb.as_ref()),
            code: facts.code,
            took: facts.took,
            waited: facts.waited,
            long_running: facts.info.as_ref().map(|_| facts.long_running),
        });
        self.common.audit.put(Message::Closed(facts), self.seat.take());
    }
}

/// What metrics count of a request that is over.
#[derive(Debug)]
pub(crate) struct Closed<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) code: StatusCode,
    pub(crate) took: Duration,
    pub(crate) waited: Duration,
    /// `None` when the request was not understood.
    pub(crate) long_running: Option<bool>,
}

impl Facts {
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

impl Tunnel {
    fn keep(tunnel: &Mutex<Self>, record: Record) {
        let mut tunnel = tunnel.lock().unwrap_or_else(PoisonError::into_inner);
        if !tunnel.over {
            tunnel.record = Some(record);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(tunnel) = &self.0 else { return };
        let record = {
            let mut tunnel = tunnel.lock().unwrap_or_else(PoisonError::into_inner);
            tunnel.over = true;
            tunnel.record.take()
        };
        drop(record);
    }
}
