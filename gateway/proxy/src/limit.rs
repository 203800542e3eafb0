//! A rate limit in one atomic number, so that a warm request takes no lock for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A bucket that refills steadily and holds at most a burst.
///
/// It stores one moment: when the bucket will be full again (the generic cell rate algorithm). Rate and burst come with
/// each call, so a reload changes them without losing what was spent.
#[derive(Debug)]
pub(crate) struct Bucket {
    started: Instant,
    full_at: AtomicU64,
}

impl Bucket {
    pub(crate) fn new(now: Instant) -> Self {
        Self { started: now, full_at: AtomicU64::new(0) }
    }

    /// Takes one, or says how long to wait for it.
    pub(crate) fn take(&self, now: Instant, rate: u32, burst: u32) -> Result<(), Duration> {
        let cost = NANOS / u64::from(rate.max(1));
        let room = cost.saturating_mul(u64::from(burst.max(1)));
        let now = u64::try_from(now.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX);
        let spend = |full_at: u64| {
            let next = full_at.max(now).saturating_add(cost);
            (next.saturating_sub(now) <= room).then_some(next)
        };
        self.full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, spend).map(|_| ()).map_err(|full_at| {
            Duration::from_nanos(full_at.max(now).saturating_add(cost).saturating_sub(now).saturating_sub(room))
        })
    }

    /// Whether one could be taken, without taking it.
    pub(crate) fn has_room(&self, now: Instant, rate: u32, burst: u32) -> bool {
        let cost = NANOS / u64::from(rate.max(1));
        let room = cost.saturating_mul(u64::from(burst.max(1)));
        let now = u64::try_from(now.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX);
        self.full_at.load(Ordering::Acquire).max(now).saturating_add(cost).saturating_sub(now) <= room
    }
}

const NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::Time as _;
    use crate::testing::TestTime;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = TestTime::new().monotonic();
        let bucket = Bucket::new(start);
        assert!((0..5).all(|_| bucket.take(start, 10, 5).is_ok()));
        assert_eq!(bucket.take(start, 10, 5), Err(Duration::from_millis(100)));
        assert!(!bucket.has_room(start, 10, 5));
        let later = start + Duration::from_millis(100);
        assert!(bucket.take(later, 10, 5).is_ok());
        assert!(bucket.take(later, 10, 5).is_err());
    }

    #[test]
    fn a_refused_request_costs_nothing() {
        let start = TestTime::new().monotonic();
        let bucket = Bucket::new(start);
        assert!(bucket.take(start, 1, 1).is_ok());
        assert!((0..100).all(|_| bucket.take(start, 1, 1).is_err()));
        assert!(bucket.take(start + Duration::from_secs(1), 1, 1).is_ok());
    }
}
