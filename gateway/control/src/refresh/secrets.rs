//! Asking a provider with what it left with us.
//!
//! Each login of a person has its own secret. The newest is asked with first; one that only its person can renew ends its
//! own session, and the next is tried. A secret that comes back is written down before the answer is used: the old one
//! may be spent. Questions about one person come one after the other: an issuer that rotates its secrets takes one that
//! comes twice for stolen, and ends the login (RFC 9700 §4.14.2). The time of a question begins with its turn: one that
//! was sent with little left would spend the secret, and nobody would wait for the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use auth_core::{AuthError, PrincipalId, ProviderSecret, Refetch, SecretUpdate};

use super::apply::{self, NEEDS_LOGIN};
use crate::control::Control;
use crate::keys::KeyFault;
use crate::registry::ProviderEntry;
use crate::sessions::{self, SessionId, Which};
use crate::store::{Change, StoreFault};

/// Whose turn it is to be asked about. Only those who are being asked about take room.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<PrincipalId, Turn>>);

type Turn = Arc<tokio::sync::Mutex<()>>;

impl Turns {
    pub(super) fn of(&self, principal: &PrincipalId) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(principal.clone()).or_default())
    }
}

impl Control {
    /// Asks about one principal, with the secret of a session where the provider left one.
    pub(super) async fn refetch(
        &self,
        entry: &ProviderEntry,
        trace: &str,
        principal: &PrincipalId,
    ) -> Result<Result<Refetch, AuthError>, StoreFault> {
        if self.secrets_left(principal).await?.is_empty() {
            return Ok(self.refetch_with(entry, trace, principal, None).await);
        }
        let turn = self.turns().of(principal);
        let _alone = tokio::select! {
            alone = turn.lock() => alone,
            () = self.clock().sleep(self.settings().provider_deadline) => {
                return Ok(Err(AuthError::unavailable("another question about this person takes its time")));
            }
        };
        for (session, sealed) in self.secrets_left(principal).await? {
            let secret = self.open_secret(&session, &sealed);
            let mut answer = self.refetch_with(entry, trace, principal, secret).await;
            match &mut answer {
                Ok(Refetch::NeedsLogin) => {
                    let ended = sessions::end_now(self.store(), Which::One(&session), NEEDS_LOGIN).await;
                    apply::or_distrust(self, principal, ended).await?;
                }
                Ok(Refetch::Current(current)) => {
                    if let SecretUpdate::Replace(next) = &current.secret {
                        let kept = self.keep_next(&session, next).await;
                        apply::or_distrust(self, principal, kept).await?;
                    }
                    return Ok(answer);
                }
                _ => return Ok(answer),
            }
        }
        Ok(Ok(Refetch::NeedsLogin))
    }

    async fn secrets_left(&self, principal: &PrincipalId) -> Result<Vec<(SessionId, Vec<u8>)>, StoreFault> {
        sessions::secrets(&mut *self.store().read().await?, principal, self.store().now()).await
    }

    async fn refetch_with(
        &self,
        entry: &ProviderEntry,
        trace: &str,
        principal: &PrincipalId,
        secret: Option<ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        let ctx = self.context(trace.to_owned());
        let asked = entry.provider.refetch_group_principals(&ctx, principal, secret);
        self.meters().ask(entry.provider.name(), "refetch", asked).await
    }

    async fn keep_next(&self, session: &SessionId, next: &ProviderSecret) -> Result<(), StoreFault> {
        let sealed =
            self.seal_secret(session, next).map_err(|fault| StoreFault::unreadable("provider secret", fault))?;
        let mut write = self.store().write().await?;
        sessions::keep_secret(&mut write, session, &sealed).await?;
        write.commit(Change::SessionChecked(session.clone())).await
    }

    /// Seals a provider's secret for one session.
    pub(crate) fn seal_secret(&self, session: &SessionId, secret: &ProviderSecret) -> Result<Vec<u8>, KeyFault> {
        self.secrets().seal(&about(session), secret.expose().as_bytes())
    }

    /// `None`: it was sealed by another key file, and the provider is asked without.
    pub(crate) fn open_secret(&self, session: &SessionId, sealed: &[u8]) -> Option<ProviderSecret> {
        let plain = self.secrets().open(&about(session), sealed)?;
        std::str::from_utf8(&plain).ok().map(ProviderSecret::new)
    }
}

fn about(session: &SessionId) -> String {
    format!("secret {session}")
}
