//! What one worker needs to serve requests.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::admit::Sources;
use crate::audit::Sink;
use crate::authenticate::{ServiceAccounts, Sessions};
use crate::boundary::{Management, Snapshot, Time};
use crate::impersonate::Reviews;
use crate::metrics::Metrics;
use crate::{cluster, upstream};

/// One worker's view: what all workers share, and the connections that are its own.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) common: Arc<Common>,
    /// This worker's connections to clusters. No other worker waits for them.
    pub(crate) pool: Arc<upstream::Pool>,
}

/// What all workers share. Whatever a warm request touches here is read without a lock of its own.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) sessions: Sessions,
    pub(crate) service_accounts: ServiceAccounts,
    pub(crate) sources: Sources,
    pub(crate) reviews: Reviews,
    pub(crate) management: Arc<dyn Management>,
    pub(crate) clusters: Arc<cluster::Clusters>,
    pub(crate) audit: Sink,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) time: Arc<dyn Time>,
}
