//! Second stage: who sent it? One credential, one verifier.

mod bearer;
mod caller;
mod service_accounts;
mod sessions;

use std::sync::Arc;

use crate::admit::{Admitted, Peer};
use crate::audit::Record;
use crate::boundary::{Cluster, Credential, Rejected, ResolveError, Snapshot};
use crate::gate::{Common, Gate};
use crate::refusal::Refusal;

pub(crate) use caller::{Allowance, Caller, Kind, Slot};
pub(crate) use service_accounts::{ServiceAccounts, keep as keep_service_accounts};
pub(crate) use sessions::{Asks, Sessions};

use service_accounts::{is_made_by, own_tokens_of};
use sessions::Key;

/// Evidence of who sent a request, for that request alone: it holds the request.
#[derive(Debug)]
pub struct Authenticated {
    admitted: Admitted,
    caller: Arc<Caller>,
}

/// Finds out who sent the request, and takes the credential out of it.
pub(crate) async fn run(gate: &Gate, admitted: Admitted, record: &mut Record) -> Result<Authenticated, Refusal> {
    let common = &gate.common;
    let now = common.time.monotonic();
    let limits = admitted.snapshot().limits();
    let found = match bearer::find(admitted.head(), admitted.upgrade()) {
        Ok(found) => found,
        Err(rejected) => {
            // A client that sends garbage in a loop pays for it like one that guesses.
            admitted.peer().source().take_failure(now, limits)?;
            return Err(Refusal::Unauthenticated(rejected));
        }
    };
    if !common.sessions.is_fresh(now) {
        return Err(unavailable("revocations cannot be read"));
    }
    let key = common.sessions.key(&found.credential);
    let own = own_tokens_of(&admitted).and_then(|cluster| common.service_accounts.warm(common, cluster, &key));
    let caller = match own.or_else(|| common.sessions.warm(&key)) {
        Some(caller) => caller,
        None => Box::pin(cold(gate, Stranger::of(&admitted), key, found.credential)).await?,
    };
    record.called_by(&caller);
    Ok(Authenticated { admitted: admitted.without_credential(found.protocols), caller })
}

/// Asks the one who knows about this kind of credential.
async fn cold(gate: &Gate, stranger: Stranger, key: Key, credential: Credential) -> Result<Arc<Caller>, Refusal> {
    let common = &gate.common;
    if let Some(cluster) = &stranger.at
        && let Some(token) = is_made_by(cluster, &credential)
    {
        return common.service_accounts.ask(gate, &stranger, (cluster, token), key).await;
    }
    // Who guesses from an address shuts out nobody there who is known.
    if !common.sessions.is_known(&key) {
        stranger.may_fail(common)?;
    }
    let found = common.sessions.cold(key, credential).await;
    found.map_err(|error| refused(error, &stranger, common))
}

/// Where a request comes from that nobody is known to have sent, and where it goes.
struct Stranger {
    peer: Arc<Peer>,
    snapshot: Arc<Snapshot>,
    /// The cluster, where its own tokens come in.
    at: Option<Arc<Cluster>>,
}

impl Stranger {
    fn of(admitted: &Admitted) -> Self {
        let (peer, snapshot) = (Arc::clone(admitted.peer()), Arc::clone(admitted.snapshot()));
        Self { peer, snapshot, at: own_tokens_of(admitted).cloned() }
    }

    /// Whether its address may guess once more.
    fn may_fail(&self, common: &Common) -> Result<(), Refusal> {
        self.peer.source().may_fail(common.time.monotonic(), self.snapshot.limits())
    }

    /// A guess was wrong.
    fn failed(&self, common: &Common, rejected: Rejected) -> Refusal {
        match self.peer.source().take_failure(common.time.monotonic(), self.snapshot.limits()) {
            Ok(()) => Refusal::Unauthenticated(rejected),
            Err(too_many) => too_many,
        }
    }
}

impl Authenticated {
    #[cfg(test)]
    pub(crate) fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    #[cfg(test)]
    pub(crate) fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    pub(crate) fn into_parts(self) -> (Admitted, Arc<Caller>) {
        (self.admitted, self.caller)
    }
}

fn refused(error: ResolveError, stranger: &Stranger, common: &Common) -> Refusal {
    let retry_after = std::time::Duration::from_secs(1);
    match error {
        ResolveError::Unauthenticated(rejected) => stranger.failed(common, rejected),
        ResolveError::Unavailable { retry_after } => {
            Refusal::Unavailable { retry_after, what: "the session store is unavailable" }
        }
        ResolveError::Overloaded => Refusal::TooMany { retry_after, what: "logins at once" },
    }
}

fn unavailable(what: &'static str) -> Refusal {
    Refusal::Unavailable { retry_after: std::time::Duration::from_secs(5), what }
}

#[cfg(test)]
mod tests;
