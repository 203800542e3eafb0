//! People about whom the store says more than their provider: something was taken away, and could not be written down.
//!
//! A disk that is full must keep nobody in. Until the store takes it in, their sessions wait (503), and what runs ends.
//! There are no more of them than there are people with sessions.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use auth_core::PrincipalId;

use super::Control;
use crate::changes::ChangeEvent;
use crate::sessions::{self, SessionId, Since, borne};
use crate::store::StoreFault;

/// Principals, as the store spells them.
#[derive(Debug, Default)]
pub(super) struct Outdated(Mutex<HashSet<String>>);

impl Outdated {
    // Nothing that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// Notes that the store could not take in what was taken away from somebody.
    pub(crate) async fn distrust(&self, principal: &PrincipalId) {
        self.outdated.lock().insert(principal.to_string());
        tracing::error!(%principal, "what the provider took away cannot be written: their sessions wait until it is");
        match self.live_of(principal).await {
            Ok(live) => {
                live.into_iter().for_each(|session| self.tell(ChangeEvent::SessionChanged { session, lost: true }));
            }
            Err(_) => self.tell(ChangeEvent::Reset),
        }
    }

    /// Notes that the store knows again what the provider says.
    pub(crate) fn trust(&self, principal: &PrincipalId) {
        self.outdated.lock().remove(&principal.to_string());
    }

    /// Whether the store is known to say too much about somebody.
    pub(crate) fn is_outdated(&self, principal: &str) -> bool {
        self.outdated.lock().contains(principal)
    }

    async fn live_of(&self, principal: &PrincipalId) -> Result<Vec<SessionId>, StoreFault> {
        let (mut reader, now) = (self.store.read().await?, self.store.now());
        let live = sessions::live(&mut reader, Since::Of(principal), now).await?;
        // Whoever is gone is gone by outside tokens, too.
        let borne = borne::live_of_person(&mut reader, principal, now).await?;
        Ok(live.into_iter().map(|one| one.id).chain(borne).collect())
    }
}
