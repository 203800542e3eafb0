//! The id of one person, for good.

use std::fmt;
use std::str::FromStr;

use auth_core::PrincipalId;
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::base32;

const PREFIX: &str = "u-";
const LENGTH: usize = 20;

/// `u-` and 20 characters, made from the first principal that the person came by.
///
/// The same person gets the same id on every replica and after a loss of the store, so that objects in clusters which
/// name it stay theirs.
///
/// ```
/// use gatewarden_control::UserId;
///
/// let id = UserId::of(&"corp_user://0f6a0c3e".parse()?);
/// assert_eq!(id.as_str().len(), 22);
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// The id of whoever comes by this principal first.
    #[must_use]
    pub fn of(first: &PrincipalId) -> Self {
        let hash = digest(&SHA256, first.to_string().as_bytes());
        Self(format!("{PREFIX}{}", base32::encode(hash.as_ref(), LENGTH)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = InvalidUserId;

    fn from_str(text: &str) -> Result<Self, InvalidUserId> {
        let rest = text.strip_prefix(PREFIX).ok_or(InvalidUserId)?;
        if base32::is(rest, LENGTH) { Ok(Self(text.to_owned())) } else { Err(InvalidUserId) }
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidUserId;

    fn try_from(text: String) -> Result<Self, InvalidUserId> {
        text.parse()
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user id reads u- and 20 characters from a-z and 2-7")]
pub struct InvalidUserId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_on_every_machine_for_ever() {
        let id = UserId::of(&"local://x".parse().expect("an id"));
        // printf local://x | sha256sum | xxd -r -p | base32 | cut -c1-20, in lower case
        assert_eq!(id.as_str(), "u-onkjrn3v26lirrn3jjjt");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        for other in ["u-", "u-ABCDEFGHIJKLMNOPQRST", "u-aaaaaaaaaaaaaaaaaaa1", "aaaaaaaaaaaaaaaaaaaa"] {
            assert_eq!(other.parse::<UserId>(), Err(InvalidUserId), "{other}");
        }
    }
}
