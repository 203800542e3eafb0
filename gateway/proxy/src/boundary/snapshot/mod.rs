//! All that the data plane knows of clusters, grants and limits, as one immutable value.

mod cluster;
mod grants;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::boundary::{ClusterConfig, ClusterFault, Reasons, RenderFault, RequestLimits, Session};

pub use cluster::Cluster;
pub(crate) use cluster::ExtraNames;
pub(crate) use grants::Access;
use grants::{Entries, Grants};
pub use grants::{GrantConfig, GrantMatch};

/// One consistent state of the configuration.
///
/// A reload swaps it whole, so no request ever sees half of a change. A request loads it once and sees it to its end,
/// except that who may enter is asked of what is in force at that moment: nothing is let in by what is gone.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    clusters: HashMap<String, Arc<Cluster>>,
    by_host: HashMap<String, Arc<Cluster>>,
    hosts: Vec<String>,
    console: Option<String>,
    grants: Grants,
    administrators: HashSet<String>,
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
    /// Who may look after other people's sessions: subjects, as grants name them.
    pub administrators: Vec<String>,
    /// The names that this gateway answers to; any when empty.
    pub hosts: Vec<String>,
    /// The name of the issuer and its pages, which is nothing else's.
    pub console: Option<String>,
    /// How much one user and one address may ask for.
    pub limits: RequestLimits,
    /// The text that a refused user reads, such as "Ask the platform team."
    pub whom_to_ask: String,
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
        let grants = Grants::new(config.grants);
        let unknown = grants.clusters().filter(|id| !clusters.contains_key(*id));
        faults.extend(unknown.map(|id| SnapshotFault::UnknownCluster(id.clone())));
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            clusters,
            by_host,
            hosts: config.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            console: config.console.map(|host| host.to_ascii_lowercase()),
            grants,
            administrators: config.administrators.into_iter().collect(),
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

    /// Whether a host name is the one of the issuer and its pages.
    #[must_use]
    pub fn is_console(&self, host: &str) -> bool {
        self.console.as_deref() == Some(host)
    }

    /// Whether this gateway answers to a host name.
    pub(crate) fn serves(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|ours| ours == host) || self.by_host.contains_key(host)
    }

    /// Works out where a session may go.
    pub(crate) fn granted(&self, session: &Session) -> Granted {
        let entries = self.grants.of(session.subjects());
        let entries = match session.home() {
            None => entries,
            Some(home) if home.stands_in(self) => entries.only(&home.cluster),
            Some(_) => Entries::default(),
        };
        // What every cluster reserves was refused when the session was rendered.
        let keeping = self.clusters.values().filter(|cluster| !cluster.config().reserved.is_empty());
        let kept = |cluster: &Arc<Cluster>| {
            let name = cluster.reserved_among(session)?;
            Some((cluster.id().to_owned(), name.to_owned()))
        };
        Granted { generation: self.generation, entries, reserved: keeping.filter_map(kept).collect() }
    }

    /// The grants that name a session, each with the subject that it names.
    #[must_use]
    pub fn grants_naming(&self, session: &Session) -> Vec<GrantMatch> {
        let matching = self.grants.naming(session.subjects());
        let told = matching.map(|(place, subject, grant)| GrantMatch {
            place,
            subject: subject.clone(),
            clusters: grant.clusters.clone(),
            read_only: grant.read_only,
        });
        told.collect()
    }

    /// The clusters that a session may enter, and whether only to read.
    #[must_use]
    pub fn open_to(&self, session: &Session) -> BTreeMap<String, bool> {
        let granted = self.granted(session);
        let open = self.clusters.keys().filter(|id| granted.reserved_on(id).is_none());
        open.filter_map(|id| Some((id.clone(), granted.on(id)?.read_only))).collect()
    }

    /// Whether a session is one of an administrator of the gateway.
    #[must_use]
    pub fn is_administrator(&self, session: &Session) -> bool {
        session.subjects().iter().any(|subject| self.administrators.contains(subject))
    }

    /// Why a session may enter the clusters that are open to it.
    #[must_use]
    pub fn reasons(&self, session: &Session) -> Reasons {
        let naming = self.grants_naming(session);
        let opens = |grant: &GrantMatch, id: &str| grant.clusters.iter().any(|named| named == id || named == "*");
        let mut why = Reasons {
            subjects: session.subjects().to_vec(),
            hosts: self.hosts.clone(),
            whom_to_ask: self.whom_to_ask.clone(),
            ..Reasons::default()
        };
        for id in self.open_to(session).into_keys() {
            let named: BTreeSet<&String> =
                naming.iter().filter(|grant| opens(grant, &id)).map(|grant| &grant.subject).collect();
            let named: Vec<String> = named.into_iter().cloned().collect();
            if self.cluster(&id).is_some_and(|cluster| cluster.config().carrier.mint().is_some()) {
                why.by_token.insert(id.clone());
            }
            why.cluster_hosts.insert(id.clone(), self.hosts_of(&id));
            why.granted_to.insert(id, named);
        }
        why
    }

    /// The host names that lead to one cluster, in order.
    fn hosts_of(&self, id: &str) -> Vec<String> {
        let leading = self.by_host.iter().filter(|(_, cluster)| cluster.config().id == id);
        leading.map(|(host, _)| host.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A host name that this gateway answers to.
    pub(crate) fn a_host(&self) -> &str {
        self.hosts.first().map_or("localhost", String::as_str)
    }

    /// Whether a session may enter some cluster less than by an older snapshot: not at all, or only to read.
    pub(crate) fn narrows(&self, old: &Self, session: &Session) -> bool {
        let (had, has) = (old.granted(session), self.granted(session));
        let open = |snapshot: &Self, granted: &Granted, id: &str| {
            let access = granted.on(id).filter(|_| snapshot.clusters.contains_key(id));
            access.filter(|_| granted.reserved_on(id).is_none())
        };
        old.clusters.keys().any(|id| match (open(old, &had, id), open(self, &has, id)) {
            (Some(had), Some(has)) => has.read_only && !had.read_only,
            (had, None) => had.is_some(),
            (None, Some(_)) => false,
        })
    }

    /// Whether it was worked out from this snapshot.
    pub(crate) fn is_current(&self, granted: &Granted) -> bool {
        granted.generation == self.generation
    }
}

/// Where one session may go, worked out once per snapshot.
#[derive(Debug)]
pub(crate) struct Granted {
    generation: u64,
    entries: Entries,
    /// By cluster, a name of the session's that the cluster keeps to itself.
    reserved: HashMap<String, String>,
}

impl Granted {
    /// How far the session may enter this cluster; `None` is not at all.
    pub(crate) fn on(&self, cluster: &str) -> Option<Access> {
        self.entries.on(cluster)
    }

    /// A name of the session's that this cluster keeps to itself.
    pub(crate) fn reserved_on(&self, cluster: &str) -> Option<&str> {
        self.reserved.get(cluster).map(String::as_str)
    }
}

fn add_cluster(
    cluster: Arc<Cluster>,
    clusters: &mut HashMap<String, Arc<Cluster>>,
    by_host: &mut HashMap<String, Arc<Cluster>>,
    faults: &mut Vec<SnapshotFault>,
) {
    for host in &cluster.config().hosts {
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
