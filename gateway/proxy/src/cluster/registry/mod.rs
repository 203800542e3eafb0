//! The runtimes of the clusters in the snapshot, kept over reloads that do not change them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::task::TaskTracker;

use super::probe;
use super::runtime::{Runtime, State};
use crate::boundary::{Cluster, Snapshot};
use crate::stream::Drain;
use crate::upstream::Pool;

/// How often the snapshot is looked at: a new cluster is probed this soon after a reload.
const LOOK: Duration = Duration::from_secs(1);
/// How often token files are read: well within the minute in which an old token must be replaced.
const RENEW: Duration = Duration::from_secs(10);

/// Finds a cluster's runtime.
///
/// The key is the address of the snapshot's own value. A request that began under an old snapshot so keeps that
/// cluster's old runtime: an identity that was rendered for one configuration is never sent by another.
#[derive(Debug, Default)]
pub(crate) struct Clusters {
    table: ArcSwap<Table>,
    writing: Mutex<()>,
}

/// One cluster's state, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// The cluster's id.
    pub id: String,
    /// Whether requests may pass, and why not.
    pub state: State,
}

type Table = HashMap<usize, Arc<Entry>, foldhash::fast::RandomState>;

#[derive(Debug)]
struct Entry {
    // Keeps the address in use, so that it names no other value.
    cluster: Arc<Cluster>,
    runtime: Result<Arc<Runtime>, Arc<str>>,
}

impl Clusters {
    /// The runtime of a cluster, or why it has none.
    pub(crate) fn of(&self, cluster: &Arc<Cluster>) -> Result<Arc<Runtime>, Arc<str>> {
        if let Some(entry) = self.table.load().get(&key(cluster)) {
            return entry.runtime.clone();
        }
        self.change(|table| enter(table, cluster));
        let table = self.table.load();
        table.get(&key(cluster)).map_or_else(|| Err("the cluster is gone".into()), |entry| entry.runtime.clone())
    }

    /// What has become of every cluster in the snapshot.
    pub(crate) fn status(&self, snapshot: &Snapshot) -> Vec<ClusterStatus> {
        let status = |cluster: &Arc<Cluster>| {
            let state = self.of(cluster).map_or_else(State::Unproven, |runtime| State::clone(&runtime.state()));
            ClusterStatus { id: cluster.id().to_owned(), state }
        };
        snapshot.clusters().map(status).collect()
    }

    /// How many addresses of every cluster in the snapshot are left alone, since they failed lately.
    pub(crate) fn resting(&self, snapshot: &Snapshot) -> Vec<(String, usize)> {
        let resting = |cluster: &Arc<Cluster>| {
            let runtime = self.of(cluster).ok()?;
            let count = runtime.endpoints().iter().filter(|endpoint| endpoint.is_resting()).count();
            Some((cluster.id().to_owned(), count))
        };
        snapshot.clusters().filter_map(resting).collect()
    }

    /// Takes in a snapshot: unchanged clusters keep their runtime, and those that are gone are retired.
    pub(crate) fn adopt(&self, snapshot: &Snapshot) {
        self.change(|table| {
            snapshot.clusters().for_each(|cluster| enter(table, cluster));
            let current: Vec<usize> = snapshot.clusters().map(key).collect();
            // One that requests still hold stays: theirs is a third reference, beside the entry's and the runtime's.
            table.retain(|key, entry| current.contains(key) || Arc::strong_count(&entry.cluster) > 2);
        });
    }

    /// Follows the snapshot, probes clusters and renews tokens until the gateway stops.
    pub(crate) async fn keep(&self, snapshot: &ArcSwap<Snapshot>, pool: Arc<Pool>, drain: Drain) {
        let probes = TaskTracker::new();
        let mut probed: HashMap<u64, Arc<Runtime>> = HashMap::new();
        let mut last = None;
        let mut since_renewal = Duration::ZERO;
        loop {
            let current = snapshot.load_full();
            if last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &current)) {
                self.adopt(&current);
                self.follow(&current, &mut probed, &probes, &pool);
                last = Some(current);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => since_renewal += LOOK,
                () = drain.begun() => break,
            }
            if since_renewal >= RENEW {
                since_renewal = Duration::ZERO;
                renew(probed.values().cloned().collect(), &probes).await;
            }
        }
        probed.values().for_each(|runtime| runtime.retired.cancel());
        probes.close();
        probes.wait().await;
    }

    fn follow(
        &self,
        snapshot: &Snapshot,
        probed: &mut HashMap<u64, Arc<Runtime>>,
        probes: &TaskTracker,
        pool: &Arc<Pool>,
    ) {
        let current: Vec<Arc<Runtime>> = snapshot
            .clusters()
            .filter_map(|cluster| match self.of(cluster) {
                Ok(runtime) => Some(runtime),
                Err(why) => {
                    tracing::error!(cluster = cluster.id(), why = &*why, "a cluster cannot be served");
                    None
                }
            })
            .collect();
        probed.retain(|id, runtime| {
            let stays = current.iter().any(|current| current.id() == *id);
            if !stays {
                runtime.retired.cancel();
            }
            stays
        });
        for runtime in current {
            if probed.insert(runtime.id(), Arc::clone(&runtime)).is_none() {
                probes.spawn(probe::keep(Arc::clone(pool), runtime));
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.table.load());
        change(&mut table);
        self.table.store(Arc::new(table));
    }
}

fn key(cluster: &Arc<Cluster>) -> usize {
    Arc::as_ptr(cluster).addr()
}

fn enter(table: &mut Table, cluster: &Arc<Cluster>) {
    if table.contains_key(&key(cluster)) {
        return;
    }
    let same = table.values().find(|entry| entry.cluster.config() == cluster.config()).map(|entry| &entry.runtime);
    let runtime = match same {
        Some(Ok(runtime)) => Ok(Arc::clone(runtime)),
        Some(Err(_)) | None => Runtime::new(Arc::clone(cluster)).map(Arc::new).map_err(Into::into),
    };
    table.insert(key(cluster), Arc::new(Entry { cluster: Arc::clone(cluster), runtime }));
}

/// Reads all token files, on a thread that may wait for a disk.
async fn renew(runtimes: Vec<Arc<Runtime>>, tasks: &TaskTracker) {
    let read = tasks.spawn_blocking(move || {
        for runtime in runtimes {
            if let Err(fault) = runtime.renew() {
                tracing::warn!(cluster = runtime.cluster().id(), fault = %fault, "a token could not be read");
            }
        }
    });
    let _ = read.await;
}

#[cfg(test)]
mod tests;
