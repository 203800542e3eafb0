//! What a write did, as one row for whoever follows.

use crate::sessions::SessionId;
use crate::tokens::TokenName;
use crate::users::UserId;

/// One thing that a write did.
///
/// A version that does not know a kind treats it as "anything may have changed" (see `changes/`), so kinds may be
/// added, but a kind never changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A user or a local account was added or altered, but keeps its access.
    UserSaved(UserId),
    /// A user was switched off: sessions end.
    UserDisabled(UserId),
    /// A user was switched on again.
    UserEnabled(UserId),
    /// Somebody logged in.
    SessionStarted(SessionId),
    /// A session is over.
    SessionEnded(SessionId),
    /// A session was looked at, and clusters see the same identity as before.
    SessionChecked(SessionId),
    /// A session's identity was read anew and only grew.
    SessionRenewed(SessionId),
    /// A session's identity was read anew and something is gone: streams that rest on it end.
    SessionLost(SessionId),
    /// A token was made.
    TokenMinted(TokenName),
    /// A token is over.
    TokenRevoked(TokenName),
    /// A name lost its owner.
    NameReleased(String),
    /// Somebody asks for a user to be read anew.
    RefreshRequested(String),
    /// The answer to such a request is there.
    RefreshAnswered(String),
    /// Rows that nobody needs any more were removed.
    Swept,
    /// The issuer has one more signing key.
    SigningKeyMade(String),
    /// A login at the issuer began, or went on, or its device asked.
    AuthorizationSeen(String),
    /// A refresh token was made.
    RefreshTokenMinted(TokenName),
    /// An identity system told of a logout.
    LogoutHeard(String),
}

impl Change {
    /// The kind, as the table spells it.
    #[must_use]
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::UserSaved(_) => "user-saved",
            Self::UserDisabled(_) => "user-disabled",
            Self::UserEnabled(_) => "user-enabled",
            Self::SessionStarted(_) => "session-started",
            Self::SessionEnded(_) => "session-ended",
            Self::SessionChecked(_) => "session-checked",
            Self::SessionRenewed(_) => "session-renewed",
            Self::SessionLost(_) => "session-lost",
            Self::TokenMinted(_) => "token-minted",
            Self::TokenRevoked(_) => "token-revoked",
            Self::NameReleased(_) => "name-released",
            Self::RefreshRequested(_) => "refresh-requested",
            Self::RefreshAnswered(_) => "refresh-answered",
            Self::Swept => "swept",
            Self::SigningKeyMade(_) => "signing-key-made",
            Self::AuthorizationSeen(_) => "authorization-seen",
            Self::RefreshTokenMinted(_) => "refresh-token-minted",
            Self::LogoutHeard(_) => "logout-heard",
        }
    }

    /// Whom or what it is about.
    #[must_use]
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::UserSaved(id) | Self::UserDisabled(id) | Self::UserEnabled(id) => id.as_str(),
            Self::SessionStarted(id)
            | Self::SessionEnded(id)
            | Self::SessionChecked(id)
            | Self::SessionRenewed(id)
            | Self::SessionLost(id) => id.as_str(),
            Self::TokenMinted(name) | Self::TokenRevoked(name) | Self::RefreshTokenMinted(name) => name.as_str(),
            Self::NameReleased(key)
            | Self::RefreshRequested(key)
            | Self::RefreshAnswered(key)
            | Self::SigningKeyMade(key)
            | Self::AuthorizationSeen(key)
            | Self::LogoutHeard(key) => key,
            Self::Swept => "",
        }
    }

    /// Reads a row; `None` when a newer version wrote it.
    pub(crate) fn parse(kind: &str, key: &str) -> Option<Self> {
        let change = match kind {
            "user-saved" => Self::UserSaved(key.parse().ok()?),
            "user-disabled" => Self::UserDisabled(key.parse().ok()?),
            "user-enabled" => Self::UserEnabled(key.parse().ok()?),
            "session-started" => Self::SessionStarted(key.parse().ok()?),
            "session-ended" => Self::SessionEnded(key.parse().ok()?),
            "session-checked" => Self::SessionChecked(key.parse().ok()?),
            "session-renewed" => Self::SessionRenewed(key.parse().ok()?),
            "session-lost" => Self::SessionLost(key.parse().ok()?),
            "token-minted" => Self::TokenMinted(key.parse().ok()?),
            "token-revoked" => Self::TokenRevoked(key.parse().ok()?),
            "name-released" => Self::NameReleased(key.to_owned()),
            "refresh-requested" => Self::RefreshRequested(key.to_owned()),
            "refresh-answered" => Self::RefreshAnswered(key.to_owned()),
            "swept" => Self::Swept,
            "signing-key-made" => Self::SigningKeyMade(key.to_owned()),
            "authorization-seen" => Self::AuthorizationSeen(key.to_owned()),
            "refresh-token-minted" => Self::RefreshTokenMinted(key.parse().ok()?),
            "logout-heard" => Self::LogoutHeard(key.to_owned()),
            _ => return None,
        };
        Some(change)
    }
}

/// All that one write did: at least one change.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    first: Change,
    rest: Vec<Change>,
}

impl Changes {
    /// Adds one more.
    #[must_use]
    pub(crate) fn and(mut self, change: Change) -> Self {
        self.rest.push(change);
        self
    }

    /// Collects changes; `None` when there are none, and then there is nothing to commit.
    pub(crate) fn collect(changes: impl IntoIterator<Item = Change>) -> Option<Self> {
        let mut changes = changes.into_iter();
        let first = changes.next()?;
        Some(Self { first, rest: changes.collect() })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Change> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl From<Change> for Changes {
    fn from(first: Change) -> Self {
        Self { first, rest: Vec::new() }
    }
}
