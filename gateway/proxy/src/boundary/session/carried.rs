//! The tokens that one session carries to clusters which trust our issuer, each rendered once.

use std::collections::HashMap;
use std::time::Instant;

use arc_swap::ArcSwap;
use http::HeaderValue;

/// By cluster. A session has few, and one is replaced every few minutes, so that a reader takes no lock.
#[derive(Debug, Default)]
pub(crate) struct Carried(ArcSwap<ByCluster>);

type ByCluster = HashMap<Box<str>, Rendered>;

/// An `Authorization` header, marked sensitive: `Debug` shows nothing of it.
#[derive(Debug, Clone)]
struct Rendered {
    header: HeaderValue,
    renew_at: Instant,
}

impl Carried {
    /// The header for a cluster, unless it is time for a new one.
    pub(crate) fn get(&self, cluster: &str, now: Instant) -> Option<HeaderValue> {
        let carried = self.0.load();
        carried.get(cluster).filter(|rendered| now < rendered.renew_at).map(|rendered| rendered.header.clone())
    }

    /// Remembers a header. Two requests that both made one keep one of them; both are good.
    pub(crate) fn keep(&self, cluster: &str, header: &HeaderValue, renew_at: Instant) {
        self.0.rcu(|carried| {
            let mut next = ByCluster::clone(carried);
            next.insert(cluster.into(), Rendered { header: header.clone(), renew_at });
            next
        });
    }
}
