//! How long the store is kept busy, and how often it fails.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use auth_core::Clock;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection};

/// Times of reads and writes, each from the wish for a connection to its end.
#[derive(Debug)]
pub(crate) struct StoreMeters {
    clock: Arc<dyn Clock>,
    durations: Family<Operation, Histogram, Bounds>,
    read: Histogram,
    write: Histogram,
    failures: Counter,
}

/// Makes a histogram with its bounds.
type Bounds = fn() -> Histogram;

/// A read takes microseconds, a write waits for the disk, and another process may hold the lock for five seconds.
const DURATIONS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

impl StoreMeters {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let durations: Family<_, _, Bounds> = Family::new_with_constructor(|| Histogram::new(DURATIONS));
        let of = |operation| durations.get_or_create_owned(&Operation { operation });
        Self { read: of("read"), write: of("write"), failures: Counter::default(), clock, durations }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("store_duration_seconds", "Time that a read or write took", self.durations.clone());
        let help = "Times that the store was not reached, or did not take a write";
        registry.register("store_failures", help, self.failures.clone());
    }

    pub(super) fn reading(&self) -> Timed {
        self.timed(&self.read)
    }

    pub(super) fn writing(&self) -> Timed {
        self.timed(&self.write)
    }

    /// Counts a failure as it passes.
    pub(super) fn watch<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.failures.inc();
        }
        result
    }

    fn timed(&self, histogram: &Histogram) -> Timed {
        Timed { clock: Arc::clone(&self.clock), started: self.clock.monotonic(), histogram: histogram.clone() }
    }
}

/// Counts how long it lived.
#[derive(Debug)]
pub(super) struct Timed {
    clock: Arc<dyn Clock>,
    started: Instant,
    histogram: Histogram,
}

impl Drop for Timed {
    fn drop(&mut self) {
        let took = self.clock.monotonic().saturating_duration_since(self.started);
        self.histogram.observe(took.as_secs_f64());
    }
}

/// A connection that cannot write, given back when dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) connection: PoolConnection<Sqlite>,
    pub(super) _timed: Timed,
}

impl Deref for Reader {
    type Target = SqliteConnection;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}
