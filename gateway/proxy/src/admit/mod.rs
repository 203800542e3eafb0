//! First stage: is this a request that we understand in exactly one way, and where does it go?
//!
//! Two readers of one request that disagree are how gateways are talked past: a second `Host`, a dot segment, a name
//! that another server folds. Whatever could be read twice is refused here, before anyone is asked who sent it.

mod incoming;
mod public;
mod route;
mod shape;
mod source;
mod upgrade;

use std::sync::Arc;

use http::request::Parts;
use kube_wire::RequestInfo;

use crate::audit::Record;
use crate::body::Body;
use crate::boundary::Snapshot;
use crate::gate::Gate;
use crate::refusal::Refusal;

pub use incoming::Incoming;
pub(crate) use incoming::Peer;
pub use public::Public;
pub(crate) use route::Target;
pub(crate) use source::{Source, Sources};
pub(crate) use upgrade::{Protocol, Upgrade};

/// Evidence that a request has one meaning and a place to go. Nobody knows yet whose it is.
#[derive(Debug)]
pub struct Admitted {
    head: Parts,
    body: Body,
    upgrade: Option<Upgrade>,
    target: Target,
    info: Arc<RequestInfo>,
    peer: Arc<Peer>,
    snapshot: Arc<Snapshot>,
}

/// Where a request enters: by proving who sent it, or by one of the few doors that ask nobody.
pub(crate) enum Entry {
    Private(Admitted),
    Public(Public),
}

/// Checks shape and route.
pub(crate) fn run(gate: &Gate, incoming: Incoming, record: &mut Record) -> Result<Entry, Refusal> {
    let snapshot = gate.common.snapshot.load_full();
    let now = gate.common.time.monotonic();
    let (head, body, on_upgrade, peer) = incoming.into_parts();
    peer.source().take(now, snapshot.limits())?;
    let host = shape::check(&head)?;
    let target = route::find(&snapshot, &head, &host, &peer)?;
    let path = target.path(&head);
    record.routed(&target, path);
    let info = RequestInfo::parse(&head.method, path.path(), path.query())
        .map_err(|fault| Refusal::BadRequest(fault.to_string().into()))?;
    let info = Arc::new(info);
    route::check_path(path.path(), &info)?;
    let upgrade = upgrade::wanted(&head, on_upgrade)?;
    record.asks(&info, upgrade.is_some());
    let admitted = Admitted { head, body: body.without_trailers(), upgrade, target, info, peer, snapshot };
    match public::is_public(&admitted) {
        true => {
            admitted.peer.source().take_failure(now, admitted.snapshot.limits())?;
            Ok(Entry::Public(Public::of(admitted)))
        }
        false => Ok(Entry::Private(admitted)),
    }
}

impl Admitted {
    pub(crate) fn head(&self) -> &Parts {
        &self.head
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn info(&self) -> &RequestInfo {
        &self.info
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    pub(crate) fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    pub(crate) fn into_parts(self) -> (Parts, Body, Option<Upgrade>, Arc<Peer>) {
        (self.head, self.body, self.upgrade, self.peer)
    }
}
