//! The one place that reads the time.

use std::time::{Duration, Instant, SystemTime};

use auth_core::{BoxFuture, Clock};
use gatewarden_proxy::Time;
use jiff::Timestamp;

/// The machine's own clocks, for every part that asks for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.wall()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn monotonic(&self) -> Instant {
        instant()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // Inside the future, so that the timer belongs to the runtime that waits for it.
        Box::pin(async move { tokio::time::sleep(duration).await })
    }
}

impl Time for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Instant {
        instant()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn instant() -> Instant {
    Instant::now()
}
