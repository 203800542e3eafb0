//! What goes into a login, and what comes out of one that succeeded.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Password, Principal, ProviderSecret, RedirectAnswer, UpstreamLogin};

/// What somebody presents to log in. A provider takes the forms that its descriptor names, and answers
/// [`AuthError::UnsupportedInput`](crate::AuthError::UnsupportedInput) to the others.
#[non_exhaustive]
#[derive(Debug)]
pub enum LoginInput {
    /// A login name and a password, typed into a form of ours.
    ///
    /// The core has looked at both before a provider sees them: the login has 1 to 256 bytes without control or
    /// direction-changing characters and without white space at its ends; the password is neither empty nor holds
    /// a NUL (some directories accept a bind with an empty password, RFC 4513 §5.1.2).
    Password {
        /// The login name, as typed.
        login: String,
        /// The password, as typed.
        password: Password,
    },
    /// What the browser brought back from a trip that [`Redirect::begin`](crate::Redirect::begin) sent it on.
    Redirect {
        /// What came back, and what was left here meanwhile.
        answer: RedirectAnswer,
    },
}

/// Whether the groups that came with a login or refetch are all there are.
///
/// A list cut short must never look like a full one: groups that seem to be gone would be taken away, and a policy
/// that asks for absence would be fooled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// Every group is there. An empty list means "in no group".
    Complete,
    /// Some are missing, for this reason, in words for an operator. The core keeps the groups it knew before.
    Incomplete(String),
}

impl Completeness {
    /// Whether every group is there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }
}

/// A login that succeeded.
///
/// ```
/// use auth_core::{Login, Principal, PrincipalId, Completeness};
/// use jiff::Timestamp;
///
/// let alice = Principal::new("corp_user://0f6a".parse()?, "alice");
/// let dev = Principal::new("corp_group://77".parse()?, "dev");
/// let login = Login::new(alice, vec![dev], Timestamp::UNIX_EPOCH);
/// assert_eq!(login.completeness, Completeness::Complete);
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub struct Login {
    /// Who logged in: a user of this instance.
    pub user: Principal,
    /// The groups they are in, directly and through other groups.
    pub groups: Vec<Principal>,
    /// Whether `groups` is all there is.
    pub completeness: Completeness,
    /// What the provider wants back at the next refetch.
    pub secret: Option<ProviderSecret>,
    /// When the person proved who they are, which may be earlier than now with single sign-on. Kept with the session;
    /// clients of the gateway's issuer read it in their ID tokens (`auth_time`), to ask for another login where it is long ago.
    pub auth_time: Timestamp,
    /// How they proved it, in the words of RFC 8176 (`pwd`, `otp`, …). Kept with the session, where lists of sessions
    /// show it; it decides nothing.
    pub amr: Vec<String>,
    /// Further facts for the cluster: lower-case keys with a domain prefix (`example.org/cost-center`).
    pub extra: BTreeMap<String, Vec<String>>,
    /// The login of the identity system that this one rests on, where that system tells of logouts.
    pub upstream: Option<UpstreamLogin>,
}

impl Login {
    /// A complete login without secret, methods or extra.
    #[must_use]
    pub const fn new(user: Principal, groups: Vec<Principal>, auth_time: Timestamp) -> Self {
        Self {
            user,
            groups,
            completeness: Completeness::Complete,
            secret: None,
            auth_time,
            amr: Vec::new(),
            extra: BTreeMap::new(),
            upstream: None,
        }
    }

    /// Says whether the groups are all there are.
    #[must_use]
    pub fn with_completeness(mut self, completeness: Completeness) -> Self {
        self.completeness = completeness;
        self
    }

    /// Leaves a secret for the next refetch.
    #[must_use]
    pub fn with_secret(mut self, secret: ProviderSecret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Says how the person proved who they are.
    #[must_use]
    pub fn with_amr<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.amr = methods.into_iter().map(Into::into).collect();
        self
    }

    /// Says which login of the identity system it rests on: when that one is over, so is this.
    #[must_use]
    pub fn with_upstream(mut self, upstream: UpstreamLogin) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// Adds one extra fact for the cluster.
    #[must_use]
    pub fn with_extra(mut self, key: impl Into<String>, values: Vec<String>) -> Self {
        self.extra.insert(key.into(), values);
        self
    }
}
