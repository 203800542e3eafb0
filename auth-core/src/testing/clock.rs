//! A clock that a test moves.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::{BoxFuture, Clock};

/// How long a test waits for something that must happen before it gives up.
const GUARD: Duration = Duration::from_secs(30);

/// A clock that stands still until [`ManualClock::advance`].
///
/// ```
/// use std::time::Duration;
/// use auth_core::{Clock, testing::{ManualClock, block_on}};
///
/// let clock = ManualClock::new();
/// let sleep = clock.sleep(Duration::from_secs(5));
/// clock.advance(Duration::from_secs(5));
/// block_on(sleep);
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    origin: Instant,
    start: Timestamp,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    slept: Condvar,
}

#[derive(Debug, Default)]
struct State {
    elapsed: Duration,
    next: u64,
    sleepers: BTreeMap<u64, Option<Waker>>,
}

impl ManualClock {
    /// A clock at 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other constructor; only differences count")]
        let origin = Instant::now();
        let start = Timestamp::from_second(1_767_225_600).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { origin, start, shared: Arc::default() }
    }

    /// Moves both clocks, and ends the sleeps that are due.
    pub fn advance(&self, by: Duration) {
        let wakers: Vec<Waker> = {
            let mut state = self.shared.lock();
            state.elapsed += by;
            state.sleepers.values_mut().filter_map(Option::take).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Blocks until `count` sleeps are under way, so that a test can advance past them. Gives up after 30 s.
    ///
    /// # Panics
    /// When fewer are under way after 30 s.
    pub fn wait_for_sleepers(&self, count: usize) {
        let state = self.shared.lock();
        let waited = self.shared.slept.wait_timeout_while(state, GUARD, |state| state.sleepers.len() < count);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{} sleeps are under way, not {count}", state.sleepers.len());
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.shared.lock().elapsed;
        self.start.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Instant {
        self.origin + self.shared.lock().elapsed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (id, due) = {
            let mut state = self.shared.lock();
            let id = state.next;
            state.next += 1;
            state.sleepers.insert(id, None);
            (id, state.elapsed.saturating_add(duration))
        };
        self.shared.slept.notify_all();
        Box::pin(Sleep { id, due, shared: Arc::clone(&self.shared) })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Sleep {
    id: u64,
    due: Duration,
    shared: Arc<Shared>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        if state.elapsed >= self.due {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.id, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.shared.lock().sleepers.remove(&self.id);
    }
}
