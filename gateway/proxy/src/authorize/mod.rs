//! Third stage: may the caller go there at all?
//!
//! It is about the caller and the gateway: rate, the token's scope, grants. What the caller may do inside a cluster is
//! that cluster's to decide.

mod read_only;

use std::sync::Arc;

use http::Method;

use crate::admit::{Admitted, Place, Target};
use crate::audit::Record;
use crate::authenticate::{Authenticated, Caller, Kind};
use crate::boundary::{Cluster, Scope, Snapshot};
use crate::gate::Gate;
use crate::refusal::Refusal;

/// Evidence that a caller may enter the cluster that a request goes to.
#[derive(Debug)]
pub struct Authorized {
    admitted: Admitted,
    caller: Arc<Caller>,
    cluster: Arc<Cluster>,
}

/// Who goes where.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) caller: Arc<Caller>,
    pub(crate) cluster: Arc<Cluster>,
}

/// Evidence that a caller may use the gateway's own API.
#[derive(Debug)]
pub(crate) struct Managed {
    admitted: Admitted,
    caller: Arc<Caller>,
}

/// Which door is open.
pub(crate) enum Permitted {
    Cluster(Authorized),
    Management(Managed),
}

/// Checks limits, scope and grants.
pub(crate) fn run(gate: &Gate, authenticated: Authenticated, record: &mut Record) -> Result<Permitted, Refusal> {
    let (admitted, caller) = authenticated.into_parts();
    let snapshot = admitted.snapshot();
    let slot = caller.allowance().take(gate.common.time.monotonic(), snapshot.limits(), kind(&admitted))?;
    record.occupies(slot);
    let cluster = match admitted.target() {
        Target::Management { path } => {
            check_management(&caller.resolved().scope, &admitted.head().method, path.path())?;
            return Ok(Permitted::Management(Managed { admitted, caller }));
        }
        // Everything there is public, and never comes here.
        Target::Console { .. } => return Err(Refusal::NotFound),
        // What holds now, not what held when the request came: a reload after this finds the caller, and ends it.
        Target::Cluster { place, .. } => enter(&gate.common.snapshot.load(), &caller, place, &admitted)?,
    };
    Ok(Permitted::Cluster(Authorized { admitted, caller, cluster }))
}

impl Authorized {
    pub(crate) fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    pub(crate) fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Gives up the evidence for what it is about.
    pub(crate) fn into_parts(self) -> (Admitted, Way) {
        (self.admitted, Way { caller: self.caller, cluster: self.cluster })
    }
}

impl Managed {
    pub(crate) fn into_parts(self) -> (Admitted, Arc<Caller>) {
        (self.admitted, self.caller)
    }
}

fn kind(admitted: &Admitted) -> Kind {
    match (admitted.upgrade(), admitted.info().is_long_running(false)) {
        (Some(_), _) => Kind::Upgrade,
        (None, true) => Kind::Long,
        (None, false) => Kind::Short,
    }
}

fn enter(snapshot: &Snapshot, caller: &Caller, place: &Place, admitted: &Admitted) -> Result<Arc<Cluster>, Refusal> {
    let (scope, id) = (&caller.resolved().scope, place.id());
    let in_scope = scope.upstreams.as_ref().is_none_or(|upstreams| upstreams.iter().any(|name| name == id));
    let granted = caller.granted(snapshot);
    let access = granted.on(id).filter(|_| in_scope && snapshot.cluster(id).is_some());
    // The grant for `*` covers no cluster that is not there, and the answer does not tell the two apart.
    let (Some(access), Place::Known(cluster)) = (access, place) else {
        return Err(Refusal::NoGrant { cluster: id.into(), whom_to_ask: snapshot.whom_to_ask().into() });
    };
    if access.read_only || scope.read_only {
        read_only::check(&admitted.head().method, admitted.info(), admitted.upgrade().is_some())?;
    }
    match granted.reserved_on(id) {
        Some(name) => Err(Refusal::MayNotActAs(format!("{name:?} is a reserved name on this cluster").into())),
        None => Ok(Arc::clone(cluster)),
    }
}

// A token that was narrowed for a machine must not become a way to wider ones. Ending itself is always allowed.
fn check_management(scope: &Scope, method: &Method, path: &str) -> Result<(), Refusal> {
    if scope.clusters_only {
        return Err(Refusal::OutOfScope("the token is for a cluster alone"));
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let ends_itself = *method == Method::DELETE && path == "/api/v1/tokens/current";
    if scope.is_narrowed() && !reads && !ends_itself {
        return Err(Refusal::OutOfScope("the token may only read here"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
