//! Logins that are over at the identity system, and what ends here with them.
//!
//! A notice of it comes from whoever sends it, so a provider says what it proves, and each is believed once: sent again,
//! one would end what its person began since. Sessions that rest on the login end in the write that keeps the notice. It
//! stays as long as it would be believed: a login that was on its way here meanwhile finds it.

mod rows;

#[cfg(test)]
mod tests;

pub(crate) use rows::{forget, is_over};

use auth_core::{AuthError, InstanceId, LoginsOver, LogoutNotice, LogoutVerdict};

use crate::control::Control;
use crate::sessions::{self, Which};
use crate::store::{Change, Changes, StoreFault};

/// What audit and `session list` say of sessions that ended so.
const WHY: &str = "the login at its identity system is over";

/// Why a notice ended nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHeard {
    /// No instance has this id, or it hears of no logouts: 404.
    #[error("no such provider hears of logouts")]
    Nowhere,
    /// It proves nothing: 400. Whoever sent it mends it, or is somebody else.
    #[error("{0}")]
    Refused(String),
    /// It cannot be judged now: 503. Whoever sent it tries again.
    #[error("the notice cannot be judged")]
    Undecided(#[source] AuthError),
    /// The store did not answer: 503.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Control {
    /// Ends every session that rests on the logins which a notice proves to be over. How many these were.
    ///
    /// # Errors
    /// As [`NotHeard`] says.
    pub(crate) async fn hear_logout(
        &self,
        provider: &str,
        notice: LogoutNotice,
        trace: &str,
    ) -> Result<usize, NotHeard> {
        let registry = self.registry();
        let entry = registry.entry(provider).filter(|entry| entry.provider.hears_logouts()).ok_or(NotHeard::Nowhere)?;
        let name = entry.provider.name();
        let ctx = self.context(trace.to_owned());
        let asked = entry.provider.read_logout(&ctx, notice);
        let verdict = self.meters().ask(name, "logout", asked).await.map_err(|error| match error {
            AuthError::UnsupportedInput => NotHeard::Refused("too large".to_owned()),
            other => NotHeard::Undecided(other),
        })?;
        match verdict {
            LogoutVerdict::Refused(why) => Err(NotHeard::Refused(why)),
            LogoutVerdict::Over(over) => self.end_upstream(name, &over).await,
        }
    }

    async fn end_upstream(&self, provider: &InstanceId, over: &LoginsOver) -> Result<usize, NotHeard> {
        let mut write = self.store().write().await?;
        if over.expires_at <= write.at() {
            return Err(NotHeard::Refused("its time is over".to_owned()));
        }
        if !rows::keep(&mut write, provider, over).await? {
            return Err(NotHeard::Refused("it was believed before".to_owned()));
        }
        let ended = sessions::end(&mut write, Which::Upstream(provider, &over.which), WHY).await?;
        let ended: Vec<Change> = ended.iter().flat_map(Changes::iter).cloned().collect();
        let count = ended.len();
        write
            .commit(ended.into_iter().fold(Changes::from(Change::LogoutHeard(provider.to_string())), Changes::and))
            .await?;
        Ok(count)
    }
}
