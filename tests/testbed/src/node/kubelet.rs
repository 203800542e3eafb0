//! The kubelet, told to touch nothing outside our folder.

use std::fs::{self, File};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::cluster::Ports;
use crate::kubectl::Kubectl;
use crate::process::Process;
use crate::state::StateDir;
use crate::{programs, wait};

use super::{NAME, containerd};

pub(super) fn start(state: &StateDir, ports: Ports, admin: &Kubectl) -> Result<Process> {
    let config = state.write("kubelet.json", &config(state, ports))?;
    let mut command = Command::new(programs::program("kubelet")?);
    command
        .arg(format!("--hostname-override={NAME}"))
        .arg(format!("--config={}", config.display()))
        .arg(format!("--kubeconfig={}", state.path("kubeconfig/node").display()))
        .arg(format!("--root-dir={}", state.path("kubelet").display()))
        .arg(format!("--cert-dir={}", state.path("kubelet/pki").display()));
    let _turn = turn()?;
    let process = Process::start(state, "kubelet", command)?;
    let ready = ["get", "node", NAME, "-o", r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#];
    wait::until("the node to be ready", wait::START, || {
        process.check()?;
        Ok((admin.run(&ready)?.stdout.trim() == "True").then_some(()))
    })?;
    Ok(process)
}

/// Held while a kubelet starts. All kubelets of a machine listen for device plugins at one path, which no setting moves:
/// each removes the socket of the one before and binds its own, and ends when another did so in between.
fn turn() -> Result<File> {
    fs::create_dir_all(programs::cache())?;
    let lock = File::create(programs::cache().join("kubelet-start.lock"))?;
    lock.lock().context("wait for another kubelet to start")?;
    Ok(lock)
}

fn config(state: &StateDir, ports: Ports) -> String {
    let path = |part: &str| state.path(part).display().to_string();
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": ports.kubelet(),
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": ports.kubelet_health(),
        "containerRuntimeEndpoint": format!("unix://{}", containerd::socket(state)),
        "tlsCertFile": path("pki/node.crt"),
        "tlsPrivateKeyFile": path("pki/node.key"),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": path("pki/ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "podLogsDir": path("podlogs"),
        "volumePluginDir": path("kubelet/volumeplugins"),
        "cgroupDriver": "cgroupfs",
        // It refuses to start on a machine of the older kind unless told that we know.
        "failCgroupV1": false,
        // These two leave no `kubepods` groups at the root of every controller.
        "cgroupsPerQOS": false,
        "enforceNodeAllocatable": [],
        // Otherwise it writes chains into iptables and leaves them there.
        "makeIPTablesUtilChains": false,
        "failSwapOn": false,
        "oomScoreAdj": 0,
        // A full disk of the developer's must not evict the test's pod.
        "evictionHard": {
            "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%", "memory.available": "1Mi",
        },
        "imageGCHighThresholdPercent": 100,
    })
    .to_string()
}
