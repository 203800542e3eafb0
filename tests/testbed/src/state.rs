//! The folder of one server or cluster: its files, logs and pid files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::Process;
use crate::{node, reaper};

/// Stop order: who talks to others goes first.
const ORDER: [&str; 12] = [
    "prometheus",
    "gatewarden",
    "kubelet",
    "containerd",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
    "slapd",
    "samba",
    "site-issuer",
    "keycloak",
    "chromedriver",
];

const RUN: &str = "run";
const LOG: &str = "log";

/// A folder that belongs to one server or cluster.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Makes the folder and asks the reaper to watch it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(root: &Path) -> Result<Self> {
        for part in [RUN, LOG] {
            fs::create_dir_all(root.join(part)).with_context(|| format!("make {}", root.display()))?;
        }
        let state = Self { root: root.canonicalize()? };
        reaper::watch(&state.root);
        Ok(state)
    }

    /// A folder that exists already; nobody watches it for this handle.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn open(root: &Path) -> Result<Self> {
        let root = root.canonicalize().with_context(|| format!("open {}", root.display()))?;
        Ok(Self { root })
    }

    /// A file or folder in it.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the program of that name writes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join(LOG).join(format!("{name}.log"))
    }

    pub(crate) fn pid_file(&self, name: &str) -> PathBuf {
        self.root.join(RUN).join(format!("{name}.pid"))
    }

    /// Writes a file, with its folder, readable by the owner alone.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, relative: &str, content: &str) -> Result<PathBuf> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        write_private(&path, content)?;
        Ok(path)
    }

    fn stop_all(&self) -> Result<()> {
        // Two may come at once: a test's end and the reaper behind it.
        let lock = File::create(self.path(RUN).join("lock"))?;
        lock.lock()?;
        for name in ORDER {
            if name == "kubelet" {
                node::remove_pods(self);
            }
            if let Some(mut process) = Process::find(self, name) {
                process.stop(Duration::from_secs(20))?;
            }
        }
        node::clear(self)
    }
}

/// Writes a file that its owner alone may read: most of what a test bed writes is a secret to someone.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .with_context(|| format!("write {}", path.display()))
}

/// Stops whatever still runs for `root` or for a folder below it: processes, pods, mounts, bridges.
///
/// # Errors
/// When a process cannot be stopped or a mount not be undone; everything else is stopped all the same.
pub fn down(root: &Path) -> Result<()> {
    // At once: a node takes seconds to let its pods go, and a test bed may have several.
    std::thread::scope(|scope| {
        let dirs = state_dirs(root, 3).into_iter().map(|root| StateDir { root });
        let stops: Vec<_> = dirs.map(|state| scope.spawn(move || state.stop_all())).collect();
        let results = stops.into_iter().map(|stop| stop.join().unwrap_or_else(|_| bail!("stopping panicked")));
        results.fold(Ok(()), Result::and)
    })
}

fn state_dirs(root: &Path, depth: u8) -> Vec<PathBuf> {
    let Ok(root) = root.canonicalize() else { return Vec::new() };
    if root.join(RUN).is_dir() && root.join(LOG).is_dir() {
        return [vec![root.clone()], below(&root, depth)].concat();
    }
    below(&root, depth)
}

fn below(root: &Path, depth: u8) -> Vec<PathBuf> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.flat_map(|entry| state_dirs(&entry.path(), depth)).collect()
}
