//! What operators watch, under `gatewarden_*`.
//!
//! A label has few values, all of them ours: a client can invent methods, resources and cluster names, and each would
//! be a new time series. Handles are found once per cluster, so that a warm request only adds to atomic numbers.

mod handles;
mod histogram;
mod states;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

use crate::audit::Closed;
use crate::gate::Common;

use handles::Handles;
pub(crate) use histogram::Histogram;
use states::States;

/// Every number of the data plane.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    handles: Handles,
    overhead: Histogram,
    received: Gauge,
    short: Gauge,
    long: Gauge,
    refusals: Family<Reason, Counter>,
    cache_hits: Counter,
    cache_misses: Counter,
    audit_lost: Counter,
    audit_rotated: Counter,
    audit_left_out: Counter,
    states: States,
}

/// Bounds of our own share of a request's time: a warm one takes some tens of microseconds.
const OVERHEAD: [f64; 14] =
    [0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("gatewarden");
        let handles = Handles::register(&mut registry);
        let overhead = Histogram::new(&OVERHEAD);
        registry.register("overhead_seconds", "Time until the answer began, without the upstream's", overhead.clone());
        let (received, running) = (Gauge::default(), Family::<Kind, Gauge>::default());
        registry.register("requests_open", "Requests that are not over", received.clone());
        registry.register("requests_running", "Understood requests that are not over, by kind", running.clone());
        let refusals = Family::default();
        registry.register("refusals", "Requests that no upstream answered, by reason", refusals.clone());
        let cache = Family::<Outcome, Counter>::default();
        registry.register("session_cache", "Looks into the session cache", cache.clone());
        let audit_lost = Counter::default();
        registry.register("audit_lost", "Audit records that could not be written", audit_lost.clone());
        let audit_rotated = Counter::default();
        registry.register(
            "audit_rotations",
            "Times that the audit file was renamed for its size",
            audit_rotated.clone(),
        );
        let audit_left_out = Counter::default();
        let help = "Records of refused strangers that a later record or none stands for";
        registry.register("audit_left_out", help, audit_left_out.clone());
        let states = States::register(&mut registry);
        Self {
            registry: Mutex::new(registry),
            handles,
            overhead,
            received,
            short: running.get_or_create_owned(&Kind { kind: "short" }),
            long: running.get_or_create_owned(&Kind { kind: "long" }),
            refusals,
            cache_hits: cache.get_or_create_owned(&Outcome { outcome: "hit" }),
            cache_misses: cache.get_or_create_owned(&Outcome { outcome: "miss" }),
            audit_lost,
            audit_rotated,
            audit_left_out,
            states,
        }
    }

    /// Shows numbers that another part of the data plane keeps.
    pub(crate) fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// Adds all numbers to `text`, as Prometheus reads them; `serving` is when the listener's certificate ends.
    pub(crate) fn append_to(&self, text: &mut String, common: &Common, serving: i64) {
        // Locked first: of two who ask at once, neither sees what the other has half looked up.
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        self.states.look(common, serving);
        // Writing to a String cannot fail.
        let _ = encode_registry(text, &registry);
    }

    /// What requests have counted.
    #[cfg(test)]
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode_registry(&mut text, &registry).unwrap();
        text
    }

    pub(crate) fn opened(&self) {
        self.received.inc();
    }

    pub(crate) fn started(&self, long_running: bool) {
        self.running(long_running).inc();
    }

    pub(crate) fn overhead(&self, took: Duration) {
        self.overhead.observe(took);
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn session_cache(&self, hit: bool) {
        if hit { &self.cache_hits } else { &self.cache_misses }.inc();
    }

    pub(crate) fn audit_lost(&self, lines: u64) {
        self.audit_lost.inc_by(lines);
    }

    pub(crate) fn audit_rotated(&self, times: u64) {
        self.audit_rotated.inc_by(times);
    }

    pub(crate) fn audit_left_out(&self) {
        self.audit_left_out.inc();
    }

    pub(crate) fn closed(&self, closed: &Closed<'_>) {
        self.received.dec();
        if let Some(long_running) = closed.long_running {
            self.running(long_running).dec();
        }
        self.handles.count(closed);
    }

    fn running(&self, long_running: bool) -> &Gauge {
        if long_running { &self.long } else { &self.short }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[cfg(test)]
mod tests;
