//! The id of one login.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

const PREFIX: &str = "s-";

/// `s-` and a UUIDv7: sorts by time, and says nothing about who.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    pub(crate) fn random() -> Self {
        Self(format!("{PREFIX}{}", Uuid::now_v7()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let rest = text.strip_prefix(PREFIX).ok_or(InvalidSessionId)?;
        let uuid = Uuid::parse_str(rest).map_err(|_| InvalidSessionId)?;
        // The library reads other spellings too; an id has one.
        if uuid.to_string() == rest { Ok(Self(text.to_owned())) } else { Err(InvalidSessionId) }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session id reads s- and a UUID in lower case")]
pub struct InvalidSessionId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = SessionId::random();
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        let bare = id.as_str().trim_start_matches(PREFIX);
        for other in
            [bare.to_owned(), format!("S-{bare}"), format!("s-{}", bare.to_uppercase()), format!("s-{{{bare}}}")]
        {
            assert_eq!(other.parse::<SessionId>(), Err(InvalidSessionId), "{other}");
        }
        assert!(format!("s-{}", bare.replace('-', "")).parse::<SessionId>().is_err());
    }

    #[test]
    fn a_later_id_sorts_later() {
        let ids: Vec<SessionId> = (0..50).map(|_| SessionId::random()).collect();
        assert!(ids.is_sorted());
    }
}
