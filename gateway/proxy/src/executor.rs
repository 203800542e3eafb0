//! Where hyper's own tasks run: in our tracker, and counted.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::task::TaskTracker;

/// Spawns what hyper asks for. A worker's own, so its counter bounces between no cores.
#[derive(Debug, Clone)]
pub(crate) struct Executor {
    tasks: TaskTracker,
    spawned: Arc<AtomicU64>,
}

impl Executor {
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        Self { tasks, spawned: Arc::default() }
    }

    /// Where it counts.
    pub(crate) fn spawned(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.spawned)
    }

    /// Runs a task to its end, on this worker.
    pub(crate) fn spawn(&self, task: impl Future<Output: Send> + Send + 'static) {
        self.spawned.fetch_add(1, Ordering::Relaxed);
        self.tasks.spawn(task);
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}
