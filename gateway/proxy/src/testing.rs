//! What unit tests of the stages share: a gate over one cluster, with a clock and a resolver that the test holds.
#![expect(clippy::unwrap_used, reason = "built for tests and fuzzing alone")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::{Request, Response};
use kube_wire::UserInfo;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::admit::{Incoming, Peer, Sources};
use crate::audit::{AuditConfig, Record, Sink};
use crate::authenticate::{Asks, ServiceAccounts, Sessions};
use crate::body::Body;
use crate::boundary::{
    Account, Carrier, ClusterConfig, Credential, GrantConfig, Management, ManagementFuture, ManagementRequest, Noted,
    NotedSession, Rejected, Resolve, ResolveError, Resolved, Revoked, RevokedSender, Scope, Session, SessionParts,
    Snapshot, SnapshotConfig, Time,
};
use crate::cluster::Clusters;
use crate::executor::Executor;
use crate::gate::{Common, Gate};
use crate::impersonate::Reviews;
use crate::metrics::Metrics;
use crate::stream::Drain;
use crate::upstream::Pool;

/// A clock that moves when told.
#[derive(Debug)]
pub(crate) struct TestTime {
    start: Instant,
    passed: Mutex<Duration>,
}

impl TestTime {
    #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made in another way")]
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), passed: Mutex::default() }
    }

    pub(crate) fn pass(&self, more: Duration) {
        *self.passed.lock().unwrap() += more;
    }
}

impl Time for TestTime {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + *self.passed.lock().unwrap()
    }

    fn monotonic(&self) -> Instant {
        self.start + *self.passed.lock().unwrap()
    }
}

type Answer = Result<Resolved, ResolveError>;

/// Resolves what the test put in, and counts how often it was asked.
#[derive(Debug)]
pub(crate) struct TestResolve {
    pub(crate) known: Mutex<HashMap<String, Answer>>,
    pub(crate) asked: AtomicUsize,
    /// A test that closes this holds every answer back until it adds permits.
    pub(crate) turns: Semaphore,
}

#[async_trait]
impl Resolve for TestResolve {
    async fn resolve(&self, credential: &Credential) -> Result<Resolved, ResolveError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.turns.acquire().await.unwrap().forget();
        let unknown = Err(ResolveError::Unauthenticated(Rejected::Unknown));
        let (Credential::ApiToken(text) | Credential::Signed(text)) = credential;
        self.known.lock().unwrap().get(text.expose_secret()).cloned().unwrap_or(unknown)
    }
}

#[derive(Debug)]
struct TestManagement;

impl Management for TestManagement {
    fn call(&self, request: ManagementRequest) -> ManagementFuture {
        let caller = request.caller.map_or_else(|| "nobody".to_owned(), |caller| caller.session.user().to_owned());
        assert!(!request.head.uri.path().ends_with("/panic"), "as the test wants");
        let headers: Vec<&str> = request.head.headers.keys().map(http::HeaderName::as_str).collect();
        let office = if request.is_administrator { "(administrator) " } else { "" };
        let answer = format!("{caller} {office}{}", headers.join(","));
        let is_refused = request.head.uri.path().contains("refused");
        let is_noted = request.head.uri.path().contains("noted");
        Box::pin(async move {
            let mut response = Response::new(Body::full(answer));
            if is_refused {
                *response.status_mut() = http::StatusCode::BAD_REQUEST;
            }
            if is_noted {
                response.extensions_mut().insert(noted());
            }
            response
        })
    }
}

fn noted() -> Noted {
    let session =
        NotedSession { id: "s-2".to_owned(), provider: "corp".to_owned(), principal: "corp_user://7".to_owned() };
    let why = ("login-locked".to_owned(), "corp: the account is locked".to_owned());
    Noted { session: Some(session), refused: Some(why) }
}

/// A gate, and all that moves it.
pub(crate) struct World {
    pub(crate) gate: Gate,
    pub(crate) time: Arc<TestTime>,
    pub(crate) resolve: Arc<TestResolve>,
    pub(crate) revoke: RevokedSender,
}

pub(crate) const TOKEN: &str = "gwt-alice:secret";

impl World {
    pub(crate) fn new() -> Self {
        Self::with(snapshot_config())
    }

    pub(crate) fn with(config: SnapshotConfig) -> Self {
        let test_time = Arc::new(TestTime::new());
        let time: Arc<dyn Time> = test_time.clone();
        let (revoke, revoked) = Revoked::new(Arc::clone(&time));
        revoke.heartbeat();
        let known = Mutex::new(HashMap::from([(TOKEN.to_owned(), Ok(alice("gwt-alice")))]));
        let resolve =
            Arc::new(TestResolve { known, asked: AtomicUsize::new(0), turns: Semaphore::new(Semaphore::MAX_PERMITS) });
        let metrics = Arc::new(Metrics::new());
        let asks = Asks { resolve: resolve.clone(), revoked, time: Arc::clone(&time), metrics: Arc::clone(&metrics) };
        let common = Common {
            snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::build(config).unwrap())),
            sessions: Sessions::new(asks).unwrap(),
            service_accounts: ServiceAccounts::new(),
            sources: Sources::new(Arc::clone(&time)),
            reviews: Reviews::new().unwrap(),
            management: Arc::new(TestManagement),
            clusters: Arc::new(Clusters::default()),
            audit: Sink::start(&AuditConfig::default(), Arc::clone(&metrics)).unwrap(),
            metrics,
            time,
        };
        let pool = Pool::new(Arc::default(), Executor::new(TaskTracker::new()), Drain::default());
        Self { gate: Gate { common: Arc::new(common), pool: Arc::new(pool) }, time: test_time, resolve, revoke }
    }

    pub(crate) fn peer(&self, server_name: Option<&str>) -> Arc<Peer> {
        Arc::new(Peer::new(&self.gate.common, SocketAddr::from(([192, 0, 2, 7], 40_000)), server_name))
    }

    pub(crate) fn incoming(&self, request: Request<Body>) -> Incoming {
        Incoming::rehearsed(request, self.peer(None))
    }

    pub(crate) fn record(&self, incoming: &Incoming) -> Record {
        Record::open(&self.gate.common, incoming)
    }
}

/// A request of alice's, over HTTP/1.1.
pub(crate) fn request(path: &str) -> http::request::Builder {
    Request::builder().uri(path).header("host", "gw.example.org").header("authorization", format!("Bearer {TOKEN}"))
}

pub(crate) fn alice(token: &str) -> Resolved {
    let identity = UserInfo {
        username: "corp:alice".to_owned(),
        uid: Some("u-alice".to_owned()),
        groups: vec!["corp:dev".to_owned(), "corp:a,b".to_owned()],
        ..UserInfo::default()
    };
    let parts = SessionParts {
        id: "s-1".to_owned(),
        user: "u-alice".to_owned(),
        provider: "corp".to_owned(),
        principal: "corp_user://42".to_owned(),
        identity,
        subjects: vec!["corp:alice".to_owned(), "corp:dev".to_owned()],
    };
    Resolved {
        session: Arc::new(Session::new(parts).unwrap()),
        token: token.to_owned(),
        expires_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_003_600),
        scope: Scope::default(),
    }
}

pub(crate) fn cluster(id: &str) -> ClusterConfig {
    ClusterConfig {
        id: id.to_owned(),
        endpoints: vec!["https://192.0.2.1:6443".parse().unwrap()],
        ca_pem: Vec::new(),
        tls_server_name: None,
        carrier: Carrier::Impersonation {
            impersonator: Account::Token("i".into()),
            reviewer: Account::Token("r".into()),
        },
        hosts: vec![format!("{id}.k8s.example.org")],
        dangerous_privileged_account: false,
        reserved: Vec::new(),
        extra_prefix: "gatewarden".to_owned(),
        send_session_extra: true,
        service_accounts: None,
    }
}

/// Two clusters; `corp:dev` may enter one.
pub(crate) fn snapshot_config() -> SnapshotConfig {
    SnapshotConfig {
        clusters: vec![cluster("east"), cluster("west")],
        grants: vec![GrantConfig {
            subjects: vec!["corp:dev".to_owned()],
            clusters: vec!["east".to_owned()],
            read_only: false,
        }],
        whom_to_ask: "Ask the platform team.".to_owned(),
        ..SnapshotConfig::default()
    }
}
