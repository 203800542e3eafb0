//! Tokens of an outside issuer that open clusters by themselves: no login of ours came before.
//!
//! For people whose client already holds an ID token of the site's issuer, and for what is no person: a CI job, a pod.
//! The token is proof and credential in one, so the gateway asks about it and never keeps it.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{AuthError, Context, Login, ProviderSecret};

/// A provider whose issuer's tokens are credentials. [`AuthProvider::bearer`](crate::AuthProvider::bearer) hands it out;
/// [`Contained::authenticate_bearer`](crate::Contained::authenticate_bearer) is how the gateway calls it.
#[async_trait]
pub trait Bearer: Send + Sync {
    /// The `iss` of its tokens, letter for letter; always the same. A token that names another never comes here.
    fn issuer(&self) -> &str;

    /// Decides whether a token proves who presents it, and says who, with all their groups.
    ///
    /// The token is whatever somebody sent who may be anybody: three parts of base64url, of at most 16 KiB.
    ///
    /// # Errors
    /// Only when it cannot be decided: [`AuthError::Unavailable`] when keys that are needed cannot be read. Whatever is
    /// wrong with the token is [`BearerVerdict::Refused`].
    async fn authenticate_bearer(&self, ctx: &Context, token: &ProviderSecret) -> Result<BearerVerdict, AuthError>;
}

/// What a token is worth.
#[derive(Debug)]
pub enum BearerVerdict {
    /// It proves this.
    Proven(Box<BearerProof>),
    /// It proves nothing, for this reason: words for the operator's log, without anything secret of the token.
    Refused(String),
}

/// What a token proves.
#[derive(Debug)]
pub struct BearerProof {
    /// Whose it is, as a login would say it. A secret in it is dropped: nobody is asked again about a token.
    pub login: Login,
    /// The earliest moment at which the issuer may have made it, as far as its clock may be ahead of ours. What was taken
    /// away at the gateway later holds against it.
    pub issued_at: Timestamp,
    /// From then on it proves nothing.
    pub expires_at: Timestamp,
}
