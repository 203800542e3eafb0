//! HTTP as a port: how a provider asks an identity system that speaks it.
//!
//! An answer of such a system names further addresses (a token endpoint, keys), so whoever controls it could make the
//! gateway ask anything in its network. What keeps that in bounds is the same for all providers and sits behind this
//! port. The port speaks in the types of the `http` crate and knows no client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response};

use crate::{BoxError, ProviderSecret};

/// Sends one request and reads the whole answer.
///
/// Implementations follow no redirects, send no cookies, refuse plain `http` unless the limits say otherwise, and never
/// connect to link-local addresses, where clouds keep the credentials of their machines. Whatever status comes back is
/// an answer.
#[async_trait]
pub trait Http: Send + Sync + fmt::Debug {
    /// Sends the request within the limits.
    ///
    /// # Errors
    /// When there is no whole answer within the limits.
    async fn send(&self, request: Request<Vec<u8>>, limits: HttpLimits) -> Result<Response<Vec<u8>>, HttpError>;
}

/// What one request may take, and whom it trusts.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// From the first packet to the last byte of the answer.
    pub time: Duration,
    /// Bytes of the answer's body.
    pub bytes: usize,
    /// Whether plain `http` will do: anybody on the way can read and change it.
    pub dangerous_plain: bool,
    /// Trusts these certificates (PEM) beside those of the system.
    pub roots: Option<Arc<str>>,
    /// Shows this certificate.
    pub identity: Option<Arc<HttpIdentity>>,
}

impl HttpLimits {
    /// Over TLS to whom the system trusts.
    #[must_use]
    pub const fn new(time: Duration, bytes: usize) -> Self {
        Self { time, bytes, dangerous_plain: false, roots: None, identity: None }
    }

    /// Allows plain `http`, or not.
    #[must_use]
    pub const fn with_dangerous_plain(mut self, allowed: bool) -> Self {
        self.dangerous_plain = allowed;
        self
    }

    /// Trusts further certificates.
    #[must_use]
    pub fn with_roots(mut self, pem: Option<Arc<str>>) -> Self {
        self.roots = pem;
        self
    }

    /// Shows a certificate.
    #[must_use]
    pub fn with_identity(mut self, identity: Option<Arc<HttpIdentity>>) -> Self {
        self.identity = identity;
        self
    }
}

/// A certificate of ours and its key.
#[derive(Debug)]
pub struct HttpIdentity {
    /// The certificate and what leads to its issuer, PEM.
    pub chain: String,
    /// The private key, PEM.
    pub key: ProviderSecret,
}

/// Why a request has no answer.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not allowed to ask this: the operator mends the address, or somebody tried what they must not.
    #[error("refused to ask: {0}")]
    Refused(&'static str),
    /// No whole answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is larger than was asked for.
    #[error("the answer is too large")]
    TooLarge,
    /// The certificates that were given cannot be used: the operator mends them.
    #[error("the certificates cannot be used")]
    Certificates(#[source] BoxError),
    /// The connection could not be made, or broke.
    #[error("the connection failed")]
    Failed(#[source] BoxError),
}

/// No HTTP: every request fails. What [`Ports::new`](crate::Ports::new) starts with.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHttp;

#[async_trait]
impl Http for NoHttp {
    async fn send(&self, _: Request<Vec<u8>>, _: HttpLimits) -> Result<Response<Vec<u8>>, HttpError> {
        Err(HttpError::Refused("there is no HTTP client here"))
    }
}
