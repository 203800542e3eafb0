//! Second stage: who sent it? One credential, one verifier.

mod bearer;
mod caller;
mod sessions;

use std::sync::Arc;

use crate::admit::Admitted;
use crate::audit::Record;
use crate::boundary::ResolveError;
use crate::gate::Gate;
use crate::refusal::Refusal;

pub(crate) use caller::{Allowance, Caller, Kind, Slot};
pub(crate) use sessions::{Asks, Sessions};

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
    let caller = match common.sessions.warm(&key) {
        Some(caller) => caller,
        None => {
            // Who guesses from an address shuts out nobody there who is known.
            if !common.sessions.is_known(&key) {
                admitted.peer().source().may_fail(now, limits)?;
            }
            match Box::pin(common.sessions.cold(key, found.credential)).await {
                Ok(caller) => caller,
                Err(error) => return Err(refused(error, &admitted, now)),
            }
        }
    };
    record.called_by(&caller);
    Ok(Authenticated { admitted: admitted.without_credential(found.protocols), caller })
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

fn refused(error: ResolveError, admitted: &Admitted, now: std::time::Instant) -> Refusal {
    let retry_after = std::time::Duration::from_secs(1);
    match error {
        ResolveError::Unauthenticated(rejected) => {
            match admitted.peer().source().take_failure(now, admitted.snapshot().limits()) {
                Ok(()) => Refusal::Unauthenticated(rejected),
                Err(too_many) => too_many,
            }
        }
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
