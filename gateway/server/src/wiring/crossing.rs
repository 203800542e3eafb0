//! The way from a data-plane worker to the control plane's runtime: bounded, so that a flood ends at the gate.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// Runs work on the control plane's runtime, so much at once and no more.
#[derive(Clone, Debug)]
pub(super) struct Crossing {
    runtime: Handle,
    tracker: TaskTracker,
    permits: Arc<Semaphore>,
}

/// Why work did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// As much as may be under way is under way.
    Full,
    /// The work panicked, or the server is stopping.
    Gone,
}

impl Crossing {
    /// A crossing for `limit` pieces of work at once.
    #[must_use]
    pub(super) fn new(runtime: Handle, tracker: TaskTracker, limit: usize) -> Self {
        Self { runtime, tracker, permits: Arc::new(Semaphore::new(limit)) }
    }

    /// Does the work there, and waits for it here.
    ///
    /// # Errors
    /// [`Lost`] at once when the crossing is full; it never queues.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Lost> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| Lost::Full)?;
        let task = self.tracker.spawn_on(
            async move {
                let done = work.await;
                drop(permit);
                done
            },
            &self.runtime,
        );
        task.await.map_err(|_| Lost::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_crossing_refuses_and_a_panic_gives_its_place_back() {
        let crossing = Crossing::new(Handle::current(), TaskTracker::new(), 1);
        assert_eq!(crossing.run(async { panic!("a mistake") }).await, Err::<(), _>(Lost::Gone));
        let inner = crossing.clone();
        let nested = crossing.run(async move { inner.run(async {}).await }).await;
        assert_eq!(nested, Ok(Err(Lost::Full)));
        assert_eq!(crossing.run(async { 1 }).await, Ok(1));
    }
}
