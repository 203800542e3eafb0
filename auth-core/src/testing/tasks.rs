//! Tasks on plain threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use async_trait::async_trait;

use crate::{BoxFuture, Busy, Tasks};

/// Runs a future on this thread until it ends.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
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
            if catch_unwind(AssertUnwindSafe(|| block_on(task))).is_err() {
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
