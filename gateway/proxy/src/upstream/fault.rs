//! What can go wrong between us and a cluster.
//!
//! The client learns the kind of fault and never an internal address: those go to the log, with the whole chain.

use std::error::Error;
use std::io;
use std::time::Duration;

use crate::body::BoxError;

/// Why a cluster gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamFault {
    /// No endpoint took a connection. The gateway answers 503.
    #[error("no endpoint could be reached")]
    Unreachable(#[source] Option<BoxError>),
    /// Every endpoint failed lately and none is due to be tried. The gateway answers 503.
    #[error("every endpoint failed lately")]
    Resting {
        /// When one is tried again.
        retry_after: Duration,
    },
    /// TLS failed: the certificate, its name or its authority is not what the configuration says. 502, and the
    /// operator mends the configuration or the certificate.
    #[error("the endpoint failed TLS")]
    Tls(#[source] io::Error),
    /// Every connection is full and no more are allowed. The gateway answers 429.
    #[error("every connection to the cluster is full")]
    Full,
    /// No answer began in time. The gateway answers 504.
    #[error("the answer did not begin in time")]
    Timeout,
    /// The connection broke before an answer began. The gateway answers 502, or 504 where the server had fallen silent:
    /// the request may have been carried out.
    #[error("the connection broke before an answer")]
    Broken(#[source] hyper::Error),
    /// The client's own body broke off, or is none. The gateway answers 400.
    #[error("the body of the request failed")]
    Body(#[source] hyper::Error),
    /// The account's credential cannot be read. The gateway answers 503.
    #[error("the account's credential cannot be used")]
    Credential,
    /// The request was not fit to be sent: a fault of ours, answered by 500.
    #[error("a request was not fit to be sent: {0}")]
    Unfit(&'static str),
}

impl UpstreamFault {
    /// The fault with all its causes, for the log.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(fault) = cause {
            text.push_str(": ");
            text.push_str(&fault.to_string());
            cause = fault.source();
        }
        text
    }
}

/// What an attempt without an answer allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// The server said, or we know, that it did nothing with the request: it may be sent again, whatever it is.
    Refused,
    /// The server may have acted: only a request without effect may be sent again.
    Lost,
    /// This is the server's answer to the request, and stands.
    Never,
}

/// Reads what a failed attempt means.
///
/// RFC 9113 §6.8 and §8.7: streams above the last one that a GOAWAY names, and streams reset by REFUSED_STREAM, were
/// not processed and can be tried again.
pub(super) fn retry(fault: &hyper::Error) -> Retry {
    let mut cause: Option<&(dyn Error + 'static)> = fault.source();
    while let Some(inner) = cause {
        if let Some(h2) = inner.downcast_ref::<h2::Error>() {
            return match h2.reason() {
                Some(h2::Reason::NO_ERROR) if h2.is_go_away() && h2.is_remote() => Retry::Refused,
                Some(h2::Reason::REFUSED_STREAM) if h2.is_remote() => Retry::Refused,
                _ if h2.is_go_away() || h2.is_io() => Retry::Lost,
                _ => Retry::Never,
            };
        }
        if inner.downcast_ref::<io::Error>().is_some() {
            return Retry::Lost;
        }
        cause = inner.source();
    }
    // A time-out here is that of a ping: the server takes bytes and answers nothing at all.
    let lost = fault.is_canceled() || fault.is_closed() || fault.is_incomplete_message() || fault.is_timeout();
    if lost { Retry::Lost } else { Retry::Never }
}
