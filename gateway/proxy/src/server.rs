//! The whole data plane as one thing to start and to stop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::admit::Sources;
use crate::audit::{AuditConfig, Sink};
use crate::authenticate::{Asks, ServiceAccounts, Sessions};
use crate::boundary::{Management, Resolve, Revoked, Snapshot, Time};
use crate::cluster::{ClusterStatus, Clusters};
use crate::gate::Common;
use crate::impersonate::Reviews;
use crate::listener::{self, ListenerConfig, Running, StartError};
use crate::metrics::Metrics;
use crate::tls::ServerCertificate;

/// Everything that the data plane is given by the rest of the gateway.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where to listen, and within which bounds.
    pub listener: ListenerConfig,
    /// Clusters, grants and limits. Store a new one to reload: requests see the old or the new, never a mixture.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Who stands behind a credential.
    pub resolve: Arc<dyn Resolve>,
    /// What no longer holds.
    pub revoked: Revoked,
    /// The gateway's own API.
    pub management: Arc<dyn Management>,
    /// Where records go.
    pub audit: AuditConfig,
    /// The clocks.
    pub time: Arc<dyn Time>,
}

/// The data plane at work.
#[derive(Debug)]
pub struct Server {
    running: Running,
    common: Arc<Common>,
}

impl Server {
    /// Binds, and starts all threads. Clusters open as soon as they are proven.
    ///
    /// # Errors
    /// When the address cannot be bound, or the system gives no thread, file or random bytes. Nothing is left running.
    pub fn start(config: ServerConfig) -> Result<Self, StartError> {
        let ServerConfig { listener, snapshot, resolve, revoked, management, audit, time } = config;
        let metrics = Arc::new(Metrics::new());
        let random = |_| StartError::Worker(io::Error::other("the system gives no random bytes"));
        let asks = Asks { resolve, revoked, time: Arc::clone(&time), metrics: Arc::clone(&metrics) };
        let common = Arc::new(Common {
            snapshot,
            sessions: Sessions::new(asks).map_err(random)?,
            service_accounts: ServiceAccounts::new(),
            sources: Sources::new(Arc::clone(&time)),
            reviews: Reviews::new().map_err(random)?,
            management,
            clusters: Arc::new(Clusters::default()),
            audit: Sink::start(&audit, Arc::clone(&metrics)).map_err(StartError::Audit)?,
            metrics,
            time,
        });
        let running = listener::start(listener, Arc::clone(&common))?;
        Ok(Self { running, common })
    }

    /// The listener: its address, and its certificate.
    #[must_use]
    pub fn listener(&self) -> &Running {
        &self.running
    }

    /// A view that outlives the server, for whoever serves metrics while it stops.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Observer { common: Arc::clone(&self.common), certificate: Arc::clone(self.running.certificate()) }
    }

    /// Opens the audit file anew, after something moved it away.
    pub fn reopen_audit(&self) {
        self.common.audit.reopen();
    }

    /// Stops with grace, as [`Running::drain`] says, and writes the last audit records.
    pub async fn drain(self, deadline: Duration) {
        self.running.drain(deadline).await;
        self.common.audit.flush().await;
    }
}

/// What can be seen of the data plane from outside.
#[derive(Debug, Clone)]
pub struct Observer {
    common: Arc<Common>,
    certificate: Arc<ServerCertificate>,
}

impl Observer {
    /// All metrics of the data plane, in the text format that Prometheus reads, without the mark of its end.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        self.common.metrics.append_to(&mut text, &self.common, self.certificate.end());
        text
    }

    /// Whether each cluster is open, by its id.
    #[must_use]
    pub fn clusters(&self) -> Vec<ClusterStatus> {
        self.common.clusters.status(&self.common.snapshot.load())
    }
}
