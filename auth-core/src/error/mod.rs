//! How a provider says no, and what each party is told about it.

mod causes;

use std::time::Duration;

use crate::StoreError;

pub use causes::with_causes;

/// An error of any library, kept as a source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a provider call did not give what was asked for.
///
/// Every variant knows what the *person* is told ([`code`](Self::code), [`http_status`](Self::http_status),
/// [`public_message`](Self::public_message)) and what the *operator* is told ([`audit_code`](Self::audit_code),
/// [`audit_text`](Self::audit_text)).
///
/// The state of an account ([`Disabled`](Self::Disabled), [`Locked`](Self::Locked),
/// [`PasswordExpired`](Self::PasswordExpired), [`MustChangePassword`](Self::MustChangePassword),
/// [`AccountExpired`](Self::AccountExpired)) is returned **only after the password was found right**. Before that a
/// provider returns [`BadCredentials`](Self::BadCredentials), for an unknown user as for a wrong password: otherwise
/// anybody can learn who has an account.
///
/// ```
/// use auth_core::AuthError;
///
/// let error = AuthError::Ambiguous;
/// assert_eq!((error.http_status(), error.code()), (401, "bad-credentials")); // the person learns nothing
/// assert_eq!(error.audit_code(), "ambiguous"); // the operator does
/// ```
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Unknown user or wrong password, without saying which. The person tries again: 401.
    #[error("bad credentials")]
    BadCredentials,
    /// The login name fits several accounts. The operator makes it unique; the person sees 401 as for a typo.
    #[error("the login name fits more than one account")]
    Ambiguous,
    /// Right password, but the account is switched off: 403. Only after a right password.
    #[error("the account is disabled")]
    Disabled,
    /// Right password, but the account is locked for a time: 403. Only after a right password.
    #[error("the account is locked")]
    Locked,
    /// Right password, but it is too old: 403. Only after a right password.
    #[error("the password has expired")]
    PasswordExpired,
    /// Right password, but it is good only for setting another: 403. Only after a right password.
    #[error("the password must be changed")]
    MustChangePassword,
    /// Right password, but the account's time is over: 403. Only after a right password.
    #[error("the account has expired")]
    AccountExpired,
    /// A rule of the site says no: 403. The reason is shown to the person, so it names no secret.
    #[error("refused by policy: {0}")]
    PolicyDenied(String),
    /// The person is in none of the groups that this instance asks for: 403.
    #[error("not in a required group")]
    NotInRequiredGroups,
    /// The groups could not all be read, and the decision rests on them: 503. The reason is for the operator.
    #[error("the groups are incomplete: {0}")]
    GroupsIncomplete(String),
    /// Too many attempts: 429. The person waits.
    #[error("too many attempts")]
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The identity system did not answer: 503. The operator looks at it; nobody's access changes.
    #[error("the identity system is unavailable")]
    Unavailable {
        /// When asking again may help.
        retry_after: Duration,
        /// What went wrong, for the operator.
        #[source]
        source: Option<BoxError>,
    },
    /// The configuration does not fit the identity system: 500. The operator mends the named field.
    #[error("misconfigured at {field}: {message}")]
    Misconfigured {
        /// The field, as in [`Fault::path`](crate::Fault::path).
        field: String,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// The identity system answered against its protocol: 502. The text is for the operator.
    #[error("unexpected answer: {0}")]
    Protocol(String),
    /// A ticket, code or assertion was used a second time: 401.
    #[error("used a second time")]
    Replay,
    /// The provider does not take this form of login: 400.
    #[error("this form of login is not offered")]
    UnsupportedInput,
}

impl AuthError {
    /// The system did not answer, with the reason for the operator and a short wait.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable { retry_after: Duration::from_secs(5), source: Some(source.into()) }
    }

    /// What a client program is told. [`Ambiguous`](Self::Ambiguous) is not told from a typo.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ambiguous => "bad-credentials",
            other => other.audit_code(),
        }
    }

    /// The name of the variant in audit records and metrics: every variant has its own.
    #[must_use]
    pub const fn audit_code(&self) -> &'static str {
        match self {
            Self::BadCredentials => "bad-credentials",
            Self::Ambiguous => "ambiguous",
            Self::Disabled => "disabled",
            Self::Locked => "locked",
            Self::PasswordExpired => "password-expired",
            Self::MustChangePassword => "must-change-password",
            Self::AccountExpired => "account-expired",
            Self::PolicyDenied(_) => "policy-denied",
            Self::NotInRequiredGroups => "not-in-required-groups",
            Self::GroupsIncomplete(_) => "groups-incomplete",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Protocol(_) => "protocol",
            Self::Replay => "replay",
            Self::UnsupportedInput => "unsupported-input",
        }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::UnsupportedInput => 400,
            Self::BadCredentials | Self::Ambiguous | Self::Replay => 401,
            Self::Disabled
            | Self::Locked
            | Self::PasswordExpired
            | Self::MustChangePassword
            | Self::AccountExpired
            | Self::PolicyDenied(_)
            | Self::NotInRequiredGroups => 403,
            Self::Throttled { .. } => 429,
            Self::Misconfigured { .. } => 500,
            Self::Protocol(_) => 502,
            Self::GroupsIncomplete(_) | Self::Unavailable { .. } => 503,
        }
    }

    /// When to try again: the `Retry-After` of the answer.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// What a person is told: one sentence, nothing of the inside.
    #[must_use]
    pub fn public_message(&self) -> String {
        let text = match self {
            Self::BadCredentials | Self::Ambiguous => "The user name or password is not right.",
            Self::Disabled => "This account is disabled. Ask your administrator.",
            Self::Locked => "This account is locked. Wait, or ask your administrator.",
            Self::PasswordExpired => "The password has expired. Set a new one, then log in again.",
            Self::MustChangePassword => "The password must be changed before it can be used here.",
            Self::AccountExpired => "This account has expired. Ask your administrator.",
            Self::PolicyDenied(reason) => return format!("You may not log in here: {reason}."),
            Self::NotInRequiredGroups => "You are not in a group that may log in here.",
            Self::GroupsIncomplete(_) => "Your groups could not be read completely, so nothing was decided. Try later.",
            Self::Throttled { .. } => "Too many attempts. Wait, then try again.",
            Self::Unavailable { .. } => "The identity system does not answer. Try again later.",
            Self::Misconfigured { .. } => "This login is not set up correctly. Tell your administrator.",
            Self::Protocol(_) => "The identity system gave an answer that makes no sense. Tell your administrator.",
            Self::Replay => "This login was used before. Start again.",
            Self::UnsupportedInput => "This way to log in is not offered.",
        };
        text.to_owned()
    }

    /// What the operator reads in the audit record: this error and its sources, on one line.
    #[must_use]
    pub fn audit_text(&self) -> String {
        one_line(&with_causes(self), AUDIT_MAX)
    }
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error)
    }
}

const AUDIT_MAX: usize = 2_048;

/// Makes text from outside fit for one line of a log: bounded, and no control character can start another line.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        if line.len() + c.len_utf8() > max {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

#[cfg(test)]
mod tests;
