//! The token by which a cluster that trusts the gateway's own issuer learns who asks.

use std::fmt::Debug;
use std::time::Duration;

use secrecy::SecretString;

use crate::boundary::Session;

/// Signs what one cluster is to know of a session.
///
/// Called when a session comes to a cluster for the first time, and again when half of a token's time is over. A
/// signature takes microseconds; an implementation never waits.
pub trait Mint: Debug + Send + Sync {
    /// Makes a token that is good at this cluster alone. It says who the session's person is, by the cluster's names.
    ///
    /// # Errors
    /// When the identity is larger than a token may be, or when there is no key to sign with.
    fn mint(&self, session: &Session, cluster: &str) -> Result<Minted, MintFault>;
}

/// A token, and how long it is good.
#[derive(Debug)] // SecretString prints nothing of itself
pub struct Minted {
    /// What the cluster is shown.
    pub token: SecretString,
    /// From now to its end.
    pub lasts: Duration,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MintFault {
    /// The person is in more groups than a token may name. An administrator filters them in the provider's mapping.
    #[error("{groups} groups take {bytes} bytes, more than the {limit} that a token for a cluster may carry")]
    TooLarge {
        /// How many groups.
        groups: usize,
        /// How many bytes their names and the rest of the identity have.
        bytes: usize,
        /// How many may be.
        limit: usize,
    },
    /// There is nothing to sign with.
    #[error("no token can be signed: {0}")]
    Unavailable(String),
}
