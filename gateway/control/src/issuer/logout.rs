//! The end of logins, as people ask for it in a browser (OpenID Connect RP-Initiated Logout 1.0).
//!
//! An ID token only says whose login is meant, and copies of it lie about. So it ends that login at once in the browser
//! in which it began; anywhere else somebody has to say yes on a page of ours.

use auth_core::{Leaving, ProviderSecret, with_causes};
use jiff::Timestamp;
use sqlx::FromRow;

use super::jwt::{self, Claims, Kind};
use super::{Issuer, Random};
use crate::control::Control;
use crate::identity::SessionIdentity;
use crate::sessions::{self, SessionId, Which};
use crate::store::{StoreFault, millis};

/// What the log says when a browser cannot be sent on.
const NO_WAY: &str = "nobody can say where to log out at the identity system";

/// A login that can be ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) session: SessionId,
    /// The client that it was for.
    pub(crate) client: Option<String>,
    /// The instance by which its person logged in.
    pub(crate) provider: String,
    /// What clusters call the person.
    pub(crate) username: String,
    /// Whether it began in the browser that asks.
    pub(crate) is_here: bool,
}

#[derive(FromRow)]
struct Row {
    id: String,
    client: Option<String>,
    provider: String,
    identity: String,
    is_here: bool,
}

impl Issuer {
    /// What an ID token of ours says, whether or not its time is over.
    pub(crate) fn hint(&self, text: &str, now: Timestamp) -> Option<Claims> {
        let (kind, claims) = jwt::verify(&self.keys.all(), now, text)?;
        (kind == Kind::Id && claims.iss == self.url() && claims.aud == claims.client_id).then_some(claims)
    }
}

impl Control {
    /// The login that is meant, or all of a browser where none is; only those that go on.
    pub(crate) async fn endings(
        &self,
        meant: Option<&Claims>,
        browser: Option<&Random>,
    ) -> Result<Vec<Ending>, StoreFault> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, client, provider, identity, browser_sha256 IS NOT NULL AND browser_sha256 IS ?2 AS is_here FROM sessions \
             WHERE ended_at IS NULL AND expires_at > ?3 \
             AND CASE WHEN ?1 IS NULL THEN browser_sha256 = ?2 ELSE id = ?1 AND user_id = ?4 END ORDER BY id",
        )
        .bind(meant.map(|claims| claims.sid.as_str()))
        .bind(browser.map(Random::hash))
        .bind(millis(self.store().now()))
        .bind(meant.map(|claims| claims.sub.as_str()))
        .fetch_all(&mut *self.store().read().await?)
        .await?;
        rows.into_iter().map(Row::read).collect()
    }

    /// Where the browser goes to log out of one of these at its identity system as well; `None`: nowhere, or nobody can say.
    /// To be asked before they end, and what the provider left with them goes.
    pub(crate) async fn way_out(&self, endings: &[Ending], (back, state): (&str, &str), trace: &str) -> Option<String> {
        // Another browser's login at the system is not this one's to end.
        let registry = self.registry();
        let here = endings.iter().rev().filter(|ending| ending.is_here);
        let found = here.filter_map(|ending| Some((ending, registry.entry(&ending.provider)?)));
        let (ending, entry) = found.into_iter().find(|(_, entry)| entry.provider.hears_logouts())?;
        let secret = self.secret_left(&ending.session).await;
        let secret = secret.inspect_err(|fault| tracing::warn!(why = with_causes(fault), NO_WAY)).ok()?;
        let asked = entry.provider.leave(&self.context(trace.to_owned()), Leaving::new(secret, back, state)).await;
        asked.inspect_err(|error| tracing::warn!(why = error.audit_text(), NO_WAY)).ok()?
    }

    async fn secret_left(&self, session: &SessionId) -> Result<Option<ProviderSecret>, StoreFault> {
        let sql = "SELECT secret FROM sessions WHERE id = ? AND secret IS NOT NULL";
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar(sql).bind(session.as_str()).fetch_optional(&mut *self.store().read().await?).await?;
        Ok(sealed.and_then(|sealed| self.open_secret(session, &sealed)))
    }

    /// Ends them everywhere: their tokens, and what runs on them.
    pub(crate) async fn log_out(&self, endings: &[Ending]) -> Result<(), StoreFault> {
        for ending in endings {
            sessions::end_now(self.store(), Which::One(&ending.session), "its person logged out").await?;
        }
        Ok(())
    }
}

impl Row {
    fn read(self) -> Result<Ending, StoreFault> {
        Ok(Ending {
            session: sessions::parse_id(&self.id)?,
            client: self.client,
            provider: self.provider,
            username: SessionIdentity::read(&self.identity)?.user.username,
            is_here: self.is_here,
        })
    }
}
