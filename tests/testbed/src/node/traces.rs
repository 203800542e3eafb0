//! What a node leaves on a machine, and how it is cleared when nobody deleted the pods in order.
//!
//! Everything is found from our folder: no other container on the machine is looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::state::StateDir;
use crate::{packages, wait};

use super::containerd::{BRIDGE_FILE, socket};

/// Where runc puts the control groups of containerd's Kubernetes containers, below each hierarchy.
const GROUP: &str = "k8s.io";

/// One container that the runtime still knows.
struct Container {
    id: String,
    network: Option<PathBuf>,
}

/// Removes pods, shims, mounts, networks and control groups of the node in this folder.
///
/// # Errors
/// When a process survives or a mount cannot be undone.
pub(crate) fn clear(state: &StateDir) -> Result<()> {
    if !state.path("ctr").is_dir() {
        return Ok(());
    }
    let containers = containers(state);
    for container in &containers {
        kill_all(&group_members(&container.id))?;
    }
    kill_all(&shims(state))?;
    unmount_below(state.root());
    for container in &containers {
        remove_network(container);
    }
    remove_groups(&containers);
    remove_log_links(state.root());
    if let Ok(bridge) = fs::read_to_string(state.path(BRIDGE_FILE)) {
        run("ip", &["link", "delete", &bridge]);
    }
    Ok(())
}

/// The runtime keeps one folder for each running container, with its specification.
fn containers(state: &StateDir) -> Vec<Container> {
    let tasks = state.path("ctr/state/io.containerd.runtime.v2.task").join(GROUP);
    let Ok(entries) = fs::read_dir(tasks) else { return Vec::new() };
    let container = |dir: PathBuf| {
        let spec = fs::read_to_string(dir.join("config.json")).unwrap_or_default();
        let spec: Value = serde_json::from_str(&spec).unwrap_or_default();
        let spaces = spec.pointer("/linux/namespaces").and_then(Value::as_array);
        let network =
            spaces.into_iter().flatten().find(|space| space.get("type").is_some_and(|kind| kind == "network"));
        let network = network.and_then(|space| space.get("path")?.as_str()).map(PathBuf::from);
        // A named one is ours; `/proc/<pid>/ns/net` belongs to the pod's sandbox, which is listed too.
        let network = network.filter(|path| path.starts_with("/run/netns") || path.starts_with("/var/run/netns"));
        let id = dir.file_name()?.to_str()?.to_owned();
        Some(Container { id, network })
    };
    entries.flatten().filter_map(|entry| container(entry.path())).collect()
}

/// The folders of all hierarchies: one each on older machines, one in all on newer ones.
fn groups(child: &str) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let nested = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = nested.chain([root.to_owned()]).map(|base| base.join(GROUP).join(child));
    all.filter(|path| path.is_dir()).collect()
}

fn group_members(id: &str) -> Vec<i32> {
    let lists = groups(id).into_iter().filter_map(|dir| fs::read_to_string(dir.join("cgroup.procs")).ok());
    lists.flat_map(|list| list.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Shims outlive containerd; ours carry our socket's name.
fn shims(state: &StateDir) -> Vec<i32> {
    let socket = socket(state);
    let ours = |pid: &i32| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split('\0');
        words.next().is_some_and(|program| program.contains("containerd-shim")) && words.any(|word| word == socket)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect()
}

fn kill_all(pids: &[i32]) -> Result<()> {
    for pid in pids.iter().filter_map(|&pid| Pid::from_raw(pid)) {
        let _ = kill_process(pid, Signal::KILL); // gone meanwhile: that is what we wanted
    }
    for pid in pids {
        let status = format!("/proc/{pid}/status");
        let gone = || fs::read_to_string(&status).map_or(true, |text| text.contains("State:\tZ"));
        wait::until_true(&format!("pid {pid} to end"), Duration::from_secs(10), gone)?;
    }
    Ok(())
}

/// Deepest first; a mount that is still in use goes when its last user does.
fn unmount_below(root: &Path) {
    let prefix = format!("{}/", root.display());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut points: Vec<_> = mounts.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    points.retain(|point| point.starts_with(&prefix));
    points.sort_unstable();
    for point in points.iter().rev() {
        run("umount", &["--lazy", point]);
    }
}

fn remove_network(container: &Container) {
    if let Some(network) = &container.network {
        run("umount", &["--lazy", &network.display().to_string()]);
        let _ = fs::remove_file(network);
    }
    remove_files("/var/lib/cni/results", |entry| entry.file_name().to_string_lossy().contains(&container.id));
}

/// Only empty groups can be removed, so nobody else's are.
fn remove_groups(containers: &[Container]) {
    let own = containers.iter().flat_map(|container| groups(&container.id));
    for group in own.chain(groups("")) {
        let _ = fs::remove_dir(group);
    }
}

/// The kubelet links every container's log into one folder of the machine.
fn remove_log_links(root: &Path) {
    let ours = |entry: &fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(root));
    remove_files("/var/log/containers", ours);
}

fn remove_files(dir: &str, chosen: impl Fn(&fs::DirEntry) -> bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(chosen) {
        let _ = fs::remove_file(entry.path());
    }
}

/// What is gone already needs no clearing, so failures are no news.
fn run(program: &str, arguments: &[&str]) {
    if let Some(path) = packages::find(program) {
        let _ = Command::new(path).args(arguments).output();
    }
}
