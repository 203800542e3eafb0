//! A whole data plane on a port of its own, and the people who use it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use gatewarden_proxy::{
    AuditConfig, Body, ClusterConfig, Credential, GrantConfig, Limits, ListenerConfig, Management, ManagementFuture,
    ManagementRequest, PoolSettings, Rehearsal, Rejected, Resolve, ResolveError, Resolved, Revocation, Revoked,
    RevokedSender, Scope, Server, ServerCertificate, ServerConfig, Session, SessionParts, Snapshot, SnapshotConfig,
    State, Time, Timeouts,
};
use http::Response;
use kube_wire::UserInfo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use secrecy::ExposeSecret;

/// The bearer of a person who may enter every cluster.
pub(crate) const ALICE: &str = "gwt-alice:secret";

/// How long everybody's token lasts.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// Waits that only a failure reaches the end of.
pub(crate) const GUARD: Duration = Duration::from_secs(30);

pub(crate) struct Gateway {
    server: Option<Server>,
    pub(crate) address: SocketAddr,
    pub(crate) ca_pem: String,
    revoke: RevokedSender,
    snapshot: Arc<ArcSwap<Snapshot>>,
    time: Arc<MovedTime>,
}

/// What a test may want otherwise.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) pool: PoolSettings,
    pub(crate) response_timeout: Option<Duration>,
    pub(crate) user_upgrades: Option<usize>,
}

impl Gateway {
    pub(crate) async fn start(clusters: Vec<ClusterConfig>) -> Self {
        let gateway = Self::start_with(clusters, Settings::default());
        gateway.opened().await;
        gateway
    }

    pub(crate) fn start_with(clusters: Vec<ClusterConfig>, settings: Settings) -> Self {
        let time = Arc::new(MovedTime::default());
        let (revoke, revoked) = Revoked::new(time.clone());
        revoke.heartbeat();
        let mut limits = gatewarden_proxy::RequestLimits::default();
        limits.response_timeout = settings.response_timeout.unwrap_or(limits.response_timeout);
        limits.user_upgrades = settings.user_upgrades.unwrap_or(limits.user_upgrades);
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot(clusters, limits)));
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let ca_pem = cert.pem();
        let certificate =
            ServerCertificate::from_pem(ca_pem.as_bytes(), signing_key.serialize_pem().as_bytes(), time.wall());
        let config = ServerConfig {
            listener: ListenerConfig {
                address: SocketAddr::from(([127, 0, 0, 1], 0)),
                certificate: certificate.unwrap(),
                workers: 1, // so that a test can count connections to an upstream
                limits: settings.limits,
                timeouts: settings.timeouts,
                pool: settings.pool,
            },
            snapshot: Arc::clone(&snapshot),
            resolve: Arc::new(People::default()),
            revoked,
            management: Arc::new(NoManagement),
            audit: AuditConfig::default(),
            time: time.clone(),
        };
        let server = Server::start(config).unwrap();
        let address = server.listener().local_addr();
        Self { server: Some(server), address, ca_pem, revoke, snapshot, time }
    }

    /// Waits until every cluster is open.
    pub(crate) async fn opened(&self) {
        until("every cluster is open", || self.states().iter().all(|state| *state == State::Open)).await;
    }

    pub(crate) fn states(&self) -> Vec<State> {
        let server = self.server.as_ref().unwrap();
        server.observer().clusters().into_iter().map(|cluster| cluster.state).collect()
    }

    /// Alice's next request to a cluster, played and not sent.
    pub(crate) async fn rehearsal(&self, cluster: &str) -> Rehearsal {
        let session = Arc::new(Session::new(parts("alice")).unwrap());
        Rehearsal::of(&self.snapshot.load_full(), cluster, session, self.time.clone()).await.unwrap()
    }

    pub(crate) fn tasks_started(&self) -> u64 {
        self.server.as_ref().unwrap().listener().tasks_started()
    }

    pub(crate) fn metrics(&self) -> String {
        self.server.as_ref().unwrap().observer().metrics()
    }

    pub(crate) fn revoke(&self, token: &str) {
        self.revoke.send(&Revocation::Token(token.to_owned()));
    }

    /// Lets time go by, without a change of the date.
    pub(crate) fn age(&self, more: Duration) {
        *self.time.1.lock().unwrap() += more;
        self.revoke.heartbeat();
    }

    /// Puts the date forward.
    pub(crate) fn pass(&self, more: Duration) {
        *self.time.0.lock().unwrap() += more;
    }

    pub(crate) fn reload(&self, clusters: Vec<ClusterConfig>) {
        let new = Arc::new(snapshot(clusters, gatewarden_proxy::RequestLimits::default()));
        let old = self.snapshot.swap(Arc::clone(&new));
        self.revoke.reloaded(&old, &new);
    }

    pub(crate) fn drain(&mut self, deadline: Duration) -> impl Future<Output = ()> + use<> {
        self.server.take().unwrap().drain(deadline)
    }
}

/// Waits for something that will be so; fails when it is not so in time.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let polled = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(GUARD, polled).await.is_ok(), "never so: {what}");
}

fn snapshot(clusters: Vec<ClusterConfig>, limits: gatewarden_proxy::RequestLimits) -> Snapshot {
    let grant = |subject: &str, read_only| GrantConfig {
        subjects: vec![subject.to_owned()],
        clusters: vec!["*".to_owned()],
        read_only,
    };
    let grants = vec![
        grant("corp:dev", false),
        grant("user:system:serviceaccount:ci:deployer", false),
        grant("group:system:serviceaccounts:readers", true),
    ];
    Snapshot::build(SnapshotConfig { clusters, grants, limits, ..SnapshotConfig::default() }).unwrap()
}

/// The real clocks, how far a test has put the date forward, and how much time it has let go by.
#[derive(Debug, Default)]
struct MovedTime(Mutex<Duration>, Mutex<Duration>);

#[expect(clippy::disallowed_methods, reason = "the clock of the tests")]
impl Time for MovedTime {
    fn wall(&self) -> SystemTime {
        SystemTime::now() + *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Instant {
        Instant::now() + *self.1.lock().unwrap()
    }
}

/// Everybody whose token looks like one is somebody.
#[derive(Debug, Default)]
struct People(Mutex<HashMap<String, Resolved>>);

#[async_trait]
impl Resolve for People {
    async fn resolve(&self, credential: &Credential) -> Result<Resolved, ResolveError> {
        let (Credential::ApiToken(text) | Credential::Signed(text)) = credential;
        let token = text.expose_secret().split(':').next().unwrap_or_default().to_owned();
        let Some(name) = token.strip_prefix("gwt-") else {
            return Err(ResolveError::Unauthenticated(Rejected::Unknown));
        };
        let mut known = self.0.lock().unwrap();
        Ok(known.entry(token.clone()).or_insert_with(|| person(name, &token)).clone())
    }
}

fn parts(name: &str) -> SessionParts {
    let identity = UserInfo {
        username: format!("corp:{name}"),
        uid: Some(format!("u-{name}")),
        groups: vec!["corp:dev".to_owned()],
        ..UserInfo::default()
    };
    SessionParts {
        id: format!("s-{name}"),
        user: format!("u-{name}"),
        provider: "corp".to_owned(),
        principal: format!("corp_user://{name}"),
        identity,
        subjects: vec!["corp:dev".to_owned()],
    }
}

fn person(name: &str, token: &str) -> Resolved {
    Resolved {
        session: Arc::new(Session::new(parts(name)).unwrap()),
        token: token.to_owned(),
        expires_at: MovedTime::default().wall() + TOKEN_LIFE,
        scope: Scope::default(),
    }
}

#[derive(Debug)]
struct NoManagement;

impl Management for NoManagement {
    fn call(&self, _: ManagementRequest) -> ManagementFuture {
        Box::pin(async { Response::new(Body::empty()) })
    }
}
