//! What the author of a provider with a page of its own brings beside a [`Fixture`](crate::Fixture): browsers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::AuthProvider;

use crate::{Issuer, Person, Unable};

/// The query of a callback, decoded, in order.
pub type Parameters = Vec<(String, String)>;

/// How people log in at the identity system's own page.
#[async_trait]
pub trait Trips: Send + Sync {
    /// The address of ours that browsers come back to. Nobody listens there.
    fn callback(&self) -> String;

    /// Goes to an address as a browser without cookies, does there what the visitor does, and says what the browser is
    /// sent back to the callback with. [`Browser`](crate::Browser) is one.
    ///
    /// # Errors
    /// When it does not come back, with what it met instead.
    async fn travel(&self, location: &str, visitor: Visitor<'_>) -> Result<Parameters, Unable>;

    /// The provider once more, from the same configuration, as another process has it, which shares nothing with the first.
    /// Its clock is ahead by so much.
    fn replica(&self, ahead: Duration) -> Arc<dyn AuthProvider>;

    /// A provider under the same name that is another client of the identity system.
    fn elsewhere(&self) -> Arc<dyn AuthProvider>;

    /// What browsers are sent with.
    fn protocol(&self) -> Protocol {
        Protocol::OpenId
    }

    /// Whether the identity system says at a refetch that somebody is gone, or disabled. Most tell no more than that a
    /// token is good for nothing any more, and then only the person can renew it.
    fn tells(&self, _ending: Ending) -> bool {
        false
    }

    /// Whether the identity system has an id for a group beside its name. Tokens mostly have not.
    fn has_ids_for_groups(&self) -> bool {
        false
    }

    /// The kit's own issuer, where it is the identity system: it lies on request.
    fn liar(&self) -> Option<&Issuer> {
        None
    }
}

/// What somebody does at the page.
#[derive(Debug, Clone, Copy)]
pub enum Visitor<'a> {
    /// Types what this person types.
    Enters(&'a Person),
    /// Turns back.
    SaysNo,
}

/// What browsers are sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// An authorization request of OpenID Connect, in the address or pushed (RFC 9126).
    OpenId,
    /// Something else.
    Other,
}

/// Why somebody is in no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// They are not in the identity system any more.
    Gone,
    /// They are switched off.
    Disabled,
}
