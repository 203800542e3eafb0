//! One node with real pods: containerd, a kubelet, and an image made of this machine's busybox.

mod containerd;
mod image;
mod kubelet;
mod traces;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::cluster::Ports;
use crate::kubectl::Kubectl;
use crate::packages;
use crate::process::Process;
use crate::state::StateDir;

pub(crate) use traces::clear;

/// The node's name. It is resolved on the API server's side, so it has to lead to loopback.
pub(crate) const NAME: &str = "localhost";

/// A running node. Leaves no pod, mount, bridge or control group behind when dropped.
#[derive(Debug)]
pub(crate) struct Node {
    state: StateDir,
    kubelet: Process,
    containerd: Process,
    owned: bool,
}

/// Why no node can run here, in the operator's words; none when one can.
pub fn unsupported() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("pods need root: the kubelet mounts and makes control groups".into());
    }
    let missing = packages::missing();
    let apart = |name: &str| {
        name.contains("samba") || matches!(name, "slapd" | "ldap-utils" | "curl" | "winbind" | "ldb-tools")
    };
    let needed: Vec<_> = missing.into_iter().filter(|name| !apart(name)).collect();
    (!needed.is_empty()).then(|| format!("pods need {}: run `testbed fetch`", needed.join(", ")))
}

pub(crate) fn start(state: &StateDir, ports: Ports, admin: &Kubectl) -> Result<Node> {
    if let Some(reason) = unsupported() {
        ensure!(false, "{reason}");
    }
    let containerd = containerd::start(state, ports)?;
    containerd::import_image(state)?;
    let kubelet = kubelet::start(state, ports, admin)?;
    Ok(Node { state: state.clone(), kubelet, containerd, owned: true })
}

/// Asks the API server to delete all pods, while a kubelet is there to take down their networks.
pub(crate) fn remove_pods(state: &StateDir) {
    let running = |name| Process::find(state, name).is_some();
    if running("kubelet") && running("kube-apiserver") {
        let admin = Kubectl::new(state.path("kubeconfig/admin"));
        let delete = ["delete", "pods", "--all", "--all-namespaces", "--grace-period=1", "--timeout=20s"];
        let _ = admin.run(&delete); // what stays is cleared the hard way
    }
}

impl Node {
    pub(crate) fn detach(&mut self) {
        self.owned = false;
        self.kubelet.detach();
        self.containerd.detach();
    }

    fn stop(&mut self) -> Result<()> {
        remove_pods(&self.state);
        self.kubelet.stop(Duration::from_secs(10))?;
        self.containerd.stop(Duration::from_secs(10))?;
        clear(&self.state)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.owned {
            let _ = self.stop(); // the reaper tries once more
        }
    }
}
