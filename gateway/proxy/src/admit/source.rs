//! How much one network address may ask for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::boundary::{RequestLimits, Time};
use crate::limit::Bucket;
use crate::refusal::Refusal;

/// The addresses that connected lately. Bounded: one that is forgotten starts with full buckets.
#[derive(Debug)]
pub(crate) struct Sources {
    time: Arc<dyn Time>,
    seen: Cache<IpAddr, Arc<Source>>,
    unfinished: Arc<Semaphore>,
}

/// What one address has spent. A connection looks it up once; its requests share it.
#[derive(Debug)]
pub(crate) struct Source {
    requests: Bucket,
    failures: Bucket,
    /// What everybody may ask, apart from logins: a flood of health checks must keep nobody from logging in.
    open: Bucket,
    unfinished: Arc<Semaphore>,
    first: Arc<Semaphore>,
    unfinished_of_all: Arc<Semaphore>,
}

/// A body of somebody unknown that is still on its way. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Unfinished {
    _of_source: OwnedSemaphorePermit,
    _of_first_or_all: OwnedSemaphorePermit,
}

/// Unfinished bodies of one address: a login's body comes with its head, so only a crowd or a hostile client has many.
const UNFINISHED_OF_SOURCE: usize = 128;
/// Unfinished bodies of one address that the others do not count: some dozens of hostile addresses could else keep
/// everybody from logging in.
const FIRST_OF_SOURCE: usize = 2;
/// Further unfinished bodies at once; each takes at most 16 KiB.
const UNFINISHED: usize = 4_096;

impl Sources {
    pub(crate) fn new(time: Arc<dyn Time>) -> Self {
        Self { time, seen: Cache::new(65_536), unfinished: Arc::new(Semaphore::new(UNFINISHED)) }
    }

    /// The source behind an address. One IPv6 network of 64 bits is one source, because one host may use all of it.
    pub(crate) fn of(&self, address: IpAddr) -> Arc<Source> {
        let key = match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        };
        let fresh = || {
            let now = self.time.monotonic();
            Ok::<_, std::convert::Infallible>(Arc::new(Source {
                requests: Bucket::new(now),
                failures: Bucket::new(now),
                open: Bucket::new(now),
                unfinished: Arc::new(Semaphore::new(UNFINISHED_OF_SOURCE)),
                first: Arc::new(Semaphore::new(FIRST_OF_SOURCE)),
                unfinished_of_all: Arc::clone(&self.unfinished),
            }))
        };
        match self.seen.get_or_insert_with(&key, fresh) {
            Ok(source) => source,
            Err(never) => match never {},
        }
    }
}

impl Source {
    /// Takes one request.
    pub(crate) fn take(&self, now: Instant, limits: &RequestLimits) -> Result<(), Refusal> {
        self.requests
            .take(now, limits.source_rate, limits.source_burst)
            .map_err(|retry_after| Refusal::TooMany { retry_after, what: "requests from this address" })
    }

    /// Takes one request for what is open to all, other than a login.
    pub(crate) fn take_open(&self, now: Instant, limits: &RequestLimits) -> Result<(), Refusal> {
        self.open
            .take(now, limits.source_failure_rate, limits.source_failure_burst)
            .map_err(|retry_after| Refusal::TooMany { retry_after, what: "public requests from this address" })
    }

    /// Takes one login, or one credential that was refused.
    pub(crate) fn take_failure(&self, now: Instant, limits: &RequestLimits) -> Result<(), Refusal> {
        self.failures
            .take(now, limits.source_failure_rate, limits.source_failure_burst)
            .map_err(|retry_after| Refusal::TooMany { retry_after, what: "logins from this address" })
    }

    /// Takes a place for a body to arrive in.
    pub(crate) fn body_begins(&self) -> Result<Unfinished, Refusal> {
        let full = |what| move |_| Refusal::TooMany { retry_after: std::time::Duration::from_secs(1), what };
        let place = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned();
        let of_source = place(&self.unfinished).map_err(full("unfinished requests from this address"))?;
        let of_all = place(&self.first).or_else(|_| place(&self.unfinished_of_all));
        Ok(Unfinished { _of_source: of_source, _of_first_or_all: of_all.map_err(full("unfinished requests"))? })
    }

    /// Whether a credential that we do not know yet may be tried from here.
    pub(crate) fn may_fail(&self, now: Instant, limits: &RequestLimits) -> Result<(), Refusal> {
        if self.failures.has_room(now, limits.source_failure_rate, limits.source_failure_burst) {
            return Ok(());
        }
        let retry_after = std::time::Duration::from_secs(1);
        Err(Refusal::TooMany { retry_after, what: "refused credentials from this address" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestTime;

    #[test]
    fn no_crowd_of_addresses_takes_the_place_of_another_ones_login() {
        let sources = Sources::new(Arc::new(TestTime::new()));
        let source = |host: u8| sources.of(IpAddr::from([192, 0, 2, host]));
        let mut dripping = Vec::new();
        for host in 0..100 {
            dripping.extend(std::iter::from_fn(|| source(host).body_begins().ok()));
        }
        assert_eq!(dripping.len(), UNFINISHED + 100 * FIRST_OF_SOURCE, "all places are taken");
        let own: Vec<_> = std::iter::from_fn(|| source(200).body_begins().ok()).collect();
        assert_eq!(own.len(), FIRST_OF_SOURCE);
    }
}
