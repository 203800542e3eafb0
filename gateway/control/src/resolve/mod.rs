//! Who stands behind a token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{InstanceId, PrincipalId};
use jiff::Timestamp;

use crate::control::Control;
use crate::identity::SessionIdentity;
use crate::issuer::{Issuer, issuer_of};
use crate::sessions::{self, SessionId, Standing};
use crate::store::{StoreFault, moment};
use crate::tokens::rows::{self, Held};
use crate::tokens::{Presented, TokenName, TokenScope};
use crate::users::{self, UserId};

/// Whom a token stands for.
#[derive(Debug, Clone)]
pub struct ResolvedToken {
    /// The token's public name: its first half, or the `jti` of a signed one.
    pub name: String,
    /// Its session.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// The instance that they logged in by.
    pub provider: InstanceId,
    /// The principal that the instance knows them as.
    pub principal: PrincipalId,
    /// What clusters see, and what grants match.
    pub identity: SessionIdentity,
    /// From this moment the token is refused.
    pub expires_at: Timestamp,
    /// What it may be used for.
    pub scope: TokenScope,
}

/// Why a token gives nobody.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The token is at fault: 401. The reason is for the audit log.
    #[error("token refused: {0}")]
    Unauthenticated(Rejected),
    /// What must be known cannot be read now: 503. The token may be as good as ever.
    #[error("it cannot be decided now")]
    Unavailable {
        /// When asking again may help.
        retry_after: Duration,
        /// What is wrong with the store, if it is that.
        #[source]
        source: Option<StoreFault>,
    },
    /// Too many at once: 429.
    #[error("too many tokens are being looked up")]
    Overloaded,
}

/// What is wrong with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// Not made by this gateway, nor by an issuer that a provider believes.
    Malformed,
    /// Made by this gateway, and not in the store (any more).
    Unknown,
    /// Its time, or its session's, is over.
    Expired,
    /// Somebody ended it, or its session.
    Revoked,
    /// Its user is switched off, or its provider is not configured any more.
    Disabled,
    /// It names an outside issuer, whose provider found this fault with it or with its person.
    Untrusted(Arc<str>),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untrusted(why) => return write!(f, "untrusted: {why}"),
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
        })
    }
}

/// What a signed token turns out to be before anybody is asked.
#[derive(Debug)]
pub enum Signed {
    /// Of our issuer, and its session is remembered: whom it stands for.
    Resolved(Box<ResolvedToken>),
    /// Of our issuer; [`Control::resolve_issued`] looks its session up.
    Ours(Issued),
    /// Of another issuer, by its own account; [`Control::resolve_borne`] asks who believes that one.
    Foreign(String),
}

/// A token that our issuer signed and whose time is not over. Only [`Control::read_signed`] makes one.
#[derive(Debug)]
pub struct Issued {
    name: String,
    user: String,
    session: SessionId,
    expires_at: Timestamp,
    scope: TokenScope,
}

const RETRY: Duration = Duration::from_secs(5);

impl Control {
    /// Says whom a token stands for, as the store is at some moment after the call began.
    ///
    /// A text that this gateway did not make is refused without asking the store.
    ///
    /// # Errors
    /// [`ResolveError::Unauthenticated`] only when the token itself, its session or its user is at fault.
    pub async fn resolve_token(&self, presented: &str) -> Result<ResolvedToken, ResolveError> {
        let presented = self.tokens().parse(presented).ok_or(ResolveError::Unauthenticated(Rejected::Malformed))?;
        let _turn = self.lookups().try_acquire().map_err(|_| ResolveError::Overloaded)?;
        let held = self.held(&presented.name).await.map_err(unavailable)?;
        let held = held.filter(|held| presented.hash.matches(&held.sha256));
        let held = held.ok_or(ResolveError::Unauthenticated(Rejected::Unknown))?;
        self.judge(presented, held)
    }

    async fn held(&self, name: &TokenName) -> Result<Option<Held>, StoreFault> {
        rows::held(&mut *self.store().read().await?, name).await
    }

    fn judge(&self, presented: Presented, held: Held) -> Result<ResolvedToken, ResolveError> {
        let Held { session, scope, token_expires_at, revoked_at, .. } = held;
        let expires_at = moment(token_expires_at.min(session.session_expires_at));
        self.holds(&session, expires_at, revoked_at.is_some())?;
        let scope = serde_json::from_str(&scope).map_err(|error| StoreFault::unreadable("token scope", error));
        let scope = scope.map_err(unavailable)?;
        self.found(read(presented.name.to_string(), &session, expires_at, scope))
    }

    /// Says whom a signed token stands for. Who says that they made it decides who looks at it, and nobody else does.
    ///
    /// # Errors
    /// As [`Self::resolve_token`].
    pub async fn resolve_signed(&self, presented: &str) -> Result<ResolvedToken, ResolveError> {
        match self.read_signed(presented)? {
            Signed::Resolved(found) => Ok(*found),
            Signed::Ours(issued) => self.resolve_issued(issued).await,
            Signed::Foreign(iss) => self.resolve_borne(&iss, presented).await,
        }
    }

    /// Looks at a signed token as far as that takes neither the store nor anybody outside: whatever our issuer did not
    /// sign as it stands goes no further, and a session that is remembered need not be looked up. It costs one check of a
    /// signature, and does not wait.
    ///
    /// # Errors
    /// As [`Self::resolve_token`].
    pub fn read_signed(&self, presented: &str) -> Result<Signed, ResolveError> {
        let iss = issuer_of(presented).ok_or(ResolveError::Unauthenticated(Rejected::Malformed))?;
        let Some(issuer) = self.issuer().filter(|issuer| issuer.url() == iss) else { return Ok(Signed::Foreign(iss)) };
        let issued = self.read_issued(issuer, presented)?;
        match self.store().standings().of(&issued.session) {
            Some(standing) => Ok(Signed::Resolved(Box::new(self.judge_issued(&issued, Some(&standing))?))),
            None => Ok(Signed::Ours(issued)),
        }
    }

    /// One that our issuer signed: an access token for the gateway, or an ID token of a client whose tokens are
    /// credentials.
    fn read_issued(&self, issuer: &Issuer, presented: &str) -> Result<Issued, ResolveError> {
        let rejected = |why| ResolveError::Unauthenticated(why);
        let now = self.store().now();
        let (claims, scope) = issuer.credential(presented, now).ok_or(rejected(Rejected::Malformed))?;
        let expires_at = Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MIN);
        if expires_at <= now {
            return Err(rejected(Rejected::Expired));
        }
        let session = claims.sid.parse().map_err(|_| rejected(Rejected::Malformed))?;
        Ok(Issued { name: claims.jti, user: claims.sub, session, expires_at, scope })
    }

    /// Says whom a token of our issuer stands for, by the store.
    ///
    /// # Errors
    /// As [`Self::resolve_token`].
    pub async fn resolve_issued(&self, issued: Issued) -> Result<ResolvedToken, ResolveError> {
        let _turn = self.lookups().try_acquire().map_err(|_| ResolveError::Overloaded)?;
        let standing = self.standing(&issued.session).await.map_err(unavailable)?;
        self.judge_issued(&issued, standing.as_deref())
    }

    fn judge_issued(&self, issued: &Issued, standing: Option<&Standing>) -> Result<ResolvedToken, ResolveError> {
        let standing = standing.filter(|standing| standing.user_id == issued.user);
        let standing = standing.ok_or(ResolveError::Unauthenticated(Rejected::Unknown))?;
        let expires_at = issued.expires_at.min(moment(standing.session_expires_at));
        self.holds(standing, expires_at, false)?;
        self.found(read(issued.name.clone(), standing, expires_at, issued.scope.clone()))
    }

    /// Whom a token stands for, who is using it now.
    pub(crate) fn found(&self, read: Result<ResolvedToken, StoreFault>) -> Result<ResolvedToken, ResolveError> {
        let found = read.map_err(unavailable)?;
        self.used().note(&found.session, self.store().now());
        Ok(found)
    }

    /// How a session stands, by the store; and remembers it.
    pub(crate) async fn standing(&self, session: &SessionId) -> Result<Option<Arc<Standing>>, StoreFault> {
        let standings = self.store().standings();
        let asked = standings.asking();
        let standing = sessions::standing(&mut *self.store().read().await?, session).await?.map(Arc::new);
        if let Some(standing) = &standing {
            standings.keep(asked, session, standing);
        }
        Ok(standing)
    }

    /// Valid = token ∧ session ∧ user ∧ provider ∧ freshness, computed now and stored nowhere.
    pub(crate) fn holds(&self, session: &Standing, ends: Timestamp, revoked: bool) -> Result<(), ResolveError> {
        let rejected = |why| Err(ResolveError::Unauthenticated(why));
        let now = self.store().now();
        if session.disabled_at.is_some() || self.registry().entry(&session.provider).is_none() {
            return rejected(Rejected::Disabled);
        }
        // First: what has expired is ended by the sweep, and nobody did that.
        if ends <= now {
            return rejected(Rejected::Expired);
        }
        if revoked || session.ended_at.is_some() {
            return rejected(Rejected::Revoked);
        }
        let fresh = session.borne || self.fresh(moment(session.refreshed_at), now);
        if !fresh || self.is_outdated(&session.principal) {
            // The token is not at fault: told 401, every client would throw a good login away.
            return Err(ResolveError::Unavailable { retry_after: RETRY, source: None });
        }
        Ok(())
    }
}

pub(crate) fn read(
    name: String,
    session: &Standing,
    expires_at: Timestamp,
    scope: TokenScope,
) -> Result<ResolvedToken, StoreFault> {
    Ok(ResolvedToken {
        name,
        session: sessions::parse_id(&session.session_id)?,
        user: users::parse_id(&session.user_id)?,
        provider: session.provider.parse().map_err(|error| StoreFault::unreadable("provider", error))?,
        principal: session.principal.parse().map_err(|error| StoreFault::unreadable("principal", error))?,
        identity: SessionIdentity::read(&session.identity)?,
        expires_at,
        scope,
    })
}

pub(crate) fn unavailable(fault: StoreFault) -> ResolveError {
    tracing::error!(why = %auth_core::with_causes(&fault), "a token cannot be looked up");
    ResolveError::Unavailable { retry_after: RETRY, source: Some(fault) }
}

#[cfg(test)]
mod tests;
