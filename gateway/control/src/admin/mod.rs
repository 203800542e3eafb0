//! What an administrator does on the host, to the same store that a running server uses.
//!
//! Nothing here needs the server: it reads the changes and acts on them. Only a refresh is carried out by the server,
//! since only it speaks to providers.

mod find;
mod users;

pub use users::{KnownUser, NewUser};

use auth_core::PrincipalId;
use uuid::Uuid;

use crate::names::{self, NameKind};
use crate::refresh::{self, RefreshAnswer};
use crate::sessions::{self, Listing, SessionId, SessionInfo, Which};
use crate::store::{Change, Changes, Store, StoreFault};
use crate::tokens::{TokenInfo, TokenName, rows};
use crate::users::UserId;

/// Why a session ended that an administrator ended.
pub(crate) const BY_ADMINISTRATOR: &str = "ended by an administrator";

/// Acts on the store as an administrator. Whoever can open the file may.
///
/// ```
/// use std::sync::Arc;
/// use auth_core::testing::ManualClock;
/// use gatewarden_control::{Admin, NewUser, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("gatewarden.db");
/// let admin = Admin::new(Store::open(&path, Arc::new(ManualClock::new())).await?);
/// let carol = admin
///     .add_user(NewUser {
///         login: "carol".to_owned(),
///         display_name: None,
///         password_hash: None,
///         must_change: false,
///         groups: vec!["dev".to_owned()],
///     })
///     .await?;
/// admin.disable("carol").await?; // a server on the same file ends her sessions
/// assert_eq!(admin.find("carol").await?, carol);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Admin {
    pub(crate) store: Store,
}

/// Why an administrator's command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nothing goes by this id or name.
    #[error("there is no {what} {name:?}")]
    NotFound {
        /// User, token, session or name.
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// A login name fits several users: the command needs an id.
    #[error("{name:?} fits several users; name one by its id: {}", ids.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Whom it fits.
        ids: Vec<String>,
    },
    /// Nobody known has this name, and not every provider said whether it knows them.
    #[error("it is not known whether there is a user {name:?}: {why}")]
    Silent {
        /// What was asked for.
        name: String,
        /// Who did not answer, and why.
        why: String,
    },
    /// Somebody has this login name.
    #[error("the login name {0:?} is taken")]
    LoginTaken(String),
    /// A name that nobody could log in with, or no group may have.
    #[error("{what} {name:?} must be 1 to 256 bytes without control characters and without spaces at its ends")]
    BadName {
        /// Login or group.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A user of another directory has no password here.
    #[error("{0} is not a local user: the password is kept elsewhere")]
    NotLocal(UserId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The machine gave no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

/// Names a request for a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshId(String);

/// A name that was taken from its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// What the name was for.
    pub kind: NameKind,
    /// Whose it was.
    pub owner: PrincipalId,
}

impl Admin {
    /// Works on this store.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    #[cfg(test)]
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Lists the tokens of a user, or all.
    ///
    /// # Errors
    /// When there is no such user, or the store fails.
    pub async fn tokens(&self, user: Option<&str>) -> Result<Vec<TokenInfo>, AdminError> {
        let user = self.find_optional(user).await?;
        Ok(rows::list(&mut *self.store.read().await?, user.as_ref()).await?)
    }

    /// Ends a token and the session that it stands for.
    ///
    /// # Errors
    /// When there is no such token, or the store fails. One that had ended before is no error.
    pub async fn revoke_token(&self, name: &str) -> Result<(), AdminError> {
        let not_found = || AdminError::NotFound { what: "token", name: name.chars().take(16).collect() };
        let token: TokenName = name.parse().map_err(|_| not_found())?;
        if revoke(&self.store, &token, None).await? { Ok(()) } else { Err(not_found()) }
    }

    /// Lists the sessions of a user, or all.
    ///
    /// # Errors
    /// When there is no such user, or the store fails.
    pub async fn sessions(&self, user: Option<&str>) -> Result<Vec<SessionInfo>, AdminError> {
        let user = self.find_optional(user).await?;
        Ok(sessions::list(&mut *self.store.read().await?, Listing::of(user.as_ref())).await?)
    }

    /// Ends a session and its tokens.
    ///
    /// # Errors
    /// When there is no such session that has not ended, or the store fails.
    pub async fn end_session(&self, id: &str) -> Result<(), AdminError> {
        let not_found = || AdminError::NotFound { what: "session", name: id.to_owned() };
        let session: SessionId = id.parse().map_err(|_| not_found())?;
        let mut write = self.store.write().await?;
        let ended = sessions::end(&mut write, Which::One(&session), BY_ADMINISTRATOR).await?;
        Ok(write.commit(ended.ok_or_else(not_found)?).await?)
    }

    /// Ends all sessions of a user, who may log in again, and returns which.
    ///
    /// # Errors
    /// When there is no such user, or the store fails. That there was none to end is no error.
    pub async fn end_sessions_of(&self, user: &str) -> Result<Vec<SessionId>, AdminError> {
        let user = self.find(user).await?;
        let open_at = Some(self.store.now());
        let mut write = self.store.write().await?;
        let listing = Listing { open_at, ..Listing::of(Some(&user)) };
        let open = sessions::list(write.connection(), listing).await?;
        if let Some(changes) = sessions::end(&mut write, Which::OfUser(&user), BY_ADMINISTRATOR).await? {
            write.commit(changes).await?;
        }
        Ok(open.into_iter().map(|session| session.id).collect())
    }

    /// Takes a name (as a cluster sees it) from the user and from the group that own it. Their sessions end: otherwise
    /// the next owner and the last one would go by the same name.
    ///
    /// # Errors
    /// When nobody owns the name, or the store fails.
    pub async fn release_name(&self, name: &str) -> Result<Vec<Released>, AdminError> {
        let mut write = self.store.write().await?;
        let mut released = Vec::new();
        let mut done: Option<Changes> = None;
        for kind in [NameKind::User, NameKind::Group] {
            let Some(owner) = names::release(&mut write, kind, name).await? else { continue };
            let which = match kind {
                NameKind::User => Which::OfPrincipal(&owner),
                NameKind::Group => Which::InGroup(&owner),
            };
            let ended = sessions::end(&mut write, which, "a name in clusters was released").await?;
            let change = Change::NameReleased(format!("{}:{name}", kind.as_str()));
            let ended = ended.iter().flat_map(|ended| ended.iter().cloned()).collect::<Vec<_>>();
            let all = done.map_or_else(|| Changes::from(change.clone()), |done| done.and(change.clone()));
            done = Some(ended.into_iter().fold(all, Changes::and));
            released.push(Released { kind, owner });
        }
        let done = done.ok_or_else(|| AdminError::NotFound { what: "name", name: name.to_owned() })?;
        write.commit(done).await?;
        Ok(released)
    }

    /// Asks the running server to read a user anew. [`Admin::refresh_answer`] tells what came of it.
    ///
    /// # Errors
    /// When there is no such user, or the store fails.
    pub async fn request_refresh(&self, user: &str) -> Result<RefreshId, AdminError> {
        let user = self.find(user).await?;
        let id = format!("r-{}", Uuid::now_v7());
        let mut write = self.store.write().await?;
        refresh::request(&mut write, &id, &user).await?;
        write.commit(Change::RefreshRequested(id.clone())).await?;
        Ok(RefreshId(id))
    }

    /// What a request came to; `None` while it is open, or when no server runs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn refresh_answer(&self, id: &RefreshId) -> Result<Option<RefreshAnswer>, AdminError> {
        Ok(refresh::read_answer(&mut *self.store.read().await?, &id.0).await?)
    }
}

/// Ends a token with its session; `false` when there is none, or it is not of this user.
pub(crate) async fn revoke(store: &Store, token: &TokenName, of: Option<&str>) -> Result<bool, StoreFault> {
    let mut write = store.write().await?;
    let Some((session, user)) = rows::owner(&mut write, token).await? else { return Ok(false) };
    if of.is_some_and(|of| of != user.as_str()) {
        return Ok(false);
    }
    let revoked = rows::revoke(&mut write, token).await?;
    let ended = sessions::end(&mut write, Which::One(&session), "its token was revoked").await?;
    let changes = revoked.then(|| Change::TokenRevoked(token.clone())).into_iter();
    let changes = changes.chain(ended.iter().flat_map(|ended| ended.iter().cloned()));
    if let Some(changes) = Changes::collect(changes) {
        write.commit(changes).await?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
