//! How much one address may have put on record before anybody knows who it is.
//!
//! A refusal costs the client nothing, and a record costs disk. So a source has some records of its own, and beyond them
//! one a minute that says how many were left out. Metrics count every refusal all the same.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use crate::limit::Bucket;

/// Records a second of one source, over time.
const RATE: u32 = 10;
/// Records that one source may save up.
const BURST: u32 = 200;
/// Between two records of a source that asks too much.
const QUIET: Duration = Duration::from_secs(60);
/// One that is forgotten begins anew.
const SOURCES: usize = 16_384;

/// What was left out of each source's refusals.
#[derive(Debug)]
pub(super) struct Flood(Cache<IpAddr, Arc<Tally>>);

#[derive(Debug)]
struct Tally {
    room: Bucket,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    quiet_until: Instant,
    left_out: u64,
}

impl Default for Flood {
    fn default() -> Self {
        Self(Cache::new(SOURCES))
    }
}

impl Flood {
    /// Whether to write this refusal; then how many before it were left out. One for asking too much has no share in the
    /// records that others save up.
    pub(super) fn admits(&self, client: IpAddr, now: Instant, too_many: bool) -> Option<u64> {
        let tally = self.of(client, now);
        let whole = !too_many && tally.room.take(now, RATE, BURST).is_ok();
        // Nothing that can panic runs under this lock.
        let mut state = tally.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !whole {
            if now < state.quiet_until {
                state.left_out += 1;
                return None;
            }
            state.quiet_until = now + QUIET;
        }
        Some(std::mem::take(&mut state.left_out))
    }

    /// One IPv6 network of 64 bits is one source, because one host may use all of it.
    fn of(&self, client: IpAddr, now: Instant) -> Arc<Tally> {
        let key = match client.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        };
        let fresh = || {
            let state = Mutex::new(State { quiet_until: now, left_out: 0 });
            Ok::<_, Infallible>(Arc::new(Tally { room: Bucket::new(now), state }))
        };
        match self.0.get_or_insert_with(&key, fresh) {
            Ok(tally) => tally,
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::Time as _;
    use crate::testing::TestTime;

    fn written(flood: &Flood, source: u8, now: Instant, too_many: bool) -> Vec<u64> {
        (0..1_000).filter_map(|_| flood.admits(IpAddr::from([192, 0, 2, source]), now, too_many)).collect()
    }

    #[test]
    fn asking_too_much_is_one_record_a_minute_with_a_count() {
        let (flood, now) = (Flood::default(), TestTime::new().monotonic());
        assert_eq!(written(&flood, 1, now, true), [0]);
        assert_eq!(written(&flood, 1, now + QUIET, true), [999]);
        assert_eq!(written(&flood, 2, now + QUIET, true), [0], "another source has its own");
    }

    #[test]
    fn other_refusals_are_written_until_a_source_has_spent_its_own() {
        let (flood, now) = (Flood::default(), TestTime::new().monotonic());
        written(&flood, 1, now, true);
        let records = written(&flood, 1, now, false);
        assert_eq!((records.len(), records[0]), (BURST as usize, 999));
    }
}
