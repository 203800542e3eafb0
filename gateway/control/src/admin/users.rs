//! People: add, list, switch off and on.

use auth_core::{InstanceId, PasswordHash, Principal, PrincipalId, PrincipalType};
use jiff::Timestamp;
use sqlx::FromRow;

use super::{Admin, AdminError};
use crate::base32;
use crate::sessions::{self, Which};
use crate::store::{Change, Changes, StoreFault, millis, moment};
use crate::users::{self, NewLocal, UserId};

/// A local user to be added.
#[derive(Debug)]
pub struct NewUser {
    /// What they type to log in.
    pub login: String,
    /// What pages show.
    pub display_name: Option<String>,
    /// The hash of their password; without one they cannot log in until [`Admin::set_password`].
    pub password_hash: Option<PasswordHash>,
    /// The password is good only for setting another.
    pub must_change: bool,
    /// Their local groups; those that are not there yet are made.
    pub groups: Vec<String>,
}

/// A user as commands list them.
#[derive(Debug, Clone)]
pub struct KnownUser {
    /// Who.
    pub id: UserId,
    /// What they logged in as last.
    pub login: String,
    /// What pages show.
    pub display_name: Option<String>,
    /// When they were switched off here, if they are.
    pub disabled_at: Option<Timestamp>,
    /// When they came first.
    pub created_at: Timestamp,
    /// When they logged in last.
    pub last_seen_at: Option<Timestamp>,
    /// The principals that they come by.
    pub principals: Vec<PrincipalId>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    login: String,
    display_name: Option<String>,
    disabled_at: Option<i64>,
    created_at: i64,
    last_seen_at: Option<i64>,
}

impl Admin {
    /// Adds a local user.
    ///
    /// # Errors
    /// When the login name is taken or cannot be typed, or the store fails.
    pub async fn add_user(&self, new: NewUser) -> Result<UserId, AdminError> {
        check_name("login", &new.login)?;
        new.groups.iter().try_for_each(|group| check_name("group", group))?;
        let external = random_id()?;
        let principal = local_principal(&external, &new)?;
        let mut write = self.store.write().await?;
        let taken: Option<i64> = sqlx::query_scalar("SELECT 1 FROM local_users WHERE login = ?")
            .bind(&new.login)
            .fetch_optional(write.connection())
            .await
            .map_err(StoreFault::from)?;
        if taken.is_some() {
            return Err(AdminError::LoginTaken(new.login));
        }
        let user = users::insert(&mut write, &principal).await?;
        let local = NewLocal {
            id: &external,
            user: &user,
            login: &new.login,
            hash: new.password_hash.as_ref(),
            must_change: new.must_change,
            groups: &new.groups,
        };
        users::insert_local(&mut write, local).await?;
        write.commit(Change::UserSaved(user.clone())).await?;
        Ok(user)
    }

    /// Sets the password of a local user. Their sessions end: whoever knew the old one may have opened them.
    ///
    /// # Errors
    /// When there is no such local user, or the store fails.
    pub async fn set_password(&self, user: &str, hash: &PasswordHash, must_change: bool) -> Result<UserId, AdminError> {
        let user = self.find(user).await?;
        let mut write = self.store.write().await?;
        if !users::set_local_password(&mut write, &user, hash, must_change).await? {
            return Err(AdminError::NotLocal(user));
        }
        let ended = sessions::end(&mut write, Which::OfUser(&user), "the password was changed").await?;
        write.commit(with(Change::UserSaved(user.clone()), ended)).await?;
        Ok(user)
    }

    /// Switches a user off, whatever provider they come by. Their sessions end for good.
    ///
    /// # Errors
    /// When there is no such user, or the store fails.
    pub async fn disable(&self, user: &str) -> Result<UserId, AdminError> {
        let user = self.find(user).await?;
        let mut write = self.store.write().await?;
        let at = millis(write.at());
        sqlx::query("UPDATE users SET disabled_at = coalesce(disabled_at, ?) WHERE id = ?")
            .bind(at)
            .bind(user.as_str())
            .execute(write.connection())
            .await
            .map_err(StoreFault::from)?;
        let ended = sessions::end(&mut write, Which::OfUser(&user), "the user was disabled").await?;
        write.commit(with(Change::UserDisabled(user.clone()), ended)).await?;
        Ok(user)
    }

    /// Switches a user on again. Sessions that had ended stay ended.
    ///
    /// # Errors
    /// When there is no such user, or the store fails.
    pub async fn enable(&self, user: &str) -> Result<UserId, AdminError> {
        let user = self.find(user).await?;
        let mut write = self.store.write().await?;
        sqlx::query("UPDATE users SET disabled_at = NULL WHERE id = ?")
            .bind(user.as_str())
            .execute(write.connection())
            .await
            .map_err(StoreFault::from)?;
        write.commit(Change::UserEnabled(user.clone())).await?;
        Ok(user)
    }

    /// Lists all users, by login name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users(&self) -> Result<Vec<KnownUser>, AdminError> {
        let mut connection = self.store.read().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT u.id, u.login, u.display_name, u.disabled_at, u.created_at, \
             (SELECT max(last_seen_at) FROM principals p WHERE p.user_id = u.id) AS last_seen_at \
             FROM users u ORDER BY u.login, u.id",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreFault::from)?;
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            let id = users::parse_id(&row.id)?;
            let principals = users::principals(&mut connection, &id).await?;
            known.push(row.read(id, principals));
        }
        Ok(known)
    }
}

impl Row {
    fn read(self, id: UserId, principals: Vec<PrincipalId>) -> KnownUser {
        KnownUser {
            id,
            login: self.login,
            display_name: self.display_name,
            disabled_at: self.disabled_at.map(moment),
            created_at: moment(self.created_at),
            last_seen_at: self.last_seen_at.map(moment),
            principals,
        }
    }
}

fn with(change: Change, others: Option<Changes>) -> Changes {
    others.iter().flat_map(Changes::iter).cloned().fold(Changes::from(change), Changes::and)
}

fn local_principal(external: &str, new: &NewUser) -> Result<Principal, AdminError> {
    let unreadable = |error| StoreFault::unreadable("principal", error);
    let local: InstanceId = "local".parse().map_err(unreadable)?;
    let id = PrincipalId::new(&local, PrincipalType::User, external).map_err(unreadable)?;
    let principal = Principal::new(id, &new.login);
    Ok(match &new.display_name {
        Some(name) => principal.with_display_name(name),
        None => principal,
    })
}

/// An id says nothing of the name, so that it outlives a new one.
fn random_id() -> Result<String, AdminError> {
    let mut bytes = [0; 10];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| AdminError::Randomness)?;
    Ok(base32::encode(&bytes, 16))
}

fn check_name(what: &'static str, name: &str) -> Result<(), AdminError> {
    let good = !name.is_empty() && name.len() <= 256 && name.trim() == name && !name.contains(char::is_control);
    if good { Ok(()) } else { Err(AdminError::BadName { what, name: name.to_owned() }) }
}
