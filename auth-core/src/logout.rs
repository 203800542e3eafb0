//! The end of logins at the identity system, as that system tells it.
//!
//! People log out where they logged in, or somebody there ends their login, and the system tells everybody who relies on
//! it: OpenID Connect by a signed token (Back-Channel Logout 1.0), CAS by a message about a ticket. Each says it in its
//! own bytes, which may come from anybody. A provider makes of them which logins are over; the gateway ends what rests on
//! these.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{AuthError, Context, ProviderSecret};

/// A provider whose identity system tells of logouts. [`AuthProvider::logout`](crate::AuthProvider::logout) hands it out;
/// [`Contained::read_logout`](crate::Contained::read_logout) is how the gateway calls it.
///
/// Its logins say which login of the identity system they rest on:
/// [`Login::with_upstream`](crate::Login::with_upstream).
#[async_trait]
pub trait Logout: Send + Sync {
    /// Decides whether a notice proves that logins are over, and says which.
    ///
    /// # Errors
    /// Only when it cannot be decided: [`AuthError::Unavailable`] when keys that are needed cannot be read. Whatever is
    /// wrong with the notice is [`LogoutVerdict::Refused`].
    async fn read_logout(&self, ctx: &Context, notice: &LogoutNotice) -> Result<LogoutVerdict, AuthError>;

    /// Says where a browser goes whose person logged out here, to log out at the identity system as well. `None`: nowhere,
    /// because the system has no such address or its operator wants people to stay logged in there.
    ///
    /// # Errors
    /// When the system has to be asked first and does not answer. The person is logged out here whatever this says.
    async fn leave(&self, ctx: &Context, leaving: &Leaving) -> Result<Option<String>, AuthError>;
}

/// A person who logged out here in their browser.
#[non_exhaustive]
#[derive(Debug)]
pub struct Leaving {
    /// What the provider left with the session that ended.
    pub secret: Option<ProviderSecret>,
    /// The address of ours that the browser is to come back to.
    pub back: String,
    /// What it is to bring along: unguessable, and another each time.
    pub state: String,
}

impl Leaving {
    /// Collects the parts.
    pub fn new(secret: Option<ProviderSecret>, back: impl Into<String>, state: impl Into<String>) -> Self {
        Self { secret, back: back.into(), state: state.into() }
    }
}

/// What somebody sent who says that logins are over.
pub struct LogoutNotice {
    /// The fields of the form, decoded, in order.
    pub parameters: Vec<(String, String)>,
}

impl LogoutNotice {
    /// RFC 6749 §3.1, as everywhere: the value of a field that is there exactly once.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        all.next().filter(|_| all.next().is_none())
    }
}

impl fmt::Debug for LogoutNotice {
    /// Without the values: one that was not read yet could be sent once more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.parameters.iter().map(|(name, _)| name)).finish()
    }
}

/// What a notice is worth.
#[derive(Debug)]
pub enum LogoutVerdict {
    /// It proves this.
    Over(LoginsOver),
    /// It proves nothing, for this reason: words for the operator's log.
    Refused(String),
}

/// Logins of an identity system that are over, and how long the notice that says so would be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginsOver {
    /// Which.
    pub which: UpstreamLogins,
    /// What tells this notice from every other: it is believed once.
    pub notice: String,
    /// When it was made, as far as its maker's clock may be behind ours.
    pub made_at: Timestamp,
    /// From then on it would not be believed.
    pub expires_at: Timestamp,
}

/// Logins of an identity system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamLogins {
    /// All of a subject.
    OfSubject(String),
    /// This one, of whomever.
    Session(String),
    /// This one, and it is this subject's.
    SessionOf {
        /// The subject.
        subject: String,
        /// The login.
        session: String,
    },
}

impl UpstreamLogins {
    /// Whose they are, where that is said.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::OfSubject(subject) | Self::SessionOf { subject, .. } => Some(subject),
            Self::Session(_) => None,
        }
    }

    /// Which one it is, where that is said.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Session(session) | Self::SessionOf { session, .. } => Some(session),
            Self::OfSubject(_) => None,
        }
    }
}

/// The login of the identity system that a login here rests on, in that system's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamLogin {
    /// Whose: the `sub` of OpenID Connect, the user name of CAS.
    pub subject: String,
    /// Which of theirs: the `sid` of OpenID Connect, the ticket of CAS. None where the system does not say.
    pub session: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_stands_there_twice_is_none_and_what_was_sent_is_not_shown() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let notice = LogoutNotice { parameters: vec![field("a", "s3cret"), field("b", "1"), field("b", "1")] };
        assert_eq!((notice.one("a"), notice.one("b"), notice.one("c")), (Some("s3cret"), None, None));
        assert!(!format!("{notice:?}").contains("s3cret"));
    }
}
