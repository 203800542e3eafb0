//! How much one address may have put on record before anybody knows who it is.
//!
//! A refusal costs the client nothing, and a record costs disk. So a source has some records of its own, and beyond them
//! one a minute that says how many were left out. All sources together have a larger share, since addresses are cheap to
//! some. Metrics count every refusal all the same.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use crate::limit::Bucket;

/// Records a second of one source, over time.
const RATE: u32 = 10;
/// Records that one source may save up.
const BURST: u32 = 200;
/// Records a second of all sources together, over time.
const RATE_OF_ALL: u32 = 500;
/// Records that all sources together may save up.
const BURST_OF_ALL: u32 = 20_000;
/// Between two records of whoever asks too much.
const QUIET: Duration = Duration::from_secs(60);
/// One that is forgotten begins anew.
const SOURCES: usize = 16_384;

/// What was left out of the refusals of each source, and of all.
#[derive(Debug)]
pub(super) struct Flood {
    sources: Cache<IpAddr, Arc<Tally>>,
    all: OnceLock<Tally>,
}

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
        Self { sources: Cache::new(SOURCES), all: OnceLock::new() }
    }
}

impl Flood {
    /// Whether to write this refusal; then how many before it were left out. One for asking too much has no share in the
    /// records that others save up.
    pub(super) fn admits(&self, client: IpAddr, now: Instant, too_many: bool) -> Option<u64> {
        let source = self.of(client, now);
        let left_out = source.admits(now, 0, !too_many && source.room.take(now, RATE, BURST).is_ok())?;
        let all = self.all.get_or_init(|| Tally::new(now));
        all.admits(now, left_out, all.room.take(now, RATE_OF_ALL, BURST_OF_ALL).is_ok())
    }

    /// One IPv6 network of 64 bits is one source, because one host may use all of it.
    fn of(&self, client: IpAddr, now: Instant) -> Arc<Tally> {
        let key = match client.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        };
        let fresh = || Ok::<_, Infallible>(Arc::new(Tally::new(now)));
        match self.sources.get_or_insert_with(&key, fresh) {
            Ok(tally) => tally,
            Err(never) => match never {},
        }
    }
}

impl Tally {
    fn new(now: Instant) -> Self {
        Self { room: Bucket::new(now), state: Mutex::new(State { quiet_until: now, left_out: 0 }) }
    }

    /// Whether to write a record that speaks for `left_out` others; then for how many it speaks in the end.
    fn admits(&self, now: Instant, left_out: u64, has_room: bool) -> Option<u64> {
        // Nothing that can panic runs under this lock.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.left_out += left_out;
        if !has_room {
            if now < state.quiet_until {
                state.left_out += 1;
                return None;
            }
            state.quiet_until = now + QUIET;
        }
        Some(std::mem::take(&mut state.left_out))
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

    #[test]
    fn many_addresses_share_what_all_may_have_on_record() {
        let (flood, now) = (Flood::default(), TestTime::new().monotonic());
        let crowd = |now| -> Vec<u64> {
            let hosts = (0..25_000_u32).map(|host| IpAddr::from((0x0a00_0000 + host).to_be_bytes()));
            hosts.filter_map(|host| flood.admits(host, now, false)).collect()
        };
        assert_eq!(crowd(now).len(), BURST_OF_ALL as usize + 1, "and one that stands for the rest");
        let later = crowd(now + QUIET);
        assert_eq!(later.iter().sum::<u64>(), 4_999, "those that had been left out");
    }
}
