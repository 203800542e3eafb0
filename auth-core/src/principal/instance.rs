//! The id of one configured provider.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::InvalidId;

const MAX_LENGTH: usize = 63;

/// The id of a provider instance, such as `corp`: `[a-z]([a-z0-9-]{0,61}[a-z0-9])?`.
///
/// Every principal id starts with it, so it cannot change once people have logged in.
/// Made only by parsing, so one that you hold is valid:
///
/// ```
/// use auth_core::InstanceId;
///
/// assert!("corp".parse::<InstanceId>().is_ok());
/// assert!("Corp_1".parse::<InstanceId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the one instance whose people Gatewarden itself keeps.
    #[must_use]
    pub fn is_local(&self) -> bool {
        &*self.0 == "local"
    }
}

impl FromStr for InstanceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refused = |why| Err(InvalidId::new("provider instance id", why));
        if text.len() > MAX_LENGTH {
            return refused("longer than 63 characters");
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return refused("must start with a letter from a to z");
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return refused("may hold only a-z, 0-9 and -");
        }
        if text.ends_with('-') {
            return refused("must not end in -");
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for InstanceId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
