//! A whole Kubernetes cluster: etcd, API server, controller manager and, if asked, one node with real pods.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::kubectl::Kubectl;
use crate::node::Node;
use crate::pki::{Ca, Leaf};
use crate::process::Process;
use crate::state::{StateDir, write_private};
use crate::{apiserver, controller_manager, etcd, node, ports, reaper, wait};

/// What a cluster should have.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// Start containerd and a kubelet, so that pods run. Needs root, see [`crate::nodes_unsupported`].
    pub node: bool,
    /// The first of [`ports::BLOCK`] ports; free ones when not given.
    pub base_port: Option<u16>,
    /// More flags for kube-apiserver.
    pub apiserver_flags: Vec<String>,
    /// Names that are this machine to kube-apiserver, as if DNS said so. Needs root.
    pub loopback_names: Vec<String>,
}

/// A running cluster. Stops when dropped, unless it was detached.
#[derive(Debug)]
pub struct Cluster {
    state: StateDir,
    ports: Ports,
    ca: Ca,
    admin: Kubectl,
    asked: apiserver::Asked,
    // In stop order: fields are dropped from top to bottom.
    node: Option<Node>,
    controller_manager: Option<Process>,
    apiserver: Option<Process>,
    etcd: Option<Process>,
}

/// The ports of one cluster, counted from a base.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports(u16);

impl Cluster {
    /// Starts a cluster in `dir`, which keeps its keys, data and logs.
    ///
    /// # Errors
    /// When a program is not fetched yet or ends early; the error shows its last lines.
    pub fn start(dir: &Path, options: ClusterOptions) -> Result<Self> {
        let state = StateDir::create(dir)?;
        let base = options.base_port.map_or_else(ports::block, Ok)?;
        state.write("base-port", &base.to_string())?;
        let asked = apiserver::Asked { flags: options.apiserver_flags, loopback_names: options.loopback_names };
        let mut cluster = Self::with_keys(state, Ports(base), asked)?;
        cluster.etcd = Some(etcd::start(&cluster.state, cluster.ports)?);
        cluster.start_apiserver()?;
        cluster.bind_kubelet_client()?;
        cluster.controller_manager = Some(controller_manager::start(&cluster.state, &cluster.admin)?);
        if options.node {
            cluster.node = Some(node::start(&cluster.state, cluster.ports, &cluster.admin)?);
        }
        Ok(cluster)
    }

    /// A handle on a cluster that another process left running in `dir`; dropping it stops nothing.
    ///
    /// # Errors
    /// When no API server runs there.
    pub fn attach(dir: &Path) -> Result<Self> {
        let state = StateDir::open(dir)?;
        let base = fs::read_to_string(state.path("base-port"))?.trim().parse()?;
        let mut cluster = Self::with_keys(state, Ports(base), apiserver::Asked::default())?;
        let apiserver = Process::find(&cluster.state, "kube-apiserver");
        cluster.apiserver = Some(apiserver.with_context(|| format!("no cluster runs in {}", dir.display()))?);
        Ok(cluster)
    }

    /// Leaves it running when this value goes; [`crate::down()`] stops it.
    pub fn detach(mut self) {
        reaper::forget(self.state.root());
        if let Some(node) = &mut self.node {
            node.detach();
        }
        let processes = [&mut self.controller_manager, &mut self.apiserver, &mut self.etcd];
        processes.into_iter().flatten().for_each(Process::detach);
    }

    /// `https://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.apiserver())
    }

    /// The file with the CA of the API server's certificate; it signs client certificates too.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.certificate()
    }

    /// The cluster's folder.
    pub fn dir(&self) -> &Path {
        self.state.root()
    }

    /// kubectl as cluster administrator.
    pub fn admin(&self) -> &Kubectl {
        &self.admin
    }

    /// Runs kubectl as cluster administrator and expects success.
    ///
    /// # Errors
    /// When it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.admin.ok(arguments)
    }

    /// A client certificate by which the API server knows `user`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn client_certificate(&self, user: &str, group: Option<&str>) -> Result<Leaf> {
        self.ca.client(&format!("client-{}", file_name(user)), user, group)
    }

    /// kubectl as `user`, straight to the API server.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn kubectl_as(&self, user: &str, group: Option<&str>) -> Result<Kubectl> {
        let leaf = self.client_certificate(user, group)?;
        self.kubeconfig(&file_name(user), user, &leaf)
    }

    /// A token of a service account, written to `file` (mode 0600).
    ///
    /// # Errors
    /// When the account does not exist or the file cannot be written.
    pub fn service_account_token(&self, namespace: &str, account: &str, file: &Path) -> Result<()> {
        let token = self.kubectl(&["-n", namespace, "create", "token", account, "--duration=24h"])?;
        write_private(file, token.trim())
    }

    /// Where the API server writes one `audit.k8s.io/v1` event a line.
    pub fn audit_log(&self) -> PathBuf {
        self.state.path(apiserver::AUDIT_LOG)
    }

    /// All audit events so far. A line still being written is left for the next look.
    ///
    /// # Errors
    /// When the log cannot be read or a line is no JSON.
    pub fn audit_events(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.audit_log())?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Waits for an audit event and returns the first that fits.
    ///
    /// # Errors
    /// When none came within 30 s.
    pub fn await_audit(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        wait::until(&format!("audit event: {what}"), Duration::from_secs(30), || {
            Ok(self.audit_events()?.into_iter().find(&fits))
        })
    }

    /// The process of the API server, while it runs.
    pub fn apiserver_pid(&self) -> Option<u32> {
        self.apiserver.as_ref().map(Process::pid)
    }

    /// Stops the API server alone: a cluster that is down.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop_apiserver(&mut self) -> Result<()> {
        self.apiserver.take().map_or(Ok(()), |mut process| process.stop(Duration::from_secs(20)))
    }

    /// Starts the API server again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start_apiserver(&mut self) -> Result<()> {
        self.apiserver = Some(apiserver::start(&self.state, self.ports, &self.admin, &self.asked)?);
        Ok(())
    }

    fn with_keys(state: StateDir, ports: Ports, asked: apiserver::Asked) -> Result<Self> {
        let ca = Ca::open(&state.path("pki"))?;
        let admin = Kubectl::new(state.path("kubeconfig/admin"));
        let cluster =
            Self { state, ports, ca, admin, asked, node: None, controller_manager: None, apiserver: None, etcd: None };
        if !cluster.admin.kubeconfig().exists() {
            cluster.write_keys()?;
        }
        Ok(cluster)
    }

    fn write_keys(&self) -> Result<()> {
        let names = ["localhost", "kubernetes", "kubernetes.default.svc", "127.0.0.1", "10.0.0.1"];
        self.ca.server("apiserver", &names)?;
        self.ca.key_pair("service-account")?;
        self.ca.client("kubelet-client", KUBELET_CLIENT, None)?;
        let node = self.ca.node("node", node::NAME)?;
        self.kubeconfig("node", node::NAME, &node)?;
        let manager = self.ca.client("controller-manager", "system:kube-controller-manager", None)?;
        self.kubeconfig("controller-manager", "controller-manager", &manager)?;
        let admin = self.ca.client("admin", "admin", Some("system:masters"))?;
        self.kubeconfig("admin", "admin", &admin)?;
        Ok(())
    }

    fn kubeconfig(&self, file: &str, user: &str, leaf: &Leaf) -> Result<Kubectl> {
        let config = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "testbed",
            "clusters": [{"name": "testbed", "cluster": {"server": self.url(), "certificate-authority": self.ca_file()}}],
            "users": [{"name": user, "user": {"client-certificate": leaf.certificate, "client-key": leaf.key}}],
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
        });
        let path = self.state.write(&format!("kubeconfig/{file}"), &config.to_string())?;
        Ok(Kubectl::new(path))
    }

    /// Towards kubelets the API server is an ordinary user, who may nothing before it is bound.
    fn bind_kubelet_client(&self) -> Result<()> {
        self.admin.apply(&format!(
            r#"{{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {{"name": "testbed-kubelet-client"}},
                "roleRef": {{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:kubelet-api-admin"}},
                "subjects": [{{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "{KUBELET_CLIENT}"}}]}}"#
        ))?;
        Ok(())
    }
}

const KUBELET_CLIENT: &str = "kube-apiserver-kubelet-client";

impl Ports {
    pub(crate) fn etcd(self) -> u16 {
        self.0
    }

    pub(crate) fn etcd_peer(self) -> u16 {
        self.0 + 1
    }

    pub(crate) fn apiserver(self) -> u16 {
        self.0 + 2
    }

    pub(crate) fn kubelet(self) -> u16 {
        self.0 + 3
    }

    pub(crate) fn kubelet_health(self) -> u16 {
        self.0 + 4
    }

    pub(crate) fn container_streams(self) -> u16 {
        self.0 + 5
    }

    /// A number that no other cluster on this machine has: ports are unique here.
    pub(crate) fn number(self) -> u16 {
        self.0 / ports::BLOCK
    }
}

/// User names hold colons and slashes; files had better not.
fn file_name(user: &str) -> String {
    user.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
