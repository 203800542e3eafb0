//! One worker's connections to one endpoint, in one role.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Request;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::dial::{Dialed, dial};
use super::endpoint::Endpoint;
use super::fault::UpstreamFault;
use super::http1::{self, Held, Shelf};
use super::http2::{Lane, Room, Seat};
use super::meters::Meters;
use super::outgoing::Reading;
use super::settings::PoolSettings;
use crate::executor::Executor;
use crate::tls::{Alpn, ClientTls};

/// What kind of connection a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Answered at once.
    Short,
    /// A watch: it may end quietly when the gateway stops, because its client asks again.
    Watch,
    /// Logs that are followed: they run until they are done.
    Stream,
    /// Answered by a server behind the API server. HTTP/2 ends a connection, with all that runs over it, for one head
    /// that is far too long; so these have connections of their own, in HTTP/1.1.
    Proxied,
    /// Switches protocols: a connection of its own, in HTTP/1.1.
    Upgrade,
}

/// What all roads of a worker share.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub(super) settings: Arc<PoolSettings>,
    pub(super) executor: Executor,
    pub(super) meters: Arc<Meters>,
}

/// The way to one endpoint.
#[derive(Debug)]
pub(super) struct Road {
    pub(super) endpoint: Arc<Endpoint>,
    tls: ClientTls,
    means: Means,
    in_flight: AtomicUsize,
    /// Learned from ALPN: the server speaks nothing newer.
    http1_only: AtomicBool,
    short: Lane,
    long: Lane,
    shelf: Shelf,
    /// What pods and services answer for themselves, and perhaps never do: they must not take the places of terminals.
    proxied: Shelf,
}

/// A place for one request.
#[derive(Debug)]
pub(super) enum Ride {
    Http2(Seat),
    Http1(Held),
}

/// What an answer keeps busy until its last byte.
#[derive(Debug)]
pub(super) struct Lease {
    road: Arc<Road>,
    kept: Option<Kept>,
}

#[derive(Debug)]
enum Kept {
    Http2 { _seat: Seat },
    Http1 { held: Held, class: Class },
}

impl Road {
    pub(super) fn new(endpoint: Arc<Endpoint>, tls: ClientTls, means: Means) -> Self {
        Self {
            endpoint,
            tls,
            means,
            in_flight: AtomicUsize::new(0),
            http1_only: AtomicBool::new(false),
            short: Lane::default(),
            long: Lane::default(),
            shelf: Shelf::default(),
            proxied: Shelf::default(),
        }
    }

    /// Requests on this road now.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Finds or makes a place.
    pub(super) async fn ride(self: &Arc<Self>, class: Class) -> Result<Ride, UpstreamFault> {
        if class == Class::Upgrade {
            return Box::pin(self.dial_http1(class)).await;
        }
        if class == Class::Proxied || self.http1_only.load(Ordering::Relaxed) {
            return self.ride_http1(class).await;
        }
        let lane = self.lane(class);
        if let Some(seat) = lane.take(Room::Ample) {
            return Ok(Ride::Http2(seat));
        }
        if let Some(seat) = lane.take(Room::Any) {
            self.grow(class);
            return Ok(Ride::Http2(seat));
        }
        let limit = self.means.settings.dial + self.means.settings.handshake;
        match Box::pin(timeout(limit, self.first(class))).await {
            Ok(ride) => ride,
            Err(late) => Err(UpstreamFault::Unreachable(Some(late.into()))),
        }
    }

    /// Makes a connection while requests go on over the others.
    pub(super) fn grow(self: &Arc<Self>, class: Class) {
        let lane = self.lane(class);
        if lane.len() >= self.means.settings.connections || lane.growing.swap(true, Ordering::Relaxed) {
            return;
        }
        let road = Arc::clone(self);
        self.means.executor.spawn(async move {
            if let Err(fault) = road.connect(class).await {
                tracing::warn!(fault = %fault.chain(), "no further connection to a cluster could be made");
            }
            road.lane(class).growing.store(false, Ordering::Relaxed);
        });
    }

    /// Closes what nobody used lately.
    pub(super) fn sweep(&self) {
        self.short.sweep();
        self.long.sweep();
        self.shelf.sweep();
        self.proxied.sweep();
        if self.shelf.is_empty() {
            // The server may have learned HTTP/2 since.
            self.http1_only.store(false, Ordering::Relaxed);
        }
    }

    async fn first(self: &Arc<Self>, class: Class) -> Result<Ride, UpstreamFault> {
        let lane = self.lane(class);
        let turn = lane.dialing.lock().await;
        if let Some(seat) = lane.take(Room::Any) {
            return Ok(Ride::Http2(seat));
        }
        if self.http1_only.load(Ordering::Relaxed) {
            drop(turn); // HTTP/1.1 connections carry one request each: they are made side by side
            return self.ride_http1(class).await;
        }
        if lane.len() >= self.means.settings.connections {
            return Err(UpstreamFault::Full);
        }
        match self.connect(class).await? {
            Some(held) => Ok(Ride::Http1(held)),
            None => lane.take(Room::Any).map(Ride::Http2).ok_or(UpstreamFault::Unreachable(None)),
        }
    }

    /// Makes one connection: an HTTP/2 one joins its lane, an HTTP/1.1 one is handed back.
    async fn connect(&self, class: Class) -> Result<Option<Held>, UpstreamFault> {
        let Dialed { io, http2 } = self.dial(Alpn::Any).await?;
        let Means { settings, executor, meters } = &self.means;
        let broken = |fault: hyper::Error| UpstreamFault::Unreachable(Some(fault.into()));
        if http2 {
            self.lane(class).open(io, meters.opened(), settings, executor).await.map_err(broken)?;
            return Ok(None);
        }
        self.http1_only.store(true, Ordering::Relaxed);
        let place = self.shelf.place(settings.http1_connections).ok_or(UpstreamFault::Full)?;
        http1::open(io, meters.opened(), place, settings, executor).await.map(Some).map_err(broken)
    }

    async fn ride_http1(&self, class: Class) -> Result<Ride, UpstreamFault> {
        match self.shelf(class).take() {
            Some(held) => Ok(Ride::Http1(held)),
            None => Box::pin(self.dial_http1(class)).await,
        }
    }

    async fn dial_http1(&self, class: Class) -> Result<Ride, UpstreamFault> {
        let Means { settings, executor, meters } = &self.means;
        let most = if class == Class::Proxied { settings.http1_connections / 2 } else { settings.http1_connections };
        let place = self.shelf(class).place(most.max(1)).ok_or(UpstreamFault::Full)?;
        let dialed = self.dial(Alpn::Http1).await?;
        let held = http1::open(dialed.io, meters.opened(), place, settings, executor).await;
        held.map(Ride::Http1).map_err(|fault| UpstreamFault::Unreachable(Some(fault.into())))
    }

    async fn dial(&self, alpn: Alpn) -> Result<Dialed, UpstreamFault> {
        let dialed = dial(&self.endpoint, self.tls.offering(alpn), &self.means.settings).await;
        match &dialed {
            Ok(_) => self.reached(),
            Err(fault) => self.missed(fault),
        }
        dialed
    }

    fn reached(&self) {
        self.means.meters.dialed.inc();
        if self.endpoint.breaker.succeeded() {
            tracing::info!(endpoint = self.endpoint.authority().as_str(), "an endpoint is back");
        }
    }

    /// Told once per outage, and not once per request.
    fn missed(&self, fault: &UpstreamFault) {
        self.means.meters.failed.inc();
        if self.endpoint.breaker.failed(Instant::now()) {
            let endpoint = self.endpoint.authority().as_str();
            tracing::warn!(endpoint, fault = %fault.chain(), "an endpoint cannot be reached and rests");
        }
    }

    fn shelf(&self, class: Class) -> &Shelf {
        if class == Class::Proxied { &self.proxied } else { &self.shelf }
    }

    fn lane(&self, class: Class) -> &Lane {
        match class {
            Class::Short | Class::Upgrade => &self.short,
            Class::Watch | Class::Stream | Class::Proxied => &self.long,
        }
    }
}

/// A request that got no answer.
pub(super) struct Unanswered {
    pub(super) fault: hyper::Error,
    /// It never left us.
    pub(super) unsent: bool,
}

impl Ride {
    /// Whether requests are written as HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Sends the request; the lease goes with the answer.
    pub(super) async fn send(
        self,
        road: &Arc<Road>,
        class: Class,
        request: Request<Reading>,
    ) -> Result<(http::Response<Incoming>, Lease), Unanswered> {
        let unanswered = |mut fault: hyper::client::conn::TrySendError<Request<Reading>>| {
            let unsent = fault.take_message().is_some();
            Unanswered { fault: fault.into_error(), unsent }
        };
        road.in_flight.fetch_add(1, Ordering::Relaxed);
        let mut lease = Lease { road: Arc::clone(road), kept: None };
        match self {
            Self::Http2(mut seat) => {
                let response = seat.sender.try_send_request(request).await.map_err(unanswered)?;
                lease.kept = Some(Kept::Http2 { _seat: seat });
                Ok((response, lease))
            }
            Self::Http1(mut held) => {
                let response = held.sender.try_send_request(request).await.map_err(unanswered)?;
                lease.kept = Some(Kept::Http1 { held, class });
                Ok((response, lease))
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.road.in_flight.fetch_sub(1, Ordering::Relaxed);
        match self.kept.take() {
            // Its bytes are a tunnel's.
            Some(Kept::Http1 { class: Class::Upgrade, .. }) | Some(Kept::Http2 { .. }) | None => {}
            Some(Kept::Http1 { held, class }) => self.road.shelf(class).give_back(held),
        }
    }
}
