//! etcd: one member, on loopback, without fsync: its data lives as long as a test.

use std::process::Command;

use anyhow::{Context, Result};

use crate::cluster::Ports;
use crate::process::Process;
use crate::state::StateDir;
use crate::{http, programs, wait};

pub(crate) fn start(state: &StateDir, ports: Ports) -> Result<Process> {
    let client = format!("http://127.0.0.1:{}", ports.etcd());
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer());
    let mut command = Command::new(programs::program("etcd")?);
    command
        .arg("--data-dir")
        .arg(state.path("etcd"))
        .args(["--unsafe-no-fsync", "--log-level=warn"])
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("default={peer}")]);
    let process = Process::start(state, "etcd", command)?;
    // An API server that meets no etcd waits out a retry of several seconds.
    wait::until("etcd to be healthy", wait::START, || {
        process.check()?;
        Ok(http::get(&format!("{client}/health")).is_ok_and(|response| response.status == 200).then_some(()))
    })
    .context("start etcd")?;
    Ok(process)
}
