//! Where provider code runs: threads of each instance's own, so that one that blocks or spins starves nobody else.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use async_trait::async_trait;
use auth_core::{BoxFuture, Busy, Tasks};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::TaskTracker;

type Job = Box<dyn FnOnce() + Send>;

/// Runs one provider's calls on a runtime of its own, and its password hashes on a bounded pool.
pub(super) struct ProviderTasks {
    // Taken when this is dropped, and never before.
    runtime: Option<Runtime>,
    tracker: TaskTracker,
    queue: SyncSender<Job>,
}

/// Calls of one instance that may block their thread before its others wait for them.
const THREADS: usize = 4;
/// Jobs that may wait for the pool; more are told "busy" at once rather than late.
const QUEUED: usize = 64;

impl ProviderTasks {
    /// Starts the threads, named after the instance. They end when this is dropped.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(super) fn start(instance: &str) -> std::io::Result<Arc<Self>> {
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name(instance).enable_all().build()?;
        let (queue, jobs) = sync_channel::<Job>(QUEUED);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(THREADS) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name(format!("{instance}-hash")).spawn(move || {
                yield_to_requests();
                work(&jobs);
            })?;
        }
        Ok(Arc::new(Self { runtime: Some(runtime), tracker: TaskTracker::new(), queue }))
    }
}

impl Drop for ProviderTasks {
    fn drop(&mut self) {
        // Without waiting for provider code, which may never return.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[async_trait]
impl Tasks for ProviderTasks {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        if let Some(runtime) = &self.runtime {
            self.tracker.spawn_on(task, runtime.handle());
        }
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

/// A password hash takes a core for tens of milliseconds, and somebody waits for it who has just typed a password. A
/// proxied request takes a ten-thousandth of that: where both want the core, it goes first.
#[cfg(target_os = "linux")]
fn yield_to_requests() {
    // Of no process: of the thread that calls (nice(2), "C library/kernel differences").
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "password hashes run with the priority of requests");
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_requests() {}

/// A tenth of the share of a thread of requests, where there is not enough for both.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

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

    const GUARD: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_full_pool_answers_busy_and_a_panic_costs_no_thread() {
        let tasks = ProviderTasks::start("test").unwrap();
        let (hold, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let (started, has_started) = mpsc::channel();
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        for _ in 0..threads {
            tasks.blocking(Box::new(|| panic!("a provider's mistake"))).await.unwrap();
        }
        for _ in 0..threads {
            let (held, started) = (Arc::clone(&held), started.clone());
            let job = move || {
                started.send(()).unwrap();
                let _ = held.lock().map(|held| held.recv());
            };
            tasks.blocking(Box::new(job)).await.unwrap();
        }
        for _ in 0..threads {
            has_started.recv_timeout(GUARD).unwrap();
        }
        for _ in 0..QUEUED {
            tasks.blocking(Box::new(|| ())).await.unwrap();
        }
        assert!(tasks.blocking(Box::new(|| ())).await.is_err());
        drop(hold);
    }

    /// The nineteenth field of `stat` (proc(5)), counted behind the name, which may hold spaces.
    #[cfg(target_os = "linux")]
    fn nice_of_this_thread() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_password_hash_yields_to_requests_and_nothing_else_does() {
        let tasks = ProviderTasks::start("test").unwrap();
        let own = nice_of_this_thread();
        let (told, tells) = mpsc::channel();
        let tell = told.clone();
        tasks.blocking(Box::new(move || told.send(("hash", nice_of_this_thread())).unwrap())).await.unwrap();
        assert_eq!(tells.recv_timeout(GUARD).unwrap(), ("hash", (own + NICE).min(19)));
        tasks.spawn("calls", Box::pin(async move { tell.send(("call", nice_of_this_thread())).unwrap() }));
        assert_eq!(tells.recv_timeout(GUARD).unwrap(), ("call", own));
    }

    #[tokio::test]
    async fn an_instance_that_blocks_all_its_threads_holds_up_no_other() {
        let (stuck, other) = (ProviderTasks::start("stuck").unwrap(), ProviderTasks::start("other").unwrap());
        let (hold, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for _ in 0..THREADS * 2 {
            let held = Arc::clone(&held);
            stuck.spawn("blocks", Box::pin(async move { drop(held.lock().map(|held| held.recv())) }));
        }
        let (done, is_done) = mpsc::channel();
        other.spawn("works", Box::pin(async move { done.send(()).unwrap() }));
        is_done.recv_timeout(GUARD).unwrap();
        drop(hold);
    }
}
