//! Logging in by a trip to the identity system: the browser goes there, and comes back with an answer.
//!
//! A provider keeps nothing between the two halves, since the second may reach another replica. What it must know again
//! goes into a memo, which the caller seals, binds to the browser and hands over once.

use std::fmt;

use async_trait::async_trait;

use crate::{AuthError, Context, ProviderSecret};

/// A provider that people log in to in their browser. [`AuthProvider::redirect`](crate::AuthProvider::redirect) hands it
/// out; [`Contained::begin`](crate::Contained::begin) is how the gateway calls it.
#[async_trait]
pub trait Redirect: Send + Sync {
    /// Says where the browser goes. `callback` is the address of ours that it is to come back to.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] when the identity system has to be asked first and does not answer.
    async fn begin(&self, ctx: &Context, callback: &str) -> Result<Begun, AuthError>;
}

/// A trip that has begun.
#[non_exhaustive]
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub location: String,
    /// What comes back as `state`: unguessable, and another for each trip.
    pub state: String,
    /// What the provider wants back with the answer. Kept on our side, sealed, for one use and for ten minutes.
    pub memo: ProviderSecret,
}

impl Begun {
    /// Collects the parts.
    pub fn new(location: impl Into<String>, state: impl Into<String>, memo: ProviderSecret) -> Self {
        Self { location: location.into(), state: state.into(), memo }
    }
}

/// What a browser brought back from a trip.
///
/// The parameters may come from anybody. That the memo is that of *this browser's* trip, and is handed over for the
/// first time, is what the caller vouches for; that the two belong together, and that the trip is not of long ago, is for
/// the provider to check. What does not fit is [`AuthError::Replay`], also a memo that it cannot read: a provider of another
/// version may have written it, and the person begins again.
pub struct RedirectAnswer {
    /// The query of the callback, decoded, in order.
    pub parameters: Vec<(String, String)>,
    /// The [memo](Begun::memo) that the trip began with.
    pub begun: ProviderSecret,
}

impl fmt::Debug for RedirectAnswer {
    /// Without the values: a code that has not been redeemed is as good as a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.parameters.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}
