//! All that the data plane knows of clusters, grants and limits, as one immutable value.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderName;
use kube_wire::UserInfo;

use crate::boundary::session::{RESERVED, extra_name};
use crate::boundary::{ClusterConfig, ClusterFault, RenderFault, Session};

/// One consistent state of the configuration.
///
/// A request loads it once and sees it to its end; a reload swaps it whole, so no request ever sees half of a change.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    clusters: HashMap<String, Arc<Cluster>>,
    by_host: HashMap<String, Arc<Cluster>>,
    hosts: Vec<String>,
    grants: Vec<GrantConfig>,
    by_subject: HashMap<String, Vec<usize>>,
    limits: RequestLimits,
    whom_to_ask: String,
}

/// What a [`Snapshot`] is built from.
#[derive(Debug, Clone, Default)]
pub struct SnapshotConfig {
    /// Every cluster behind the gateway.
    pub clusters: Vec<ClusterConfig>,
    /// Who may enter which of them. Nobody may enter any without one.
    pub grants: Vec<GrantConfig>,
    /// The names that this gateway answers to; any when empty.
    pub hosts: Vec<String>,
    /// How much one user and one address may ask for.
    pub limits: RequestLimits,
    /// The text that a refused user reads, such as "Ask the platform team."
    pub whom_to_ask: String,
}

/// Lets subjects into clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantConfig {
    /// Principal ids or rendered names, such as `corp:dev`.
    pub subjects: Vec<String>,
    /// Cluster ids; `*` stands for all.
    pub clusters: Vec<String>,
    /// Only get, list, watch and reviews of oneself.
    pub read_only: bool,
}

/// How much one user and one address may ask for.
///
/// The defaults let one kubectl's discovery burst (some forty parallel requests) and a dashboard pass unnoticed.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestLimits {
    /// Requests a second of one user, over time.
    pub user_rate: u32,
    /// Requests that one user may save up for a burst.
    pub user_burst: u32,
    /// Short requests of one user at once.
    pub user_in_flight: usize,
    /// Watches, logs and terminals of one user at once.
    pub user_long_running: usize,
    /// Requests a second of one address, over time. Large offices share one.
    pub source_rate: u32,
    /// Requests that one address may save up for a burst.
    pub source_burst: u32,
    /// Refused credentials and public requests a second of one address, over time.
    pub source_failure_rate: u32,
    /// Refused credentials and public requests that one address may save up.
    pub source_failure_burst: u32,
    /// How long a cluster may take to begin its answer to a short request.
    pub response_timeout: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            user_rate: 400,
            user_burst: 2_000,
            user_in_flight: 400,
            user_long_running: 2_000,
            source_rate: 5_000,
            source_burst: 20_000,
            source_failure_rate: 10,
            source_failure_burst: 200,
            response_timeout: Duration::from_secs(60),
        }
    }
}

/// One cluster of a [`Snapshot`].
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    extra: ExtraNames,
}

/// The header names of the extra keys that we add for this cluster.
#[derive(Debug)]
pub(crate) struct ExtraNames {
    pub(crate) session_id: HeaderName,
    pub(crate) provider: HeaderName,
    pub(crate) principal: HeaderName,
    pub(crate) original_user: HeaderName,
}

impl Cluster {
    fn new(config: ClusterConfig) -> Result<Self, Vec<SnapshotFault>> {
        config.check().map_err(|faults| {
            faults.into_iter().map(|fault| SnapshotFault::Cluster(config.id.clone(), fault)).collect::<Vec<_>>()
        })?;
        let key = |name: &str| {
            extra_name(&format!("{}/{name}", config.extra_prefix))
                .map_err(|fault| vec![SnapshotFault::Extra(config.id.clone(), fault)])
        };
        let extra = ExtraNames {
            session_id: key("session-id")?,
            provider: key("provider")?,
            principal: key("principal")?,
            original_user: key("original-user")?,
        };
        Ok(Self { config, extra })
    }

    /// The cluster's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// How to reach it, and as whom.
    #[must_use]
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// Whether nobody may have this name here: the cluster may keep more to itself than every cluster does.
    pub(crate) fn reserves(&self, name: &str) -> bool {
        RESERVED.iter().any(|prefix| name.starts_with(prefix))
            || self.config.reserved.iter().any(|pattern| matches_pattern(pattern, name))
    }

    fn reserved_among<'a>(&self, identity: &'a UserInfo) -> Option<&'a str> {
        std::iter::once(&identity.username).chain(&identity.groups).find(|name| self.reserves(name)).map(String::as_str)
    }

    pub(crate) fn extra(&self) -> &ExtraNames {
        &self.extra
    }
}

/// Why a configuration makes no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotFault {
    /// One cluster's description is wrong.
    #[error("cluster {0}: {1}")]
    Cluster(String, ClusterFault),
    /// One cluster's extra prefix makes no extra key.
    #[error("cluster {0}: {1}")]
    Extra(String, RenderFault),
    /// Two clusters have one id.
    #[error("cluster {0} is described twice")]
    Duplicate(String),
    /// Two clusters have one host name.
    #[error("host {0} leads to two clusters")]
    DuplicateHost(String),
    /// A grant names a cluster that is not there.
    #[error("a grant names cluster {0:?}, which is not described")]
    UnknownCluster(String),
}

/// Why one may enter a cluster, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) read_only: bool,
}

/// All that one session's subjects may enter, worked out once per snapshot.
#[derive(Debug)]
pub(crate) struct Granted {
    generation: u64,
    everywhere: Option<Access>,
    clusters: HashMap<String, Access>,
    /// By cluster, a name of the session's that the cluster keeps to itself.
    reserved: HashMap<String, String>,
}

impl Snapshot {
    /// Builds a snapshot.
    ///
    /// ```
    /// use gatewarden_proxy::{GrantConfig, Snapshot, SnapshotConfig, SnapshotFault};
    ///
    /// let grant = GrantConfig {
    ///     subjects: vec!["corp:dev".to_owned()],
    ///     clusters: vec!["east".to_owned()],
    ///     read_only: false,
    /// };
    /// let faults = Snapshot::build(SnapshotConfig { grants: vec![grant], ..SnapshotConfig::default() }).unwrap_err();
    /// assert_eq!(faults, [SnapshotFault::UnknownCluster("east".to_owned())]);
    /// ```
    ///
    /// # Errors
    /// Every fault at once.
    pub fn build(config: SnapshotConfig) -> Result<Self, Vec<SnapshotFault>> {
        static GENERATIONS: AtomicU64 = AtomicU64::new(1);
        let mut faults = Vec::new();
        let mut clusters = HashMap::new();
        let mut by_host = HashMap::new();
        for cluster in config.clusters {
            match Cluster::new(cluster) {
                Ok(cluster) => add_cluster(Arc::new(cluster), &mut clusters, &mut by_host, &mut faults),
                Err(more) => faults.extend(more),
            }
        }
        let mut by_subject: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, grant) in config.grants.iter().enumerate() {
            let unknown = grant.clusters.iter().filter(|id| *id != "*" && !clusters.contains_key(*id));
            faults.extend(unknown.map(|id| SnapshotFault::UnknownCluster(id.clone())));
            for subject in &grant.subjects {
                by_subject.entry(subject.clone()).or_default().push(index);
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            clusters,
            by_host,
            hosts: config.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            grants: config.grants,
            by_subject,
            limits: config.limits,
            whom_to_ask: config.whom_to_ask,
        })
    }

    /// Every cluster.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.values()
    }

    /// The cluster of this id.
    #[must_use]
    pub fn cluster(&self, id: &str) -> Option<&Arc<Cluster>> {
        self.clusters.get(id)
    }

    /// The cluster that this host name, in lower case and without a port, leads to.
    #[must_use]
    pub fn cluster_of_host(&self, host: &str) -> Option<&Arc<Cluster>> {
        self.by_host.get(host)
    }

    /// The text that a refused user reads.
    #[must_use]
    pub fn whom_to_ask(&self) -> &str {
        &self.whom_to_ask
    }

    /// How much one user and one address may ask for.
    #[must_use]
    pub fn limits(&self) -> &RequestLimits {
        &self.limits
    }

    /// Whether this gateway answers to a host name.
    pub(crate) fn serves(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|ours| ours == host) || self.by_host.contains_key(host)
    }

    pub(crate) fn granted(&self, session: &Session) -> Granted {
        let mut granted = Granted {
            generation: self.generation,
            everywhere: None,
            clusters: HashMap::new(),
            reserved: HashMap::new(),
        };
        // What every cluster reserves was refused when the session was rendered.
        for cluster in self.clusters.values().filter(|cluster| !cluster.config.reserved.is_empty()) {
            let name = cluster.reserved_among(session.identity()).map(str::to_owned);
            granted.reserved.extend(name.map(|name| (cluster.id().to_owned(), name)));
        }
        let indices = session.subjects().iter().filter_map(|subject| self.by_subject.get(subject)).flatten();
        for grant in indices.filter_map(|index| self.grants.get(*index)) {
            granted.add(grant);
        }
        granted
    }

    pub(crate) fn is_current(&self, granted: &Granted) -> bool {
        granted.generation == self.generation
    }
}

impl Granted {
    /// How far the session may enter this cluster; `None` is not at all.
    pub(crate) fn on(&self, cluster: &str) -> Option<Access> {
        match (self.everywhere, self.clusters.get(cluster).copied()) {
            (Some(one), Some(other)) => Some(one.or(other)),
            (one, other) => one.or(other),
        }
    }

    /// A name of the session's that this cluster keeps to itself.
    pub(crate) fn reserved_on(&self, cluster: &str) -> Option<&str> {
        self.reserved.get(cluster).map(String::as_str)
    }

    fn add(&mut self, grant: &GrantConfig) {
        let access = Access { read_only: grant.read_only };
        for cluster in &grant.clusters {
            if cluster == "*" {
                self.everywhere = Some(self.everywhere.map_or(access, |had| had.or(access)));
            } else {
                let had = self.clusters.entry(cluster.clone()).or_insert(access);
                *had = had.or(access);
            }
        }
    }
}

impl Access {
    /// Grants add up: the wider one counts.
    fn or(self, other: Self) -> Self {
        Self { read_only: self.read_only && other.read_only }
    }
}

/// Whether a name is the pattern, or begins with it when it ends in `*`.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(name == pattern, |prefix| name.starts_with(prefix))
}

fn add_cluster(
    cluster: Arc<Cluster>,
    clusters: &mut HashMap<String, Arc<Cluster>>,
    by_host: &mut HashMap<String, Arc<Cluster>>,
    faults: &mut Vec<SnapshotFault>,
) {
    for host in &cluster.config.hosts {
        let host = host.to_ascii_lowercase();
        if by_host.insert(host.clone(), Arc::clone(&cluster)).is_some() {
            faults.push(SnapshotFault::DuplicateHost(host));
        }
    }
    let id = cluster.id().to_owned();
    if clusters.insert(id.clone(), cluster).is_some() {
        faults.push(SnapshotFault::Duplicate(id));
    }
}

#[cfg(test)]
mod tests;
