//! Time comes from outside, so that a test can move it.

use std::fmt::Debug;
use std::time::{Instant, SystemTime};

/// The two clocks that the data plane reads.
///
/// Nothing in this crate calls the system's clock itself. Expiry is judged by [`Time::wall`], because a token's end is
/// a date; rates, staleness and durations by [`Time::monotonic`], because a date may jump.
pub trait Time: Debug + Send + Sync {
    /// The date.
    fn wall(&self) -> SystemTime;
    /// A clock that never goes back.
    fn monotonic(&self) -> Instant;
}
