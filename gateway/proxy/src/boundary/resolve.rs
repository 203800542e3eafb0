//! A cold credential goes out, and who it stands for comes back.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use secrecy::SecretString;

use crate::boundary::Session;

/// Says whom a credential stands for.
///
/// Called once per credential and cache life, never on the warm path. An implementation must read the state as it is
/// at some moment *after* the call began: an answer that is older than the call could bring a revoked token back.
///
/// ```
/// use async_trait::async_trait;
/// use gatewarden_proxy::{Credential, Rejected, Resolve, ResolveError, Resolved};
///
/// #[derive(Debug)]
/// struct Nobody;
///
/// #[async_trait]
/// impl Resolve for Nobody {
///     async fn resolve(&self, _: &Credential) -> Result<Resolved, ResolveError> {
///         Err(ResolveError::Unauthenticated(Rejected::Unknown))
///     }
/// }
/// ```
#[async_trait]
pub trait Resolve: Debug + Send + Sync {
    /// Resolves one credential.
    ///
    /// # Errors
    /// [`ResolveError::Unauthenticated`] only when the credential itself is at fault. A store or provider that does not
    /// answer is [`ResolveError::Unavailable`]: told 401 instead, every client would throw a good login away.
    async fn resolve(&self, credential: &Credential) -> Result<Resolved, ResolveError>;
}

/// What a client presented, parsed into the one kind that its form names.
///
/// The kind names its one verifier. Nothing is tried in turn, so one verifier's outage cannot let a credential fall
/// through to another.
#[derive(Debug)] // SecretString prints nothing of itself
pub enum Credential {
    /// `gwt-…:…`, a token that this gateway issued.
    ApiToken(SecretString),
    /// `eyJ….….…`, a token that an issuer signed (RFC 7515 §7.1).
    Signed(SecretString),
}

/// Whom a credential stands for, and how far it reaches.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The login that the credential belongs to.
    pub session: Arc<Session>,
    /// The credential's public name, such as `gwt-abc…`, never its secret.
    pub token: String,
    /// From this moment the credential is refused.
    pub expires_at: SystemTime,
    /// What the credential may reach, before any grant is asked.
    pub scope: Scope,
}

/// A narrowing that a token carries. It never widens what a grant gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The upstreams that the token may enter; all that are granted when `None`.
    pub upstreams: Option<Vec<String>>,
    /// Only get, list, watch and reviews of oneself.
    pub read_only: bool,
    /// Whether the gateway's own API is out of reach.
    pub clusters_only: bool,
}

impl Scope {
    /// Whether a token reaches less far than its owner.
    #[must_use]
    pub const fn is_narrowed(&self) -> bool {
        self.upstreams.is_some() || self.read_only || self.clusters_only
    }
}

/// Why nobody stands behind a credential.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResolveError {
    /// The credential is at fault. The user logs in again; the gateway answers 401 and tells only its audit log why.
    #[error("credential refused: {0}")]
    Unauthenticated(Rejected),
    /// Whoever must be asked does not answer. The gateway answers 503.
    #[error("the session store is unavailable")]
    Unavailable {
        /// When asking again may help.
        retry_after: Duration,
    },
    /// Too many cold credentials at once. The gateway answers 429.
    #[error("too many logins are being checked")]
    Overloaded,
}

/// Why a credential was refused, for the audit log alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// None was sent.
    Missing,
    /// It has no form that we know, or fails its checksum.
    Malformed,
    /// More than one was sent.
    Several,
    /// It was never issued, or is long gone.
    Unknown,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
    /// Its user may not log in now.
    Disabled,
    /// It names an outside issuer, and this is wrong with it.
    Untrusted(Arc<str>),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untrusted(why) => return write!(f, "untrusted: {why}"),
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Several => "several",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
        })
    }
}
