//! kube-apiserver: RBAC, client certificates, service-account tokens, and an audit log of every call.

use std::process::Command;

use anyhow::Result;

use crate::cluster::Ports;
use crate::kubectl::Kubectl;
use crate::process::Process;
use crate::state::StateDir;
use crate::{packages, programs, wait};

/// Where the audit log lies in a cluster's folder.
pub(crate) const AUDIT_LOG: &str = "log/audit.log";

/// The control plane's own chatter is left out: it would bury the calls that tests look for.
const AUDIT_POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  users: ["system:apiserver", "system:kube-controller-manager"]
- level: None
  userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
- level: Metadata
"#;

/// What a test wants beyond what every API server here has.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) flags: Vec<String>,
    pub(crate) loopback_names: Vec<String>,
}

pub(crate) fn start(state: &StateDir, ports: Ports, admin: &Kubectl, asked: &Asked) -> Result<Process> {
    let policy = state.write("audit-policy.yaml", AUDIT_POLICY)?;
    let pki = |file: &str| state.path(&format!("pki/{file}")).display().to_string();
    let mut command = program(state, &asked.loopback_names)?;
    command
        .args([
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--allow-privileged",
            "--service-account-issuer=https://kubernetes.default.svc",
            // The node's other address is the machine's, where our kubelet does not listen.
            "--kubelet-preferred-address-types=Hostname",
            "--authorization-mode=Node,RBAC",
        ])
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd()))
        .arg(format!("--secure-port={}", ports.apiserver()))
        .arg(format!("--tls-cert-file={}", pki("apiserver.crt")))
        .arg(format!("--tls-private-key-file={}", pki("apiserver.key")))
        .arg(format!("--client-ca-file={}", pki("ca.crt")))
        .arg(format!("--service-account-key-file={}", pki("service-account.pub")))
        .arg(format!("--service-account-signing-key-file={}", pki("service-account.key")))
        .arg(format!("--kubelet-client-certificate={}", pki("kubelet-client.crt")))
        .arg(format!("--kubelet-client-key={}", pki("kubelet-client.key")))
        .arg(format!("--kubelet-certificate-authority={}", pki("ca.crt")))
        .arg(format!("--audit-policy-file={}", policy.display()))
        .arg(format!("--audit-log-path={}", state.path(AUDIT_LOG).display()))
        .args(&asked.flags);
    let process = Process::start(state, "kube-apiserver", command)?;
    wait::until("kube-apiserver to be ready", wait::START, || {
        process.check()?;
        Ok(admin.run(&["get", "--raw", "/readyz"])?.success().then_some(()))
    })?;
    Ok(process)
}

/// Go asks no resolver of the system, only `/etc/hosts`: so the program gets one of its own, in mounts of its own.
fn program(state: &StateDir, loopback_names: &[String]) -> Result<Command> {
    let program = programs::program("kube-apiserver")?;
    if loopback_names.is_empty() {
        return Ok(Command::new(program));
    }
    let known = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let hosts = state.write("hosts", &format!("{known}\n127.0.0.1 {}\n", loopback_names.join(" ")))?;
    let mut command = packages::command("unshare")?;
    command.args(["--mount", "--", "sh", "-c", r#"mount --bind "$0" /etc/hosts && exec "$@""#]).arg(hosts).arg(program);
    Ok(command)
}
