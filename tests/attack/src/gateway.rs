//! The real data plane over one cluster, with Alice as the only person.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use auth_core::{Mapping, MappingConfig, Principal};
use gatewarden_proxy::{
    AuditConfig, Body, ClusterConfig, Credential, GrantConfig, Limits, ListenerConfig, Management, ManagementFuture,
    ManagementRequest, PoolSettings, Rejected, Resolve, ResolveError, Resolved, Revoked, RevokedSender, Scope, Server,
    ServerCertificate, ServerConfig, Session, SessionParts, Snapshot, SnapshotConfig, State, Time, Timeouts,
};
use http::Response;
use kube_wire::UserInfo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use secrecy::ExposeSecret;

use crate::case::{Person, Stimulus};
use crate::cases;

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
            resolve: Arc::new(People),
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
struct People;

#[async_trait]
impl Resolve for People {
    async fn resolve(&self, credential: &Credential) -> Result<Resolved, ResolveError> {
        let (Credential::ApiToken(text) | Credential::Signed(text)) = credential;
        let unknown = || ResolveError::Unauthenticated(Rejected::Unknown);
        let parts = match text.expose_secret() {
            TOKEN => alice(),
            other => {
                let at = other.strip_prefix("gwt-case").and_then(|rest| rest.strip_suffix(":secret"));
                let at: usize = at.and_then(|at| at.parse().ok()).ok_or_else(unknown)?;
                match cases::all().get(at).map(|case| case.stimulus) {
                    Some(Stimulus::Person(person)) => mapped(person).ok_or_else(unknown)?,
                    _ => return Err(unknown()),
                }
            }
        };
        let token = format!("gwt-{}", parts.id);
        Ok(Resolved {
            // Whom the data plane cannot send to a cluster unchanged has no session.
            session: Arc::new(Session::new(parts).map_err(|_| unknown())?),
            token,
            expires_at: RealTime.wall() + Duration::from_secs(3600),
            scope: Scope::default(),
        })
    }
}

/// The token of the person of the case at this place of the table.
pub(crate) fn token(at: usize) -> String {
    format!("gwt-case{at}:secret")
}

fn alice() -> SessionParts {
    SessionParts {
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
    }
}

/// The session of somebody whom a provider knows, as the provider's mapping makes it; none where it refuses.
fn mapped(person: &Person) -> Option<SessionParts> {
    let config: MappingConfig = serde_json::from_str(person.mapping).unwrap();
    let mapping = Mapping::compile(config, &"corp".parse().unwrap()).unwrap();
    let user = Principal::new("corp_user://42".parse().unwrap(), person.login).with_login(person.login);
    let groups: Vec<Principal> =
        person.groups.iter().map(|name| Principal::new("corp_group://7".parse().unwrap(), *name)).collect();
    let extra = person.extra.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect();
    let identity = mapping.map("u-ann", &user, &groups, &extra).ok()?;
    Some(SessionParts {
        id: "s-2".to_owned(),
        user: "u-ann".to_owned(),
        provider: "corp".to_owned(),
        principal: "corp_user://42".to_owned(),
        identity: UserInfo {
            groups: identity.group_names().map(str::to_owned).collect(),
            username: identity.username,
            uid: Some(identity.uid),
            extra: identity.extra,
        },
        subjects: vec!["corp:alice".to_owned()],
    })
}

#[derive(Debug)]
struct Silent;

impl Management for Silent {
    fn call(&self, _: ManagementRequest) -> ManagementFuture {
        Box::pin(async { Response::new(Body::empty()) })
    }
}
