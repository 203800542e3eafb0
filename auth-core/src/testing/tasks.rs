//! Tasks on plain threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::{BoxFuture, Busy, Tasks};

/// How long a test waits for something that must happen before it gives up.
const GUARD: Duration = Duration::from_secs(60);

/// Runs a future on this thread until it ends, but not for ever: a test that hangs tells nobody why.
///
/// # Panics
/// When the future has not ended after a minute.
#[expect(clippy::panic, reason = "for tests alone: this is how one fails")]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match drive(future, Some(GUARD)) {
        Some(value) => value,
        None => panic!("the future has not ended after a minute"),
    }
}

/// Polls until the future ends, or, with a guard, gives up.
fn drive<T>(future: impl Future<Output = T>, guard: Option<Duration>) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    #[expect(clippy::disallowed_methods, reason = "a guard in real time over a test whose clock stands still")]
    let started = Instant::now();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return Some(value);
        }
        match guard {
            None => thread::park(),
            Some(guard) => thread::park_timeout(guard.checked_sub(started.elapsed())?),
        }
    }
}

/// A thread per task, and a bound on blocking jobs.
#[derive(Debug)]
pub struct ThreadTasks {
    running: Arc<AtomicUsize>,
    panicked: Arc<AtomicUsize>,
    jobs: Arc<AtomicUsize>,
    max_jobs: usize,
}

impl ThreadTasks {
    /// Takes at most `max_jobs` blocking jobs at a time, and is [`Busy`] beyond.
    #[must_use]
    pub fn new(max_jobs: usize) -> Self {
        Self { running: Arc::default(), panicked: Arc::default(), jobs: Arc::default(), max_jobs }
    }

    /// How many spawned tasks have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// How many spawned tasks ended in a panic. Whoever contains provider code lets none come this far.
    #[must_use]
    pub fn panicked(&self) -> usize {
        self.panicked.load(Ordering::SeqCst)
    }
}

impl Default for ThreadTasks {
    fn default() -> Self {
        Self::new(8)
    }
}

#[async_trait]
impl Tasks for ThreadTasks {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        let counted = Counted::one_more(&self.running);
        let panicked = Arc::clone(&self.panicked);
        let run = move || {
            let _counted = counted;
            if catch_unwind(AssertUnwindSafe(|| drive(task, None))).is_err() {
                panicked.fetch_add(1, Ordering::SeqCst);
            }
        };
        // Without a thread the task is dropped, and whoever waits for it is told so.
        let _ = thread::Builder::new().name(name.to_owned()).spawn(run);
    }

    async fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Busy> {
        let counted = Counted::one_more(&self.jobs);
        if self.jobs.load(Ordering::SeqCst) > self.max_jobs {
            return Err(Busy);
        }
        let run = move || {
            let _counted = counted;
            job();
        };
        thread::Builder::new().spawn(run).map(drop).map_err(|_| Busy)
    }
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn one_more(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
