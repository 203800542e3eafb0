//! A request that is played to the last door and not sent: for `gatewarden explain`.
//!
//! Every stage is the one that serves requests, so what is told here is what would happen. Only two things differ: the
//! credential stands for a session that the operator names, and in place of sending the request the cluster is asked,
//! through its reviewer, whether it would allow it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use kube_wire::header::{is_impersonation, nested_target};
use kube_wire::{RequestInfo, UserInfo};
use tokio_util::task::TaskTracker;

use crate::admit::{Entry, Incoming, Peer, Sources};
use crate::audit::{AuditConfig, Record, Sink};
use crate::authenticate::{Asks, ServiceAccounts, Sessions};
use crate::authorize::Permitted;
use crate::body::Body;
use crate::boundary::{
    Cluster, Credential, Management, ManagementFuture, ManagementRequest, Resolve, ResolveError, Resolved, Revoked,
    RevokedSender, Scope, Session, Snapshot, Time,
};
use crate::cluster::{Clusters, ProbeReport, State, prove};
use crate::executor::Executor;
use crate::gate::{Common, Gate};
use crate::impersonate::{Reviews, Sending};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::stream::Drain;
use crate::upstream::{Pool, PoolSettings};
use crate::{admit, authenticate, authorize, cluster, impersonate};

/// One cluster, and one session that asks it.
#[derive(Debug)]
pub struct Rehearsal {
    gate: Gate,
    cluster: Arc<Cluster>,
    report: ProbeReport,
    state: State,
    host: HeaderValue,
    // Without it the gate would soon know of no revocations, and refuse everything.
    _revoked: RevokedSender,
}

/// What a request would meet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rehearsed {
    /// What the cluster is asked, in RBAC's words.
    pub asked: RequestInfo,
    /// Where the gateway itself stops it.
    pub stopped: Option<Stopped>,
    /// The impersonation headers that would be sent.
    pub headers: Vec<(String, String)>,
    /// Whom the cluster would see: the person, or whom they act as. With the groups that the cluster itself adds.
    pub seen_as: Option<UserInfo>,
    /// What the cluster says to it; an error when it does not say.
    pub verdict: Option<Result<Verdict, String>>,
}

/// A refusal by the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The word in metrics and in the audit log.
    pub code: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// Why.
    pub why: String,
}

/// A cluster's answer to a SubjectAccessReview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it allows the request.
    pub allowed: bool,
    /// Its own words, such as the binding that allows it; often empty for a no.
    pub reason: String,
}

impl Rehearsal {
    /// Prepares, and proves the cluster first, as a starting gateway does.
    ///
    /// # Errors
    /// When there is no such cluster, or the system gives no thread or random bytes.
    pub async fn of(
        snapshot: &Arc<Snapshot>,
        cluster: &str,
        session: Arc<Session>,
        time: Arc<dyn Time>,
    ) -> io::Result<Self> {
        let random = |_| io::Error::other("the system gives no random bytes");
        let found = snapshot.cluster(cluster).ok_or_else(|| io::Error::other("there is no such cluster"))?;
        let (revoked_sender, revoked) = Revoked::new(Arc::clone(&time));
        revoked_sender.heartbeat();
        let metrics = Arc::new(Metrics::new());
        let resolve = Arc::new(Stage { session, time: Arc::clone(&time) });
        let asks = Asks { resolve, revoked, time: Arc::clone(&time), metrics: Arc::clone(&metrics) };
        let common = Common {
            snapshot: Arc::new(ArcSwap::new(Arc::clone(snapshot))),
            sessions: Sessions::new(asks).map_err(random)?,
            service_accounts: ServiceAccounts::new(),
            sources: Sources::new(Arc::clone(&time)),
            reviews: Reviews::new().map_err(random)?,
            management: Arc::new(Nothing),
            clusters: Arc::new(Clusters::default()),
            audit: Sink::start(&AuditConfig::default(), Arc::clone(&metrics))?,
            metrics,
            time,
        };
        let executor = Executor::new(TaskTracker::new());
        let pool = Arc::new(Pool::new(Arc::new(PoolSettings::default()), executor, Drain::default()));
        let runtime = common.clusters.of(found).map_err(|why| io::Error::other(&*why))?;
        let report = prove(&pool, &runtime).await;
        let host = HeaderValue::from_str(snapshot.a_host()).map_err(io::Error::other)?;
        let state = State::clone(&runtime.state());
        let (gate, cluster) = (Gate { common: Arc::new(common), pool }, Arc::clone(found));
        Ok(Self { gate, cluster, report, state, host, _revoked: revoked_sender })
    }

    /// What the cluster's own operators must know of it.
    #[must_use]
    pub const fn report(&self) -> &ProbeReport {
        &self.report
    }

    /// Whether the gateway would let requests pass to it at all.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Plays a request: `path` with its query as the cluster sees it, and what a client would write into its headers.
    ///
    /// # Errors
    /// When it cannot be written as a request.
    pub async fn play(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Rehearsed, String> {
        let uri: http::Uri = path.parse().map_err(|fault| format!("{path:?} is no path: {fault}"))?;
        let asked = RequestInfo::parse(method, uri.path(), uri.query()).map_err(|fault| fault.to_string())?;
        let target = format!("/k8s/clusters/{}{path}", self.cluster.id());
        let mut request =
            Request::builder().method(method).uri(target).body(Body::empty()).map_err(|e| e.to_string())?;
        request.headers_mut().extend(headers.clone());
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static(CREDENTIAL));
        let mut played = Rehearsed { asked, stopped: None, headers: Vec::new(), seen_as: None, verdict: None };
        match outbound(&self.gate, self.incoming(request)).await {
            Err(refusal) => played.stopped = Some(Stopped::by(&refusal)),
            Ok(sending) => self.ask(&sending, &mut played).await,
        }
        Ok(played)
    }

    fn incoming(&self, request: Request<Body>) -> Incoming {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Incoming::rehearsed(request, Arc::new(Peer::new(&self.gate.common, here, None)))
    }

    /// Reads the identity from the very headers that would be sent, and asks about that one.
    async fn ask(&self, sending: &Sending, played: &mut Rehearsed) {
        let ours = sending.headers.iter().filter(|(name, _)| is_impersonation(name));
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        played.headers = ours.map(line).collect();
        let Ok(Some(mut seen)) = nested_target(&sending.headers) else {
            played.stopped = Some(Stopped::by(&Refusal::Internal("the outgoing headers name nobody")));
            return;
        };
        impersonate::add_groups_of_the_cluster(&mut seen);
        let review = impersonate::access_review(&seen, &played.asked);
        let answer = cluster::review(&self.gate, &self.cluster, review).await;
        let verdict = answer.map(|answer| Verdict { allowed: answer.allowed, reason: answer.reason });
        played.verdict = Some(verdict.map_err(|refusal| refusal.to_string()));
        played.seen_as = Some(seen);
    }
}

impl Stopped {
    fn by(refusal: &Refusal) -> Self {
        Self { code: refusal.code(), status: refusal.code_of_answer().as_u16(), why: refusal.to_string() }
    }
}

/// Sends a request through all stages but the last.
pub(crate) async fn outbound(gate: &Gate, incoming: Incoming) -> Result<Sending, Refusal> {
    let mut record = Record::open(&gate.common, &incoming);
    let Entry::Private(admitted) = admit::run(gate, incoming, &mut record)? else {
        return Err(Refusal::NotFound);
    };
    let authenticated = authenticate::run(gate, admitted, &mut record).await?;
    let Permitted::Cluster(authorized) = authorize::run(gate, authenticated, &mut record)? else {
        return Err(Refusal::NotFound);
    };
    Ok(impersonate::run(gate, authorized, &mut record).await?.into_sending().1)
}

/// Never leaves this process, and no store knows it.
const CREDENTIAL: &str = "Bearer gwt-rehearsal:not-a-secret";
const LASTS: Duration = Duration::from_secs(3_600);

/// Says that the one credential is the session's.
#[derive(Debug)]
struct Stage {
    session: Arc<Session>,
    time: Arc<dyn Time>,
}

#[async_trait]
impl Resolve for Stage {
    async fn resolve(&self, _: &Credential) -> Result<Resolved, ResolveError> {
        let now: SystemTime = self.time.wall();
        Ok(Resolved {
            session: Arc::clone(&self.session),
            token: "gwt-rehearsal".to_owned(),
            expires_at: now + LASTS,
            scope: Scope::default(),
        })
    }
}

/// The gateway's own API is not rehearsed.
#[derive(Debug)]
struct Nothing;

impl Management for Nothing {
    fn call(&self, _: ManagementRequest) -> ManagementFuture {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        Box::pin(async move { response })
    }
}
