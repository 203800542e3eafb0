//! The order to end, as everything that runs for long hears it.
//!
//! Two steps: `begin` asks (no new connections, GOAWAY, watches end one by one), `abort` cuts what is left. Watches
//! end at moments spread over a span: ended all at once, thousands of clients would list again in the same second.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Heard by the accept loop, by every connection and by every long-running response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drain {
    begun: CancellationToken,
    aborted: CancellationToken,
    plan: Arc<OnceLock<Begun>>,
}

#[derive(Debug)]
struct Begun {
    at: Instant,
    plan: DrainPlan,
}

/// When what has to be over, counted from the beginning of the drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrainPlan {
    /// Watches end within this span.
    pub(crate) watches: Duration,
    /// Everything else that runs for long may run until here.
    pub(crate) deadline: Duration,
}

impl Drain {
    /// Asks everything to end. Only the first call counts.
    pub(crate) fn begin(&self, plan: DrainPlan) {
        let _ = self.plan.set(Begun { at: Instant::now(), plan });
        self.begun.cancel();
    }

    /// Cuts what is left.
    pub(crate) fn abort(&self) {
        self.begun.cancel();
        self.aborted.cancel();
    }

    /// Whether the drain has begun.
    pub(crate) fn is_draining(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Resolves when the drain begins.
    pub(crate) async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Resolves when nothing may run any more.
    pub(crate) async fn aborted(&self) {
        self.aborted.cancelled().await;
    }

    /// Resolves when one watch, given its place in the spread, has to end.
    pub(crate) async fn watch_over(self) {
        self.begun.cancelled().await;
        let Some(Begun { at, plan }) = self.plan.get() else { return };
        tokio::select! {
            () = tokio::time::sleep_until(*at + plan.watches.mul_f64(jitter())) => {}
            () = self.aborted.cancelled() => {}
        }
    }

    /// Resolves when a terminal or a log stream has to end.
    pub(crate) async fn long_over(self) {
        self.begun.cancelled().await;
        let Some(Begun { at, plan }) = self.plan.get() else { return };
        tokio::select! {
            () = tokio::time::sleep_until(*at + plan.deadline) => {}
            () = self.aborted.cancelled() => {}
        }
    }
}

/// A number in `0.0..1.0` that differs from call to call. It spreads load and guards nothing.
pub(crate) fn jitter() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}
