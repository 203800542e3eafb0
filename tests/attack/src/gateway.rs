//! The real data plane over one cluster, with Alice as the only person.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use gatewarden_proxy::{
    AuditConfig, Body, ClusterConfig, Credential, GrantConfig, Limits, ListenerConfig, Management, ManagementFuture,
    ManagementRequest, PoolSettings, Rejected, Resolve, ResolveError, Resolved, Revoked, RevokedSender, Scope, Server,
    ServerCertificate, ServerConfig, Session, SessionParts, Snapshot, SnapshotConfig, State, Time, Timeouts,
};
use http::Response;
use kube_wire::UserInfo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use secrecy::ExposeSecret;

pub(crate) const TOKEN: &str = "gwt-alice:secret";

/// A wait that only a failure reaches the end of.
pub(crate) const GUARD: Duration = Duration::from_secs(30);

pub(crate) struct Gateway {
    server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) ca_pem: String,
    _revoke: RevokedSender,
}

impl Gateway {
    pub(crate) async fn start(cluster: ClusterConfig) -> Self {
        let time: Arc<dyn Time> = Arc::new(RealTime);
        let (revoke, revoked) = Revoked::new(Arc::clone(&time));
        revoke.heartbeat();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let ca_pem = cert.pem();
        let key = signing_key.serialize_pem();
        let server = Server::start(ServerConfig {
            listener: ListenerConfig {
                address: SocketAddr::from(([127, 0, 0, 1], 0)),
                certificate: ServerCertificate::from_pem(ca_pem.as_bytes(), key.as_bytes(), time.wall()).unwrap(),
                workers: 1,
                limits: Limits::default(),
                timeouts: Timeouts::default(),
                pool: PoolSettings::default(),
            },
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot(cluster))),
            resolve: Arc::new(OnlyAlice),
            revoked,
            management: Arc::new(Silent),
            audit: AuditConfig::default(),
            time,
        });
        let server = server.unwrap();
        let gateway = Self { address: server.listener().local_addr(), server, ca_pem, _revoke: revoke };
        gateway.opened().await;
        gateway
    }

    async fn opened(&self) {
        let open = async {
            while self.server.observer().clusters().iter().any(|cluster| cluster.state != State::Open) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(GUARD, open).await.expect("the cluster opens");
    }

    pub(crate) async fn stop(self) {
        self.server.drain(Duration::from_secs(1)).await;
    }
}

fn snapshot(cluster: ClusterConfig) -> Snapshot {
    let subjects = vec!["corp:alice".to_owned()];
    let grants = vec![GrantConfig { subjects, clusters: vec!["*".to_owned()], read_only: false }];
    // One address is every attacker here; what is tested is not how many tries they have.
    let limits = gatewarden_proxy::RequestLimits {
        source_failure_rate: 100_000,
        source_failure_burst: 100_000,
        ..gatewarden_proxy::RequestLimits::default()
    };
    Snapshot::build(SnapshotConfig { clusters: vec![cluster], grants, limits, ..SnapshotConfig::default() }).unwrap()
}

#[derive(Debug)]
struct RealTime;

#[expect(clippy::disallowed_methods, reason = "the clock of the tests")]
impl Time for RealTime {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

#[derive(Debug)]
struct OnlyAlice;

#[async_trait]
impl Resolve for OnlyAlice {
    async fn resolve(&self, credential: &Credential) -> Result<Resolved, ResolveError> {
        let Credential::ApiToken(text) = credential;
        if text.expose_secret() != TOKEN {
            return Err(ResolveError::Unauthenticated(Rejected::Unknown));
        }
        let parts = SessionParts {
            id: "s-1".to_owned(),
            user: "u-alice".to_owned(),
            provider: "corp".to_owned(),
            principal: "corp_user://alice".to_owned(),
            identity: UserInfo {
                username: "corp:alice".to_owned(),
                uid: Some("u-alice".to_owned()),
                groups: vec!["corp:dev".to_owned()],
                ..UserInfo::default()
            },
            subjects: vec!["corp:alice".to_owned()],
        };
        Ok(Resolved {
            session: Arc::new(Session::new(parts).unwrap()),
            token: "gwt-alice".to_owned(),
            expires_at: RealTime.wall() + Duration::from_secs(3600),
            scope: Scope::default(),
        })
    }
}

#[derive(Debug)]
struct Silent;

impl Management for Silent {
    fn call(&self, _: ManagementRequest) -> ManagementFuture {
        Box::pin(async { Response::new(Body::empty()) })
    }
}
