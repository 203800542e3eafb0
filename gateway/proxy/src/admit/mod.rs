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

use http::HeaderValue;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use kube_wire::RequestInfo;

use crate::audit::Record;
use crate::body::Body;
use crate::boundary::Snapshot;
use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::spill;

pub use incoming::Incoming;
pub(crate) use incoming::Peer;
pub use public::Public;
pub(crate) use route::{Place, Target};
pub(crate) use source::{Source, Sources, Unfinished};
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

/// A request without its evidence.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) head: Parts,
    pub(crate) body: Body,
    pub(crate) upgrade: Option<Upgrade>,
    pub(crate) peer: Arc<Peer>,
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
    let Incoming { head, body, upgrade, peer } = incoming;
    peer.source().take(now, snapshot.limits())?;
    let host = shape::check_target(&head, snapshot.limits())?;
    let target = route::find(&snapshot, &head, &host, &peer)?;
    record.routed(&target);
    shape::check_headers(&head, snapshot.limits())?;
    let path = target.path();
    if spill::holds_token(path.as_str().as_bytes()) && !is_logout(&target) {
        return Err(Refusal::bad_request(spill::WHERE_IT_BELONGS));
    }
    let info = RequestInfo::parse(&head.method, path.path(), path.query())
        .map_err(|fault| Refusal::bad_request(fault.to_string()))?;
    let info = Arc::new(info);
    route::check_path(path.path(), &info)?;
    let upgrade = upgrade::wanted(&head, upgrade)?;
    record.understood(&info, upgrade.is_some());
    let admitted = Admitted { head, body: body.without_trailers(), upgrade, target, info, peer, snapshot };
    if !public::is_public(&admitted) {
        return Ok(Entry::Private(admitted));
    }
    public::pay(&admitted, now)?;
    Ok(Entry::Public(Public::of(admitted)))
}

/// Whether a browser comes to log out. It brings an ID token in its query (OpenID Connect RP-Initiated Logout 1.0 §2),
/// and nothing there goes to a cluster. The log hides it all the same.
fn is_logout(target: &Target) -> bool {
    matches!(target, Target::Console { path } if path.path() == "/oidc/logout")
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

    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    pub(crate) fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    /// Takes the credential out, so that no later stage can pass it on.
    pub(crate) fn without_credential(mut self, protocols: Option<HeaderValue>) -> Self {
        self.head.headers.remove(AUTHORIZATION);
        if let Some(protocols) = protocols {
            self.head.headers.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
        }
        self
    }

    /// Gives up the evidence for the request in it.
    pub(crate) fn into_request(self) -> Asked {
        Asked { head: self.head, body: self.body, upgrade: self.upgrade, peer: self.peer }
    }
}
