//! What operators see of the listener.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::runtime::RuntimeMetrics;

use crate::metrics::Metrics;

/// Counted when a connection begins or ends, never by a request.
#[derive(Debug, Default)]
pub(super) struct Meters {
    pub(super) open: Gauge,
    pub(super) refused: Counter,
    pub(super) handshakes_failed: Counter,
}

impl Meters {
    pub(super) fn register(metrics: &Metrics) -> Self {
        let meters = Self::default();
        metrics.register("connections_open", "Connections of clients", meters.open.clone());
        metrics.register("connections_refused", "Connections closed on arrival, by a limit", meters.refused.clone());
        let failed = meters.handshakes_failed.clone();
        metrics.register("handshakes_failed", "TLS handshakes that failed or took too long", failed);
        meters
    }
}

/// The tasks alive on the workers, counted when somebody asks: a number that stays up after its traffic is a leak.
#[derive(Debug)]
pub(super) struct Tasks(pub(super) Vec<RuntimeMetrics>);

impl Tasks {
    pub(super) fn register(self, metrics: &Metrics) {
        metrics.register("worker_tasks", "Tasks alive on the threads that serve requests", self);
    }
}

impl EncodeMetric for Tasks {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let alive: usize = self.0.iter().map(RuntimeMetrics::num_alive_tasks).sum();
        encoder.encode_gauge(&i64::try_from(alive).unwrap_or(i64::MAX))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}
