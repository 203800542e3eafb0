//! Every wait for a directory ends at a deadline, on the clock that tests can move.

use std::time::{Duration, Instant};

use auth_core::Clock;

/// Waits for `work` until `deadline`; `None` when the deadline came first. The work is dropped then.
pub(crate) async fn within<T>(clock: &dyn Clock, deadline: Instant, work: impl Future<Output = T> + Send) -> Option<T> {
    let left = deadline.saturating_duration_since(clock.monotonic());
    if left.is_zero() {
        return None;
    }
    tokio::select! {
        biased;
        value = work => Some(value),
        () = clock.sleep(left) => None,
    }
}

/// The earlier of the call's deadline and `limit` from now.
pub(crate) fn sooner(clock: &dyn Clock, deadline: Instant, limit: Duration) -> Instant {
    clock.monotonic().checked_add(limit).map_or(deadline, |end| end.min(deadline))
}
