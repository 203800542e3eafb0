//! The public half of a token.

use std::fmt;
use std::str::FromStr;

use crate::base32;

/// How the name of an API token begins.
pub(super) const API: &str = "gwt-";
/// How the name of a refresh token begins.
pub(super) const REFRESH: &str = "gwr-";
const LENGTH: usize = 12;

/// A token's name, `gwt-` (of an API token) or `gwr-` (of a refresh token) and 12 characters: safe to show, log and list.
///
/// ```
/// use gatewarden_control::TokenName;
///
/// assert!("gwt-abcdefghijkl".parse::<TokenName>().is_ok());
/// assert!("gwt-ABCDEFGHIJKL".parse::<TokenName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenName(String);

impl TokenName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name from 60 random bits.
    pub(super) fn from_random(prefix: &str, bytes: [u8; 8]) -> Self {
        Self(format!("{prefix}{}", base32::encode(&bytes, LENGTH)))
    }
}

impl FromStr for TokenName {
    type Err = InvalidTokenName;

    fn from_str(text: &str) -> Result<Self, InvalidTokenName> {
        let rest = text.strip_prefix(API).or_else(|| text.strip_prefix(REFRESH)).ok_or(InvalidTokenName)?;
        if base32::is(rest, LENGTH) { Ok(Self(text.to_owned())) } else { Err(InvalidTokenName) }
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no token name. It is not repeated: it may be a whole token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token name reads gwt- and 12 characters from a-z and 2-7")]
pub struct InvalidTokenName;
