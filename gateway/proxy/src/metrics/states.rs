//! What is looked up when somebody asks for the numbers, and costs nothing until then.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::cluster::State;
use crate::gate::Common;

/// States of clusters, of certificates and of the queue to the audit file.
#[derive(Debug, Default)]
pub(super) struct States {
    open: Family<ByCluster, Gauge>,
    states: Family<ByState, Gauge>,
    resting: Family<ByCluster, Gauge>,
    certificates: Family<ByCertificate, Gauge>,
    queue: Gauge,
    room: Gauge,
}

impl States {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let states = Self::default();
        registry.register("cluster_open", "Whether requests to a cluster may pass", states.open.clone());
        registry.register("cluster_state", "What the last probe found, 1 for one state", states.states.clone());
        let help = "Addresses of a cluster that failed lately and are left alone";
        registry.register("upstream_resting", help, states.resting.clone());
        let help = "When a certificate ends, in seconds since 1970";
        registry.register("certificate_end_seconds", help, states.certificates.clone());
        registry.register("audit_queue", "Records that wait to be written", states.queue.clone());
        registry.register("audit_queue_room", "Records that may wait before requests are refused", states.room.clone());
        states
    }

    pub(super) fn look(&self, common: &Common, serving: i64) {
        let snapshot = common.snapshot.load();
        self.open.clear();
        self.states.clear();
        self.resting.clear();
        self.certificates.clear();
        self.certificate("", "serving").set(serving);
        for cluster in snapshot.clusters() {
            let config = cluster.config();
            for (account, held) in config.carrier.accounts() {
                if let Some(end) = held.end() {
                    self.certificate(cluster.id(), account).set(end);
                }
            }
        }
        for status in common.clusters.status(&snapshot) {
            self.cluster(&status.id, &status.state);
        }
        for (cluster, count) in common.clusters.resting(&snapshot) {
            self.resting.get_or_create(&ByCluster { cluster }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let (waiting, room) = common.audit.queue();
        self.queue.set(waiting);
        self.room.set(room);
    }

    fn cluster(&self, id: &str, state: &State) {
        let is_open = matches!(state, State::Open);
        self.open.get_or_create(&ByCluster { cluster: id.to_owned() }).set(is_open.into());
        let states = [
            ("open", is_open),
            ("closed", matches!(state, State::Closed(_))),
            ("unproven", matches!(state, State::Unproven(_))),
        ];
        for (state, is) in states {
            self.states.get_or_create(&ByState { cluster: id.to_owned(), state }).set(is.into());
        }
    }

    fn certificate(&self, cluster: &str, account: &'static str) -> Gauge {
        self.certificates.get_or_create_owned(&ByCertificate { cluster: cluster.to_owned(), account })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCluster {
    cluster: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    cluster: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCertificate {
    cluster: String,
    account: &'static str,
}
