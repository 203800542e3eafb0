//! What all cases share: two clusters with a node each, a directory, a site's issuer, and a gateway in front.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result, ensure};
use e2e::{AuditLog, Kubectl, Skipped};
use kube_wire::UserInfo;
use kube_wire::audit::Event;
use tempfile::TempDir;
use testbed::{Cluster, ClusterOptions, SiteIssuer, Slapd, netns};

use crate::gate::{Gate, Plan};
use crate::issuer::CONSOLE;
use crate::people;

/// The pod that every case may look at, and none may change.
pub(crate) const POD: &str = "ticker";
/// The account by which the API servers know the gateway.
pub(crate) const IMPERSONATOR: &str = "system:serviceaccount:gatewarden:gatewarden-impersonator";
/// What a person without a grant is told.
pub(crate) const WHOM_TO_ASK: &str = "Ask the platform team.";

/// The shared servers, and one gateway in front of them.
#[derive(Debug)]
pub(crate) struct Bed {
    // In stop order: fields are dropped from top to bottom.
    bearer: OnceLock<Made>,
    gate: Option<Gate>,
    kubectls: Mutex<BTreeMap<String, Kubectl>>,
    servers: Arc<Servers>,
}

/// The other side of the bed, or why there is none.
type Made = Result<Box<Bed>, String>;

/// All behind a gateway.
#[derive(Debug)]
pub(crate) struct Servers {
    directory: Slapd,
    site: SiteIssuer,
    clusters: BTreeMap<&'static str, Cluster>,
    root: PathBuf,
    count: AtomicU32,
    opening: Mutex<()>,
    trusted: Mutex<Trusted>,
    _own: Option<TempDir>,
}

/// The issuers that each cluster trusts, as their gateways print them.
type Trusted = BTreeMap<String, Vec<String>>;

impl Deref for Bed {
    type Target = Servers;

    fn deref(&self) -> &Servers {
        &self.servers
    }
}

impl Bed {
    /// Starts everything, in the folder of the run when there is one.
    pub(crate) fn make() -> Result<Self> {
        let own = if std::env::var_os(netns::RUN_DIR).is_none() { Some(tempfile::tempdir()?) } else { None };
        let given = std::env::var_os(netns::RUN_DIR).map(PathBuf::from);
        let root = own.as_ref().map(|dir| dir.path().to_owned()).or(given).context("a folder")?;
        let (east, west, directory, site) = std::thread::scope(|scope| {
            let start = |id: &'static str| cluster(&root, id);
            let east = scope.spawn(move || start("east"));
            let west = scope.spawn(move || start("west"));
            let directory = Slapd::start(&root.join("directory"));
            let site = SiteIssuer::start(&root.join("site"));
            (east.join(), west.join(), directory, site)
        });
        let [east, west] = [east, west].map(|cluster| cluster.unwrap_or_else(|_| Err(anyhow::anyhow!("panicked"))));
        let (east, west) = (east.context("east")?, west.context("west")?);
        east.admin().apply(people::EAST)?;
        west.admin().apply(people::WEST)?;
        east.kubectl(&["apply", "-f", &manifest("impersonate-serviceaccounts.yaml")])?;
        west.kubectl(&["apply", "-f", &manifest("token-reviewer.yaml")])?;
        let servers = Servers {
            directory: directory.context("directory")?,
            site: site.context("site issuer")?,
            clusters: BTreeMap::from([("east", east), ("west", west)]),
            root,
            count: AtomicU32::new(0),
            opening: Mutex::default(),
            trusted: Mutex::default(),
            _own: own,
        };
        servers.start_pods()?;
        Self::with_gate(Arc::new(servers), &Plan::default(), |_, _| Ok(()))
    }

    fn with_gate(
        servers: Arc<Servers>,
        plan: &Plan<'_>,
        prepare: impl FnOnce(&Self, &Gate) -> Result<()>,
    ) -> Result<Self> {
        let mut bed = Self { bearer: OnceLock::new(), gate: None, kubectls: Mutex::default(), servers };
        let gate = Gate::start(&bed, plan)?;
        prepare(&bed, &gate)?;
        gate.wait_until_proven()?;
        bed.gate = Some(gate);
        Ok(bed)
    }

    /// The same servers behind a gateway whose clusters read tokens. It starts with the first case that wants it.
    pub(crate) fn bearer(&self) -> Result<&Self> {
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        self.needs_a_node()?; // and with it the right to give an API server names of its own
        // One that could not be made is not tried again by each case.
        let made = self.bearer.get_or_init(|| self.make_bearer().map(Box::new).map_err(|fault| format!("{fault:#}")));
        made.as_deref().map_err(|fault| anyhow::anyhow!("{fault}"))
    }

    fn make_bearer(&self) -> Result<Self> {
        let plan = Plan { bearer: true, ..Plan::default() };
        Self::with_gate(Arc::clone(&self.servers), &plan, |bed, gate| {
            for id in ["east", "west"] {
                // As an operator does it; the API server reads the file again by itself.
                bed.trust(id, &gate.ok(&["cluster", "authentication-config", id])?)?;
            }
            Ok(())
        })
    }

    /// The shared gateway.
    pub(crate) fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("started last, and before every case")
    }

    /// kubectl of a person at a cluster, through the shared gateway, in the namespace dev.
    pub(crate) fn kubectl(&self, person: &str, cluster: &str) -> Result<Kubectl> {
        let mut kubectls = self.kubectls.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{person} {cluster}");
        if let Some(kubectl) = kubectls.get(&key) {
            return Ok(kubectl.clone());
        }
        let kubectl = self.gate().kubectl(&self.gate().session(person)?, cluster)?;
        kubectls.insert(key, kubectl.clone());
        Ok(kubectl)
    }

    /// Whether the gateway's clusters read tokens, and know no account of the gateway's.
    pub(crate) fn by_token(&self) -> bool {
        self.gate().by_token()
    }

    /// A name of this side's own: both write into the same clusters.
    pub(crate) fn own(&self, name: &str) -> String {
        if self.by_token() { format!("{name}-by-token") } else { name.to_owned() }
    }

    /// Who asked, by a record of the cluster's own, for somebody who acted as nobody else.
    pub(crate) fn asker<'e>(&self, event: &'e Event<'static>) -> Result<&'e UserInfo> {
        if self.by_token() {
            ensure!(event.impersonated_user.is_none(), "{event:?}");
            return Ok(&event.user);
        }
        ensure!(event.user.username == IMPERSONATOR, "{event:?}");
        event.impersonated_user.as_deref().context("nobody was impersonated")
    }
}

impl Servers {
    /// kubectl of the cluster's administrator, not through a gateway.
    pub(crate) fn admin(&self, cluster: &str) -> Result<Kubectl> {
        Ok(Kubectl::new(self.cluster(cluster)?.admin().kubeconfig()).flags(&["-n", "dev"]))
    }

    /// What a cluster's API server recorded.
    pub(crate) fn audit(&self, cluster: &str) -> AuditLog {
        AuditLog::at(&self.cluster(cluster).expect("east or west").audit_log())
    }

    /// A new folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}-{}", self.count.fetch_add(1, Ordering::Relaxed)))
    }

    /// A cluster of the bed.
    pub(crate) fn cluster(&self, id: &str) -> Result<&Cluster> {
        self.clusters.get(id).with_context(|| format!("no cluster {id}"))
    }

    /// Where a cluster's API server listens.
    pub(crate) fn cluster_addr(&self, id: &str) -> SocketAddr {
        loopback(&self.cluster(id).expect("east or west").url())
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Slapd {
        &self.directory
    }

    /// The site's issuer.
    pub(crate) fn site(&self) -> &SiteIssuer {
        &self.site
    }

    /// Adds a person to the site's issuer, for one case alone.
    pub(crate) fn new_person_of_the_site(&self, name: &str, groups: &[&str]) -> Result<String> {
        let login = format!("{name}{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.site.add(&login, &people::password(&login), groups)?;
        Ok(login)
    }

    /// Where the directory listens for LDAPS.
    pub(crate) fn directory_addr(&self) -> SocketAddr {
        loopback(&self.directory.ldaps_url())
    }

    /// Adds a person to the directory, for one case alone.
    pub(crate) fn new_person(&self, name: &str, groups: &[&str]) -> Result<String> {
        let uid = format!("{name}{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.add_person(&uid, groups)?;
        Ok(uid)
    }

    /// Adds a person under a given name.
    pub(crate) fn add_person(&self, uid: &str, groups: &[&str]) -> Result<()> {
        let mut ldif = format!(
            "dn: uid={uid},ou=people,{base}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
             userPassword: {}\n",
            people::password(uid),
            base = Slapd::BASE
        );
        for group in groups {
            write!(ldif, "\n{}", membership("add", uid, group))?;
        }
        self.directory.modify(&ldif)
    }

    /// Takes a person out of the directory.
    pub(crate) fn remove_person(&self, uid: &str) -> Result<()> {
        self.directory.modify(&format!("dn: uid={uid},ou=people,{}\nchangetype: delete\n", Slapd::BASE))
    }

    /// Puts a person into a group.
    pub(crate) fn join_group(&self, person: &str, group: &str) -> Result<()> {
        self.directory.modify(&membership("add", person, group))
    }

    /// Takes a person out of a group.
    pub(crate) fn leave_group(&self, person: &str, group: &str) -> Result<()> {
        self.directory.modify(&membership("delete", person, group))
    }

    /// Skips a case that talks to a running pod where none can run.
    pub(crate) fn needs_a_node(&self) -> Result<()> {
        testbed::nodes_unsupported().map_or(Ok(()), |reason| Err(Skipped(format!("no pod can run: {reason}")).into()))
    }

    /// Says whose tokens a cluster's API server reads: an issuer's entry as the gateway prints it, beside the others'.
    pub(crate) fn trust(&self, id: &str, config: &str) -> Result<()> {
        self.change_trust(id, config, true)
    }

    /// Takes an issuer back. An API server reads no new file while one of the issuers in it does not answer.
    pub(crate) fn distrust(&self, id: &str, config: &str) -> Result<()> {
        self.change_trust(id, config, false)
    }

    fn change_trust(&self, id: &str, config: &str, stays: bool) -> Result<()> {
        let (_, entry) = config.split_once("jwt:\n").context("no issuer in it")?;
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        let issuer = |entry: &str| entry.lines().find(|line| line.contains(" url:")).map(str::to_owned);
        let others = trusted.entry(id.to_owned()).or_default();
        others.retain(|other| issuer(other) != issuer(entry));
        others.extend(stays.then(|| entry.to_owned()));
        let list = if others.is_empty() { " []".to_owned() } else { format!("\n{}", others.concat()) };
        let file = self.root.join(format!("{id}-authentication.yaml"));
        let next = file.with_extension("next");
        std::fs::write(&next, TRUSTS_NOBODY.replace(" []", &list))?;
        Ok(std::fs::rename(next, file)?)
    }

    fn start_pods(&self) -> Result<()> {
        for cluster in self.clusters.values() {
            cluster.admin().apply(&people::pod(POD))?;
        }
        if testbed::nodes_unsupported().is_some() {
            return Ok(());
        }
        for cluster in self.clusters.values() {
            let pod = format!("pod/{POD}");
            cluster.kubectl(&["-n", "dev", "wait", "--for=condition=Ready", &pod, "--timeout=120s"])?;
        }
        Ok(())
    }
}

/// Nobody's tokens, until a case says whose.
const TRUSTS_NOBODY: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: []\n";

fn cluster(root: &Path, id: &str) -> Result<Cluster> {
    let mut options = ClusterOptions::default();
    // Whoever may run a node may also give an API server names of its own.
    if testbed::nodes_unsupported().is_none() {
        let trust = root.join(format!("{id}-authentication.yaml"));
        std::fs::write(&trust, TRUSTS_NOBODY)?;
        options.node = true;
        options.apiserver_flags = vec![format!("--authentication-config={}", trust.display())];
        options.loopback_names = vec![CONSOLE.to_owned()];
    }
    let cluster = Cluster::start(&root.join(id), options)?;
    for name in ["constrained.yaml", "reviewer.yaml", "reviewer-flowschema.yaml"] {
        let applied = cluster.kubectl(&["apply", "-f", &manifest(name)])?;
        ensure!(applied.contains("created"), "{applied}");
    }
    for account in ["impersonator", "reviewer"] {
        let token = cluster.dir().join(format!("{account}.token"));
        cluster.service_account_token("gatewarden", &format!("gatewarden-{account}"), &token)?;
    }
    Ok(cluster)
}

/// What an operator applies to a cluster.
fn manifest(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rbac").join(name).to_string_lossy().into_owned()
}

fn membership(change: &str, person: &str, group: &str) -> String {
    let base = Slapd::BASE;
    format!(
        "dn: cn={group},ou=groups,{base}\nchangetype: modify\n{change}: member\nmember: uid={person},ou=people,{base}\n"
    )
}

fn loopback(url: &str) -> SocketAddr {
    let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a URL with a port");
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
