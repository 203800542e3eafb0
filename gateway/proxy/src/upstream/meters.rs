//! What operators see of the connections to clusters.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::Metrics;

/// Shared by all workers, and touched when a connection or a tunnel begins or ends, never by a request.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(super) dialed: Counter,
    pub(super) failed: Counter,
    open: Gauge,
    pub(super) retried: Counter,
    pub(super) tunnels: Gauge,
    pub(super) carried: Counter,
}

impl Meters {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let meters = Self::default();
        metrics.register("upstream_dials", "Connections made to clusters", meters.dialed.clone());
        metrics.register("upstream_dials_failed", "Connections to clusters that failed", meters.failed.clone());
        metrics.register("upstream_connections_open", "Connections to clusters", meters.open.clone());
        metrics.register("upstream_retries", "Requests that were sent a second time", meters.retried.clone());
        metrics.register("tunnels_open", "exec, attach and port-forward streams", meters.tunnels.clone());
        metrics.register("tunnel_bytes", "Bytes that ended tunnels carried, both ways", meters.carried.clone());
        meters
    }

    /// Counts a connection until what is returned is dropped.
    pub(super) fn opened(&self) -> Open {
        self.open.inc();
        Open(self.open.clone())
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub(super) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
