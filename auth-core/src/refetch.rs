//! Asking again about somebody who logged in earlier.

use std::collections::BTreeMap;

use crate::{Completeness, Principal, ProviderSecret};

/// What a provider says about a user without their being present.
///
/// Only facts are here. "I could not ask" is an error ([`AuthError::Unavailable`](crate::AuthError::Unavailable)):
/// after an error the core keeps what it knew, after `UserGone` it ends sessions.
#[derive(Debug)]
pub enum Refetch {
    /// The user exists and may log in; this is their present state.
    Current(Box<Current>),
    /// The identity system answered, and the user is not in it any more. Their sessions end.
    UserGone,
    /// The user is there but switched off, locked or expired. Their sessions end.
    UserDisabled,
    /// Only the person can renew this (a refresh token has run out). Their sessions end at the next check.
    NeedsLogin,
}

/// The present state of a user.
#[non_exhaustive]
#[derive(Debug)]
pub struct Current {
    /// The user, under the id that was asked for.
    pub user: Principal,
    /// The groups they are in now.
    pub groups: Vec<Principal>,
    /// Whether `groups` is all there is. Incomplete groups never replace complete ones.
    pub completeness: Completeness,
    /// What becomes of the secret that the provider left earlier.
    pub secret: SecretUpdate,
    /// As in [`Login::extra`](crate::Login::extra).
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Current {
    /// A complete state which keeps the secret and has no extra.
    #[must_use]
    pub const fn new(user: Principal, groups: Vec<Principal>) -> Self {
        Self { user, groups, completeness: Completeness::Complete, secret: SecretUpdate::Keep, extra: BTreeMap::new() }
    }

    /// Says whether the groups are all there are.
    #[must_use]
    pub fn with_completeness(mut self, completeness: Completeness) -> Self {
        self.completeness = completeness;
        self
    }

    /// Says what becomes of the secret.
    #[must_use]
    pub fn with_secret(mut self, secret: SecretUpdate) -> Self {
        self.secret = secret;
        self
    }

    /// Adds one extra fact for the cluster.
    #[must_use]
    pub fn with_extra(mut self, key: impl Into<String>, values: Vec<String>) -> Self {
        self.extra.insert(key.into(), values);
        self
    }
}

/// What becomes of a provider secret after a refetch.
#[derive(Debug)]
pub enum SecretUpdate {
    /// The stored one stays valid.
    Keep,
    /// This one takes its place; it is stored before the answer is used, because the old one may be spent.
    Replace(ProviderSecret),
}
