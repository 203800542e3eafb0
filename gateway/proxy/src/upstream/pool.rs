//! One worker's connections to every cluster, and the sending of one request over them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version, header};
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::breaker::Advice;
use super::fault::{Retry, UpstreamFault, retry};
use super::meters::Meters;
use super::outgoing::{Outgoing, Reading};
use super::road::{Class, Lease, Means, Ride, Road, Unanswered};
use super::settings::PoolSettings;
use crate::cluster::{Role, Runtime, Speaker};
use crate::executor::Executor;
use crate::stream::Drain;
use crate::tls::ClientTls;

/// Connections of one worker. No other worker touches them, so its locks are never waited for.
pub(crate) struct Pool {
    means: Means,
    tunnels: TaskTracker,
    drain: Drain,
    clusters: Mutex<HashMap<u64, Roads, foldhash::fast::RandomState>>,
}

/// The ways to one cluster. They go when the cluster does.
#[derive(Debug)]
struct Roads {
    runtime: Weak<Runtime>,
    impersonator: Arc<[Arc<Road>]>,
    reviewer: Arc<[Arc<Road>]>,
    /// For tokens that the cluster made itself; empty where such do not come in.
    callers: Arc<[Arc<Road>]>,
}

/// What to send, and on what kind of connection.
pub(super) struct Call<'a> {
    pub(super) runtime: &'a Arc<Runtime>,
    pub(super) speaker: Speaker,
    pub(super) class: Class,
    pub(super) head: Parts,
    pub(super) body: Outgoing,
}

impl Pool {
    pub(crate) fn new(settings: Arc<PoolSettings>, executor: Executor, drain: Drain) -> Self {
        let tunnels = TaskTracker::new();
        Self { means: Means { settings, executor, meters: Arc::default() }, tunnels, drain, clusters: Mutex::default() }
    }

    /// Runs tunnels where a graceful stop waits for them.
    pub(crate) fn with_tunnels(self, tunnels: TaskTracker) -> Self {
        Self { tunnels, ..self }
    }

    /// Counts where operators look.
    pub(crate) fn with_meters(mut self, meters: Arc<Meters>) -> Self {
        self.means.meters = meters;
        self
    }

    pub(super) fn meters(&self) -> &Arc<Meters> {
        &self.means.meters
    }

    pub(super) fn drain(&self) -> &Drain {
        &self.drain
    }

    pub(super) fn settings(&self) -> &PoolSettings {
        &self.means.settings
    }

    pub(super) fn tunnels(&self) -> &TaskTracker {
        &self.tunnels
    }

    /// Closes idle connections, and all of clusters that are gone, until the gateway stops.
    pub(crate) async fn keep(&self) {
        let pause = (self.means.settings.idle / 2).max(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => self.sweep(),
                () = self.drain.aborted() => return,
            }
        }
    }

    /// Sends one request and waits for the head of its answer.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<(Response<Incoming>, Lease), UpstreamFault> {
        let Call { runtime, speaker, class, mut head, body } = call;
        if let Speaker::Account(role) = speaker
            && let Some(token) = runtime.authorization(role).map_err(|_| UpstreamFault::Credential)?
        {
            head.headers.insert(header::AUTHORIZATION, token);
        }
        let roads = self.roads(runtime, speaker);
        if roads.is_empty() {
            return Err(UpstreamFault::Unfit("a caller's own token where none comes in"));
        }
        let mut patience = Patience::new(class, is_safe(&head.method) && body.is_empty());
        let mut reading = body.read();
        loop {
            let (road, ride) = self.ride(&roads, class).await?;
            let reading_now = reading.take().ok_or(UpstreamFault::Unfit("a body that is gone"))?;
            let mut request = Request::from_parts(head.clone(), reading_now);
            address(&mut request, &road, &ride)?;
            let Unanswered { fault, unsent } = match ride.send(&road, class, request).await {
                Ok(answer) => return Ok(answer),
                Err(unanswered) => unanswered,
            };
            let allowed = if unsent { Retry::Refused } else { retry(&fault) };
            reading = body.read().filter(|_| patience.allows(allowed));
            if reading.is_none() {
                let ours = body.has_failed();
                return Err(if ours { UpstreamFault::Body(fault) } else { UpstreamFault::Broken(fault) });
            }
            self.means.meters.retried.inc();
        }
    }

    /// A place on the least busy endpoint that works; the next one where that fails, because nothing was sent yet.
    async fn ride(&self, roads: &[Arc<Road>], class: Class) -> Result<(Arc<Road>, Ride), UpstreamFault> {
        let mut tried: Vec<&Arc<Road>> = Vec::new();
        let mut fault = None;
        loop {
            match choose(roads, &tried, class) {
                Choice::Road(road) => match road.ride(class).await {
                    Ok(ride) => return Ok((Arc::clone(road), ride)),
                    Err(failed) => {
                        fault = Some(failed);
                        tried.push(road);
                    }
                },
                Choice::None { retry_after } => return Err(fault.unwrap_or(UpstreamFault::Resting { retry_after })),
            }
        }
    }

    fn roads(&self, runtime: &Arc<Runtime>, speaker: Speaker) -> Arc<[Arc<Road>]> {
        let mut clusters = self.lock();
        let roads = clusters.entry(runtime.id()).or_insert_with(|| Roads {
            runtime: Arc::downgrade(runtime),
            impersonator: self.build(runtime, runtime.tls(Role::Impersonator)),
            reviewer: self.build(runtime, runtime.tls(Role::Reviewer)),
            callers: runtime.callers_tls().map_or_else(|| Arc::from([]), |tls| self.build(runtime, tls)),
        });
        Arc::clone(match speaker {
            Speaker::Account(Role::Impersonator) => &roads.impersonator,
            Speaker::Account(Role::Reviewer) => &roads.reviewer,
            Speaker::Caller => &roads.callers,
        })
    }

    fn build(&self, runtime: &Runtime, tls: &ClientTls) -> Arc<[Arc<Road>]> {
        let road = |endpoint| Arc::new(Road::new(Arc::clone(endpoint), tls.clone(), self.means.clone()));
        runtime.endpoints().iter().map(road).collect()
    }

    fn sweep(&self) {
        let mut clusters = self.lock();
        clusters.retain(|_, roads| roads.runtime.strong_count() > 0);
        for roads in clusters.values() {
            let all = roads.impersonator.iter().chain(roads.reviewer.iter()).chain(roads.callers.iter());
            all.for_each(|road| road.sweep());
        }
    }

    // No code that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Roads, foldhash::fast::RandomState>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("settings", &self.means.settings).finish_non_exhaustive()
    }
}

enum Choice<'a> {
    Road(&'a Arc<Road>),
    None { retry_after: Duration },
}

fn choose<'a>(roads: &'a [Arc<Road>], tried: &[&Arc<Road>], class: Class) -> Choice<'a> {
    let now = Instant::now();
    let mut best: Option<&Arc<Road>> = None;
    let mut due: Option<&Arc<Road>> = None;
    let mut retry_after = Duration::from_secs(15);
    for road in roads.iter().filter(|road| !tried.iter().any(|tried| Arc::ptr_eq(tried, road))) {
        match road.endpoint.breaker.advice(now) {
            Advice::Use if best.is_none_or(|best| road.in_flight() < best.in_flight()) => best = Some(road),
            Advice::Use => {}
            Advice::Try => due = Some(road),
            Advice::Rest(rest) => retry_after = retry_after.min(rest),
        }
    }
    match (best, due) {
        // Nobody's request waits for an endpoint that may still be dead while another one works.
        (Some(road), Some(due)) => {
            due.grow(class);
            Choice::Road(road)
        }
        (Some(road), None) | (None, Some(road)) => Choice::Road(road),
        (None, None) => Choice::None { retry_after },
    }
}

/// Names the endpoint in the way of its protocol, and checks what must hold of every request that leaves.
fn address(request: &mut Request<Reading>, road: &Road, ride: &Ride) -> Result<(), UpstreamFault> {
    let authority = road.endpoint.authority();
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    if ride.is_http2() {
        let uri = Uri::builder().scheme(Scheme::HTTPS).authority(authority.clone()).path_and_query(path).build();
        *request.uri_mut() = uri.map_err(|_| UpstreamFault::Unfit("no target"))?;
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(header::HOST);
    } else {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| UpstreamFault::Unfit("no host"))?;
        *request.uri_mut() = path.into();
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(header::HOST, host);
    }
    fit(request.headers(), ride)
}

/// hyper's HTTP/2 client deletes every header that a `Connection` header names. One that came this far could delete
/// the identity, and the request would run as the gateway itself.
fn fit(headers: &HeaderMap, ride: &Ride) -> Result<(), UpstreamFault> {
    if ride.is_http2() && headers.contains_key(header::CONNECTION) {
        return Err(UpstreamFault::Unfit("a connection header on HTTP/2"));
    }
    Ok(())
}

/// How often one request is tried.
struct Patience {
    /// Refusals that it may still meet. Many: when a busy server sends GOAWAY, the streams of every connection land on
    /// the next one together, and that one may be told to go as well.
    refused: usize,
    /// Losses that it may still meet.
    lost: usize,
}

impl Patience {
    fn new(class: Class, repeatable: bool) -> Self {
        match class {
            Class::Upgrade => Self { refused: 0, lost: 0 }, // its connection is a fresh one: there is no race to lose
            Class::Short | Class::Watch | Class::Stream | Class::Proxied => {
                Self { refused: 10, lost: usize::from(repeatable) }
            }
        }
    }

    fn allows(&mut self, retry: Retry) -> bool {
        let left = match retry {
            Retry::Refused => &mut self.refused,
            Retry::Lost => &mut self.lost,
            Retry::Never => return false,
        };
        let allowed = *left > 0;
        *left = left.saturating_sub(1);
        allowed
    }
}

/// Methods without effect (RFC 9110 §9.2.1).
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
