//! Where does it go? By host name, or by a prefix of the path.

use std::sync::Arc;

use http::request::Parts;
use http::uri::PathAndQuery;
use kube_wire::{RequestInfo, is_dns1035_label};

use crate::admit::Peer;
use crate::boundary::{Cluster, Snapshot};
use crate::refusal::Refusal;

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// To a cluster.
    Cluster {
        place: Place,
        /// What the cluster is asked: the client's bytes after the prefix.
        path: PathAndQuery,
    },
    /// To the gateway's own API.
    Management {
        /// The client's bytes.
        path: PathAndQuery,
    },
    /// To the issuer and its pages, on a host name of their own.
    Console {
        /// The client's bytes.
        path: PathAndQuery,
    },
}

/// A cluster, by a well-formed id. Whether it exists is told to nobody who may not enter it.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Known(Arc<Cluster>),
    Unknown(Box<str>),
}

impl Place {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Known(cluster) => cluster.id(),
            Self::Unknown(id) => id,
        }
    }
}

impl Target {
    /// The path and query that the target sees.
    pub(crate) fn path(&self) -> &PathAndQuery {
        match self {
            Self::Cluster { path, .. } | Self::Management { path } | Self::Console { path } => path,
        }
    }
}

/// Finds the target of a request to `host`.
pub(super) fn find(snapshot: &Snapshot, head: &Parts, host: &str, peer: &Peer) -> Result<Target, Refusal> {
    let path = head.uri.path_and_query().ok_or_else(|| Refusal::bad_request("the target must be a path"))?;
    // A connection made for one name and used for another: the client must open a second one.
    let is_for_another = || peer.server_name().is_some_and(|name| name != host);
    if snapshot.is_console(host) {
        return if is_for_another() { Err(Refusal::Misdirected) } else { Ok(Target::Console { path: path.clone() }) };
    }
    if let Some(cluster) = snapshot.cluster_of_host(host) {
        if is_for_another() {
            return Err(Refusal::Misdirected);
        }
        return Ok(Target::Cluster { place: Place::Known(Arc::clone(cluster)), path: path.clone() });
    }
    if !snapshot.serves(host) {
        return Err(Refusal::Misdirected);
    }
    if let Some(rest) = path.as_str().strip_prefix(CLUSTERS) {
        return cluster(snapshot, rest);
    }
    if path.path() == METADATA
        || path.path() == MANAGEMENT
        || path.path().strip_prefix(MANAGEMENT).is_some_and(|rest| rest.starts_with('/'))
    {
        return Ok(Target::Management { path: path.clone() });
    }
    Err(Refusal::NotFound)
}

/// Refuses a path that a later server could walk differently than we read it.
///
/// The bytes of a pod's own path may hold encoded and doubled slashes, and reach the pod unchanged.
pub(super) fn check_path(path: &str, info: &RequestInfo) -> Result<(), Refusal> {
    if path.contains('\\') || info.path.chars().any(char::is_control) {
        return Err(Refusal::bad_request("the path holds a backslash or a control character"));
    }
    if info.path.split(['/', '\\']).any(is_dot_segment) {
        return Err(Refusal::bad_request("the path holds a dot segment"));
    }
    if !info.is_proxied() && (path.contains("//") || info.path.contains('\\') || slashes(path) != slashes(&info.path)) {
        return Err(Refusal::bad_request("the path holds a doubled or an encoded slash"));
    }
    Ok(())
}

/// `.`, `..`, and both with path parameters, which some servers drop: `..;x`.
fn is_dot_segment(segment: &str) -> bool {
    matches!(segment.split(';').next(), Some("." | ".."))
}

fn slashes(path: &str) -> usize {
    path.bytes().filter(|byte| *byte == b'/').count()
}

fn cluster(snapshot: &Snapshot, rest: &str) -> Result<Target, Refusal> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (id, rest) = rest.split_at_checked(end).ok_or(Refusal::NotFound)?;
    if !is_dns1035_label(id) {
        return Err(Refusal::NotFound);
    }
    let path = match rest.starts_with('/') {
        true => PathAndQuery::try_from(rest),
        false => PathAndQuery::try_from(format!("/{rest}")),
    };
    let path = path.map_err(|_| Refusal::bad_request("the target is not a path"))?;
    let place = snapshot.cluster(id).map_or_else(|| Place::Unknown(id.into()), |known| Place::Known(Arc::clone(known)));
    Ok(Target::Cluster { place, path })
}

const CLUSTERS: &str = "/k8s/clusters/";
const MANAGEMENT: &str = "/api/v1";
/// Where a client learns which issuer to ask (RFC 9728 §3).
const METADATA: &str = "/.well-known/oauth-protected-resource";

#[cfg(test)]
mod tests;
