//! Where provider code runs: threads of its own, so that one that blocks or spins starves nothing but providers.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use async_trait::async_trait;
use auth_core::{BoxFuture, Busy, Tasks};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

type Job = Box<dyn FnOnce() + Send>;

/// Runs provider calls on a runtime of their own, and password hashes on a bounded pool.
pub(super) struct ProviderTasks {
    runtime: Handle,
    tracker: TaskTracker,
    queue: SyncSender<Job>,
}

/// Hashes of one size (19 MiB each) that may wait; more answer "busy" at once rather than late.
const QUEUED: usize = 64;

impl ProviderTasks {
    /// Starts the pool. Its threads end when this is dropped and the queue has run dry.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(super) fn start(runtime: Handle, threads: usize) -> std::io::Result<Arc<Self>> {
        let (queue, jobs) = sync_channel::<Job>(QUEUED);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name(format!("blocking-{number}")).spawn(move || work(&jobs))?;
        }
        Ok(Arc::new(Self { runtime, tracker: TaskTracker::new(), queue }))
    }
}

#[async_trait]
impl Tasks for ProviderTasks {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        self.tracker.spawn_on(task, &self.runtime);
    }

    async fn blocking(&self, job: Job) -> Result<(), Busy> {
        self.queue.try_send(job).map_err(|_| Busy)
    }
}

impl fmt::Debug for ProviderTasks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProviderTasks").field("running", &self.tracker.len()).finish_non_exhaustive()
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting, and only for that: the next thread waits for the lock instead of the queue.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // Whoever waits for a job that panicked learns it by the dropped answer.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a blocking job panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_full_pool_answers_busy_and_a_panic_costs_no_thread() {
        let tasks = ProviderTasks::start(Handle::current(), 1).unwrap();
        tasks.blocking(Box::new(|| panic!("a provider's mistake"))).await.unwrap();
        let (hold, held) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        tasks
            .blocking(Box::new(move || {
                started.send(()).unwrap();
                let _ = held.recv();
            }))
            .await
            .unwrap();
        has_started.recv_timeout(Duration::from_secs(30)).unwrap();
        for _ in 0..QUEUED {
            tasks.blocking(Box::new(|| ())).await.unwrap();
        }
        assert!(tasks.blocking(Box::new(|| ())).await.is_err());
        drop(hold);
    }
}
