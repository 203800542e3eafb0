//! What operators see of the listener.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

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
