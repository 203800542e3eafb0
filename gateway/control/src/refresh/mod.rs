//! Keeps what we know of people as fresh as their directory.
//!
//! By a timer, and when somebody asks for it. The rules (see [`Outcome`]): an outage changes nothing; incomplete groups
//! never replace complete ones; who is gone, switched off or refused by the policy loses their sessions; who lost
//! something keeps the session, without it.

mod apply;
mod due;
mod queue;
mod requests;
mod schedule;
mod secrets;

pub(crate) use due::due_at;
pub use requests::{PrincipalAnswer, RefreshAnswer};
pub(crate) use requests::{answer as read_answer, request};
pub(crate) use secrets::Turns;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use auth_core::{AuthError, Completeness, InstanceId, PrincipalId, Refetch};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use queue::Queue;

use crate::control::Control;
use crate::identity::Person;
use crate::registry::{Proven, ProviderEntry, Refused, Registry};
use crate::store::StoreFault;
use crate::users::UserId;

/// What a refetch came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The provider knows them; their sessions carry what it says now.
    Current {
        /// How many groups they are in.
        groups: usize,
    },
    /// Not all groups could be read: the ones known before stay.
    Incomplete {
        /// Why, for the operator.
        why: String,
    },
    /// The provider does not know them any more: sessions ended.
    Gone,
    /// They are switched off there: sessions ended.
    Disabled,
    /// Only they can renew it: sessions ended.
    NeedsLogin,
    /// A login would be refused now: sessions ended.
    Refused {
        /// Why, for the operator.
        why: String,
    },
    /// The provider, or our store, did not answer: nothing changed.
    Unavailable {
        /// Why, for the operator.
        why: String,
    },
    /// Their provider is not configured: nobody was asked.
    NotConfigured,
}

impl Outcome {
    fn unavailable(error: &AuthError) -> Self {
        Self::Unavailable { why: error.audit_text() }
    }
}

impl From<StoreFault> for Outcome {
    fn from(fault: StoreFault) -> Self {
        Self::Unavailable { why: auth_core::with_causes(&fault) }
    }
}

/// Asks providers again. One per running gateway.
#[derive(Debug)]
pub(crate) struct Refresher {
    control: Arc<Control>,
    requested: Arc<Notify>,
    /// Instances that a round is under way for: one that hangs does not hold up the others.
    busy: Mutex<HashSet<InstanceId>>,
    queue: Mutex<Queue>,
    /// Fires when a round is over.
    returned: Notify,
    /// What this process is called where it claims people.
    holder: String,
}

impl Refresher {
    pub(crate) fn new(control: &Arc<Control>, requested: Arc<Notify>) -> Arc<Self> {
        let control = Arc::clone(control);
        Arc::new(Self {
            control,
            requested,
            busy: Mutex::default(),
            queue: Mutex::default(),
            returned: Notify::new(),
            holder: uuid::Uuid::now_v7().simple().to_string(),
        })
    }

    fn busy(&self) -> std::sync::MutexGuard<'_, HashSet<InstanceId>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// Asks the provider about one principal and does what the answer says.
    pub(crate) async fn read_anew(&self, registry: &Registry, user: &UserId, principal: &PrincipalId) -> Outcome {
        self.try_read_anew(registry, user, principal).await.unwrap_or_else(Outcome::from)
    }

    /// The same, with what the store did not take in told apart from what the provider did not say.
    async fn try_read_anew(
        &self,
        registry: &Registry,
        user: &UserId,
        principal: &PrincipalId,
    ) -> Result<Outcome, StoreFault> {
        let outcome = match registry.entry(principal.instance().as_str()) {
            Some(entry) => self.ask_about(registry, entry, user, principal).await,
            None => Ok(Outcome::NotConfigured),
        };
        match &outcome {
            Ok(outcome) => log(user, principal, outcome),
            Err(fault) => {
                tracing::error!(%user, %principal, why = %auth_core::with_causes(fault), "not read anew");
            }
        }
        outcome
    }

    async fn ask_about(
        &self,
        registry: &Registry,
        entry: &ProviderEntry,
        user: &UserId,
        principal: &PrincipalId,
    ) -> Result<Outcome, StoreFault> {
        let store = self.store();
        let started = store.now();
        let trace = format!("refresh-{}", uuid::Uuid::now_v7());
        let asked = (principal, started);
        let current = match self.refetch(entry, &trace, principal).await? {
            Err(error) if says_no(&error) => {
                return apply::end(self, asked, Outcome::Refused { why: error.to_string() }).await;
            }
            Err(error) => return Ok(Outcome::unavailable(&error)),
            Ok(Refetch::UserGone) => return apply::end(self, asked, Outcome::Gone).await,
            Ok(Refetch::UserDisabled) => return apply::end(self, asked, Outcome::Disabled).await,
            Ok(Refetch::NeedsLogin) => return apply::end(self, asked, Outcome::NeedsLogin).await,
            Ok(Refetch::Current(current)) => *current,
        };
        if let Completeness::Incomplete(why) = &current.completeness {
            return apply::incomplete(store, principal, why.clone()).await;
        }
        let person = Person::from(current);
        let ctx = self.context(trace);
        match registry.admit(entry, Proven { ctx: &ctx, uid: user, person: &person, store }).await {
            Ok(identity) => apply::renew(self, identity, &person, started).await,
            Err(Refused::Store(fault)) => Err(fault),
            Err(Refused::Provider(error)) if !says_no(&error) => Ok(Outcome::unavailable(&error)),
            Err(refused) => apply::end(self, asked, Outcome::Refused { why: refused.to_string() }).await,
        }
    }
}

fn log(user: &UserId, principal: &PrincipalId, outcome: &Outcome) {
    if !matches!(outcome, Outcome::Current { .. }) {
        tracing::warn!(%user, %principal, ?outcome, "not read anew");
    }
}

/// Whether this is an answer about the person, and not the lack of one.
const fn says_no(error: &AuthError) -> bool {
    matches!(error, AuthError::NotInRequiredGroups | AuthError::PolicyDenied(_))
}

#[cfg(test)]
mod tests;
