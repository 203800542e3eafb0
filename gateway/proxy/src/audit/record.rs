//! One request's record, from the first byte to the last.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode, Version};
use http_body::Body as _;
use kube_wire::audit::Stage;
use kube_wire::header::AUDIT_ID;
use kube_wire::{RequestInfo, UserInfo};

use crate::admit::{Incoming, Place, Target};
use crate::audit::event;
use crate::audit::facts::{End, Facts};
use crate::audit::hold::{Hold, Tunnel};
use crate::audit::sink::{Lost, Message, Seat, Sink};
use crate::authenticate::{Caller, Slot};
use crate::body::{Body, Polled};
use crate::boundary::{MANAGEMENT, Noted};
use crate::gate::Common;
use crate::refusal::{About, Refusal, Surface};

/// A request's record. Dropping it closes it, so that every request leaves exactly one, however it ends.
#[derive(Debug)]
pub(crate) struct Record {
    common: Arc<Common>,
    facts: Option<Box<Facts>>,
    slot: Option<Slot>,
    seat: Option<Seat>,
    tunnel: Option<Arc<Tunnel>>,
}

impl Record {
    /// Opens the record of a request that has just arrived.
    pub(crate) fn open(common: &Arc<Common>, incoming: &Incoming) -> Self {
        common.metrics.opened();
        let facts = Facts::open(incoming, common.time.wall(), common.time.monotonic());
        Self { common: Arc::clone(common), facts: Some(Box::new(facts)), slot: None, seat: None, tunnel: None }
    }

    pub(crate) fn routed(&mut self, target: &Target) {
        let Some(facts) = &mut self.facts else { return };
        facts.path = Some(target.path().clone());
        match target {
            Target::Cluster { place, .. } => facts.place = Some(place.clone()),
            Target::Management { .. } | Target::Console { .. } => facts.surface = Surface::Management,
        }
    }

    pub(crate) fn understood(&mut self, info: &Arc<RequestInfo>, upgrade: bool) {
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

    /// What the gateway's own API wants on record.
    pub(crate) fn notes(&mut self, noted: Option<Noted>) {
        if let Some(facts) = &mut self.facts {
            facts.noted = noted.map(Box::new);
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

    /// From here on the time is the upstream's.
    pub(crate) fn asks(&mut self) {
        if let Some(facts) = &mut self.facts {
            facts.asked = Some(self.common.time.monotonic());
            facts.waited = Some(Duration::ZERO);
        }
    }

    /// The upstream answered, or will not.
    pub(crate) fn hears(&mut self) {
        if let Some(facts) = &mut self.facts {
            let now = self.common.time.monotonic();
            facts.waited = facts.asked.map(|asked| now.saturating_duration_since(asked));
        }
    }

    /// The line that must be on disk before the request is sent, if it is of that kind.
    pub(super) fn line_before_sending(&self, stage: Stage) -> Option<Vec<u8>> {
        let facts = self.facts.as_ref()?;
        let changes = facts.info.as_ref().is_none_or(|info| info.is_mutating());
        (changes || facts.long_running).then(|| event::at(facts, stage, self.common.time.wall()).to_line())
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
                tunnel.keep(self);
            }
            return response;
        }
        // Ours, whatever a server behind it thought up.
        response.headers_mut().insert(AUDIT_ID, self.audit_header());
        self.into_body_of(response)
    }

    /// The refusal, on its way to the client.
    pub(crate) fn refused(mut self, refusal: &Refusal) -> Response<Body> {
        let mut about = About { surface: Surface::Cluster, user: None, asked: None, discovers: false };
        if let Some(facts) = &mut self.facts {
            facts.refusal = Some((refusal.code(), refusal.reason()));
            facts.panicked = matches!(refusal, Refusal::Panicked);
            about.surface = facts.surface;
            about.discovers = facts.discovers;
            about.asked = facts.info.as_deref();
            about.user = facts.caller.as_ref().map(|caller| caller.session().identity().username.as_str());
        }
        let mut response = refusal.respond(about);
        if refusal.doubts_the_message() && self.facts.as_ref().is_some_and(|facts| facts.version != Version::HTTP_2) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.facts.as_ref().is_some_and(|facts| facts.method == http::Method::HEAD) {
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
        self.common.metrics.overhead(spent.saturating_sub(facts.waited.unwrap_or_default()));
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
        let now = self.common.time.monotonic();
        facts.took = now.saturating_duration_since(facts.started);
        self.common.metrics.closed(&Closed {
            cluster: match facts.surface {
                Surface::Management => MANAGEMENT,
                // A name that is not in the snapshot is the client's invention and makes no label.
                Surface::Cluster => match &facts.place {
                    Some(Place::Known(cluster)) => cluster.id(),
                    Some(Place::Unknown(_)) | None => "",
                },
            },
            verb: facts.info.as_ref().map_or("", |info| info.verb.as_ref()),
            class: facts.info.as_ref().map_or(ResourceClass::Unread, |info| ResourceClass::of(info)),
            code: facts.code,
            took: facts.took,
            waited: facts.waited.unwrap_or_default(),
            long_running: facts.info.as_ref().map(|_| facts.long_running),
        });
        if facts.is_refused_stranger() {
            return self.common.audit.put_refusal(facts, now);
        }
        if facts.is_public_answer() {
            return self.common.audit.put_public(facts, self.seat.take());
        }
        self.common.audit.put(Message::Closed(facts), self.seat.take());
    }
}

/// What a request is about, in the few kinds that metrics tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceClass {
    /// An object, or a list of them.
    Resource,
    /// A part of an object: its log, its status, a terminal in it.
    Subresource,
    /// A path such as `/version`.
    NonResource,
    /// It was refused before its path was read.
    Unread,
}

impl ResourceClass {
    fn of(info: &RequestInfo) -> Self {
        match (info.is_resource_request, info.subresource.is_empty()) {
            (false, _) => Self::NonResource,
            (true, true) => Self::Resource,
            (true, false) => Self::Subresource,
        }
    }
}

/// What metrics count of a request that is over.
#[derive(Debug)]
pub(crate) struct Closed<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) class: ResourceClass,
    pub(crate) code: StatusCode,
    pub(crate) took: Duration,
    pub(crate) waited: Duration,
    /// `None` when the request was not understood.
    pub(crate) long_running: Option<bool>,
}
