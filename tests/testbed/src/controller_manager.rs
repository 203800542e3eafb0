//! kube-controller-manager: service accounts, aggregated roles, namespace deletion, garbage collection.

use std::process::Command;

use anyhow::Result;

use crate::kubectl::Kubectl;
use crate::process::Process;
use crate::state::StateDir;
use crate::{programs, wait};

pub(crate) fn start(state: &StateDir, admin: &Kubectl) -> Result<Process> {
    let mut command = Command::new(programs::program("kube-controller-manager")?);
    command
        .args(["--leader-elect=false", "--secure-port=0", "--use-service-account-credentials", "--controllers=*"])
        // It makes its own service accounts first, which takes five seconds at the default rate.
        .args(["--kube-api-qps=300", "--kube-api-burst=600"])
        .arg(format!("--kubeconfig={}", state.path("kubeconfig/controller-manager").display()))
        .arg(format!("--service-account-private-key-file={}", state.path("pki/service-account.key").display()))
        .arg(format!("--root-ca-file={}", state.path("pki/ca.crt").display()));
    let process = Process::start(state, "kube-controller-manager", command)?;
    wait::until("kube-controller-manager to make the default service account", wait::START, || {
        process.check()?;
        Ok(admin.run(&["-n", "default", "get", "serviceaccount", "default"])?.success().then_some(()))
    })?;
    Ok(process)
}
