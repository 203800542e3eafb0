//! The counters of requests, found by cluster, verb and code without a lock.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::registry::Registry;

use crate::audit::{Closed, ResourceClass};
use crate::metrics::Histogram;

/// Handles of every cluster that was asked so far.
#[derive(Debug)]
pub(super) struct Handles {
    requests: Family<ByCode, Counter>,
    durations: Family<ByVerb, Histogram, Buckets>,
    upstream: Family<ByVerb, Histogram, Buckets>,
    by_cluster: ArcSwap<ByCluster>,
}

impl Handles {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        registry.register("requests", "Requests that are over", requests.clone());
        let durations = Family::new_with_constructor(Buckets);
        registry.register("request_duration_seconds", "Time from the first to the last byte", durations.clone());
        let upstream = Family::new_with_constructor(Buckets);
        registry.register("upstream_duration_seconds", "Time until the upstream's answer began", upstream.clone());
        Self { requests, durations, upstream, by_cluster: ArcSwap::default() }
    }

    pub(super) fn count(&self, closed: &Closed<'_>) {
        let cluster = self.cluster(closed.cluster);
        let verb = verb_class(closed.verb);
        let (class, of_class) = match closed.class {
            ResourceClass::Resource => ("resource", &cluster.resource),
            ResourceClass::Subresource => ("subresource", &cluster.subresource),
            ResourceClass::NonResource => ("nonresource", &cluster.non_resource),
            ResourceClass::Unread => ("unread", &cluster.unread),
        };
        let Some(handles) = VERBS.iter().position(|known| *known == verb).and_then(|index| of_class.get(index)) else {
            return;
        };
        let labels = ByVerb { cluster: Arc::clone(&cluster.name), verb, class };
        handles.duration.get_or_init(|| self.durations.get_or_create_owned(&labels)).observe(closed.took);
        if !closed.waited.is_zero() {
            handles.upstream.get_or_init(|| self.upstream.get_or_create_owned(&labels)).observe(closed.waited);
        }
        let labels = |code| ByCode { cluster: Arc::clone(&cluster.name), verb, class, code };
        let code = closed.code.as_u16();
        match CODES.iter().position(|known| *known == code).and_then(|index| handles.codes.get(index)) {
            Some(handle) => handle.get_or_init(|| self.requests.get_or_create_owned(&labels(code))).inc(),
            None => self.requests.get_or_create(&labels(class_of(closed.code))).inc(),
        };
    }

    fn cluster(&self, name: &str) -> Arc<ClusterHandles> {
        if let Some(handles) = self.by_cluster.load().get(name) {
            return Arc::clone(handles);
        }
        let fresh = Arc::new(ClusterHandles::new(name));
        self.by_cluster.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.entry(Arc::clone(&fresh.name)).or_insert_with(|| Arc::clone(&fresh));
            known
        });
        self.by_cluster.load().get(name).map_or(fresh, Arc::clone)
    }
}

type ByCluster = HashMap<Arc<str>, Arc<ClusterHandles>>;

#[derive(Debug)]
struct ClusterHandles {
    name: Arc<str>,
    resource: Verbs,
    subresource: Verbs,
    non_resource: Verbs,
    unread: Verbs,
}

type Verbs = [VerbHandles; VERBS.len()];

impl ClusterHandles {
    fn new(name: &str) -> Self {
        let verbs = Verbs::default;
        Self { name: name.into(), resource: verbs(), subresource: verbs(), non_resource: verbs(), unread: verbs() }
    }
}

#[derive(Debug, Default)]
struct VerbHandles {
    duration: OnceLock<Histogram>,
    upstream: OnceLock<Histogram>,
    codes: [OnceLock<Counter>; CODES.len()],
}

#[derive(Debug, Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(&LATENCY)
    }
}

/// The bounds of kube-apiserver's own request durations, so that the two can be laid over each other.
const LATENCY: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
];

const VERBS: [&str; 11] =
    ["GET", "LIST", "WATCH", "CREATE", "UPDATE", "PATCH", "DELETE", "DELETECOLLECTION", "CONNECT", "OTHER", "UNREAD"];

const CODES: [u16; 29] = [
    101, 200, 201, 202, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 421, 422, 429,
    431, 499, 500, 502, 503, 504,
];

fn verb_class(verb: &str) -> &'static str {
    match verb {
        "get" | "head" | "options" => "GET",
        "list" => "LIST",
        "watch" => "WATCH",
        "create" | "post" => "CREATE",
        "update" | "put" => "UPDATE",
        "patch" => "PATCH",
        "delete" => "DELETE",
        "deletecollection" => "DELETECOLLECTION",
        "proxy" => "CONNECT",
        "" => "UNREAD",
        _ => "OTHER",
    }
}

/// A code that is not in the table counts with its class.
fn class_of(code: StatusCode) -> u16 {
    code.as_u16() / 100 * 100
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVerb {
    cluster: Arc<str>,
    verb: &'static str,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    cluster: Arc<str>,
    verb: &'static str,
    class: &'static str,
    code: u16,
}
