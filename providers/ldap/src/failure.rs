//! What can go wrong on the way to a directory and back, and who must act on it.

use std::time::Duration;

use auth_core::{AuthError, BoxError};
use thiserror::Error;

use crate::guard::GuardFault;

/// An operation that brought no usable answer.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// No connection, or no TLS. The next server may do better.
    #[error("{server} cannot be reached")]
    Unreachable {
        server: String,
        #[source]
        source: BoxError,
    },
    /// Every server failed a moment ago and is left alone until then.
    #[error("no server of the directory answered lately")]
    AllDown { retry_after: Duration },
    /// The connection ended in the middle. Asking again on a new one may help.
    #[error("the connection to the directory ended while it was {0}")]
    Lost(&'static str),
    /// The deadline passed first.
    #[error("the directory did not answer in time while it was {0}")]
    TimedOut(&'static str),
    /// Every connection is in use, and none came free before the deadline.
    #[error("all connections to the directory are in use")]
    Exhausted,
    /// The server sent what no directory sends.
    #[error("the directory sent {0}")]
    Guard(#[from] GuardFault),
    /// An answer that is sound as a message and makes no sense as an answer.
    #[error("the directory sent {0}")]
    Nonsense(&'static str),
    /// A result code that is neither success nor one that the caller understands.
    #[error("the directory answered {code} while it was {doing}: {text}")]
    Refused { doing: &'static str, code: u32, text: String },
    /// The directory does not know our own account, or its password.
    #[error("the directory rejected the account in \"bind\"")]
    ServiceRejected,
    /// The configuration does not fit the directory.
    #[error("{message}")]
    Misfit { field: &'static str, message: String },
}

/// Result codes of RFC 4511 §4.1.9 that change what we do.
pub(crate) mod code {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const TIME_LIMIT: u32 = 3;
    pub(crate) const SIZE_LIMIT: u32 = 4;
    pub(crate) const STRONGER_AUTH: u32 = 8;
    pub(crate) const REFERRAL: u32 = 10;
    pub(crate) const ADMIN_LIMIT: u32 = 11;
    pub(crate) const CONFIDENTIALITY: u32 = 13;
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INVALID_DN: u32 = 34;
    pub(crate) const INAPPROPRIATE_AUTH: u32 = 48;
    pub(crate) const INVALID_CREDENTIALS: u32 = 49;
    pub(crate) const INSUFFICIENT_ACCESS: u32 = 50;
    pub(crate) const CONSTRAINT: u32 = 19;
    pub(crate) const UNWILLING: u32 = 53;
}

impl Failure {
    /// Names a result code; the server's text is cut short, because it ends in logs.
    pub(crate) fn refused(doing: &'static str, code: u32, text: &str) -> Self {
        match code {
            code::STRONGER_AUTH | code::CONFIDENTIALITY => Self::Misfit {
                field: "tls.mode",
                message: "the directory asks for encryption: write ldaps or startTls".to_owned(),
            },
            code::INSUFFICIENT_ACCESS => Self::Misfit {
                field: "bind.dn",
                message: format!("the account may not do what is needed for {doing}: give it read access"),
            },
            _ => Self::Refused { doing, code, text: text.chars().filter(|c| !c.is_control()).take(200).collect() },
        }
    }

    /// Whether this server, and not the configuration or the question, is at fault.
    pub(crate) const fn blames_server(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Lost(_) | Self::TimedOut(_) | Self::Guard(_) | Self::Refused { .. }
        )
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Guard(_) | Failure::Nonsense(_) => Self::Protocol(failure.to_string()),
            Failure::ServiceRejected => Self::Misconfigured {
                field: "bind".to_owned(),
                message: "the directory rejected this account: check dn and password".to_owned(),
            },
            Failure::Misfit { field, message } => Self::Misconfigured { field: field.to_owned(), message },
            Failure::AllDown { retry_after } => Self::Unavailable { retry_after, source: Some(failure.into()) },
            Failure::Unreachable { .. }
            | Failure::Lost(_)
            | Failure::TimedOut(_)
            | Failure::Exhausted
            | Failure::Refused { .. } => Self::unavailable(failure),
        }
    }
}
