//! Time as a port, so that tests can move it.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A boxed future that may cross threads. The shape that object-safe asynchronous functions take.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;

/// Where the time comes from. Nothing else in a provider may ask the machine for it.
///
/// Tests use [`ManualClock`](crate::testing::ManualClock).
pub trait Clock: Send + Sync + Debug {
    /// The wall clock: for what is stored and shown. It may jump.
    fn now(&self) -> Timestamp;

    /// The clock that never goes back: for deadlines and waits.
    fn monotonic(&self) -> Instant;

    /// Ends after `duration` of monotonic time. Dropping it gives up the wait.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}
