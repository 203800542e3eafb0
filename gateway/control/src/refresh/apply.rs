//! Does to the sessions of a principal what a refetch says.

use auth_core::{Identity, PrincipalId};
use jiff::Timestamp;

use super::Outcome;
use crate::control::Control;
use crate::identity::{self, NameTaken, Person, SessionIdentity};
use crate::login::log_withheld;
use crate::sessions::{self, SessionId, Which};
use crate::store::{Change, Changes, Store, StoreFault};

/// Why a session ends that only its person can renew.
pub(super) const NEEDS_LOGIN: &str = "the user has to log in again";

/// Ends the sessions of the principal. Where they only have to log in again, one that did so after the provider was
/// asked stays, and so do tokens of outside issuers, which nobody asks about again.
pub(super) async fn end(
    control: &Control,
    (principal, asked_at): (&PrincipalId, Timestamp),
    outcome: Outcome,
) -> Result<Outcome, StoreFault> {
    let why = match &outcome {
        Outcome::Gone => "the provider does not know the user any more",
        Outcome::Disabled => "the user is disabled at the provider",
        Outcome::NeedsLogin => NEEDS_LOGIN,
        Outcome::Refused { why } => why,
        Outcome::Current { .. } | Outcome::Incomplete { .. } | Outcome::Unavailable { .. } | Outcome::NotConfigured => {
            return Ok(outcome);
        }
    };
    let which = match &outcome {
        Outcome::NeedsLogin => Which::LastReadBy(principal, asked_at),
        _ => Which::OfPrincipal(principal),
    };
    let ended = sessions::end_now(control.store(), which, why).await;
    written(control, principal, ended).await?;
    Ok(outcome)
}

/// What the provider said holds, whether or not the store could take it in.
async fn written<T>(
    control: &Control,
    principal: &PrincipalId,
    written: Result<T, StoreFault>,
) -> Result<T, StoreFault> {
    let written = or_distrust(control, principal, written).await;
    if written.is_ok() {
        control.trust(principal);
    }
    written
}

/// The same for a step on the way: that it was written says nothing of the rest of the answer.
pub(super) async fn or_distrust<T>(
    control: &Control,
    principal: &PrincipalId,
    written: Result<T, StoreFault>,
) -> Result<T, StoreFault> {
    if written.is_err() {
        control.distrust(principal).await;
    }
    written
}

/// Notes why, and changes nothing else.
pub(super) async fn incomplete(store: &Store, principal: &PrincipalId, why: String) -> Result<Outcome, StoreFault> {
    let mut write = store.write().await?;
    if let Some(changes) = sessions::note_incomplete(&mut write, principal, &why).await? {
        write.commit(changes).await?;
    }
    Ok(Outcome::Incomplete { why })
}

/// Gives every session of the person the identity that they have now. One that logged in after the provider was asked
/// knows better, and is left alone.
pub(super) async fn renew(
    control: &Control,
    identity: Identity,
    person: &Person,
    asked_at: Timestamp,
) -> Result<Outcome, StoreFault> {
    let renewed = try_renew(control.store(), identity, person, asked_at).await;
    match written(control, &person.user.id, renewed).await? {
        Ok(()) => Ok(Outcome::Current { groups: person.groups.len() }),
        Err(NameTaken { name, owner }) => {
            let why = format!("the user name {name:?} belongs to {owner}");
            end(control, (&person.user.id, asked_at), Outcome::Refused { why }).await
        }
    }
}

async fn try_renew(
    store: &Store,
    identity: Identity,
    person: &Person,
    asked_at: Timestamp,
) -> Result<Result<(), NameTaken>, StoreFault> {
    let mut write = store.write().await?;
    let new = match identity::own(&mut write, identity, person).await? {
        Ok(new) => new,
        Err(taken) => return Ok(Err(taken)),
    };
    let mut changes = Vec::new();
    for (session, old) in sessions::of_principal(&mut write, &person.user.id, asked_at).await? {
        sessions::renew(&mut write, &session, &new, (&person.groups, asked_at)).await?;
        if old != new {
            log_withheld(&session, &new);
        }
        changes.push(change(session, &old, &new));
    }
    if let Some(changes) = Changes::collect(changes) {
        write.commit(changes).await?;
    }
    Ok(Ok(()))
}

fn change(session: SessionId, old: &SessionIdentity, new: &SessionIdentity) -> Change {
    if old == new {
        Change::SessionChecked(session)
    } else if old.loses_by(new) {
        Change::SessionLost(session)
    } else {
        Change::SessionRenewed(session)
    }
}
