//! The people that the gateway itself keeps: what stands behind the provider `local`.

use async_trait::async_trait;
use auth_core::{PasswordHash, StoreError, StoredGroup, StoredPage, StoredUser, UserStore};
use sqlx::{FromRow, SqliteConnection};

use super::UserId;
use crate::store::{Change, Store, StoreFault, Write};

/// A local person to be added.
#[derive(Debug)]
pub(crate) struct NewLocal<'a> {
    pub(crate) id: &'a str,
    pub(crate) user: &'a UserId,
    pub(crate) login: &'a str,
    pub(crate) hash: Option<&'a PasswordHash>,
    pub(crate) must_change: bool,
    pub(crate) groups: &'a [String],
}

/// Adds a person, and the groups that are not there yet. A local group's name is its id: an operator writes
/// `local_group://dev` in a grant without asking for an id first.
pub(crate) async fn insert(write: &mut Write, new: NewLocal<'_>) -> Result<(), StoreFault> {
    sqlx::query("INSERT INTO local_users (id, user_id, login, password_hash, must_change) VALUES (?, ?, ?, ?, ?)")
        .bind(new.id)
        .bind(new.user.as_str())
        .bind(new.login)
        .bind(new.hash.map(PasswordHash::expose))
        .bind(new.must_change)
        .execute(write.connection())
        .await?;
    for group in new.groups {
        sqlx::query("INSERT INTO local_groups (id, name) VALUES (?1, ?1) ON CONFLICT DO NOTHING")
            .bind(group)
            .execute(write.connection())
            .await?;
        sqlx::query("INSERT INTO local_members (group_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(group)
            .bind(new.id)
            .execute(write.connection())
            .await?;
    }
    Ok(())
}

/// Sets the password of a local person; `false` when the user is none.
pub(crate) async fn set_password(
    write: &mut Write,
    user: &UserId,
    hash: &PasswordHash,
    must_change: bool,
) -> Result<bool, StoreFault> {
    let done = sqlx::query("UPDATE local_users SET password_hash = ?, must_change = ? WHERE user_id = ?")
        .bind(hash.expose())
        .bind(must_change)
        .bind(user.as_str())
        .execute(write.connection())
        .await?;
    Ok(done.rows_affected() > 0)
}

#[derive(FromRow)]
struct Row {
    id: String,
    login: String,
    display_name: Option<String>,
    password_hash: Option<String>,
    must_change: bool,
    disabled_at: Option<i64>,
}

#[async_trait]
impl UserStore for Store {
    async fn find_by_login(&self, login: &str) -> Result<Option<StoredUser>, StoreError> {
        let mut connection = self.read().await?;
        // The column compares without regard to the case of ASCII letters.
        let row: Option<Row> = sqlx::query_as(
            "SELECT l.id, l.login, u.display_name, l.password_hash, l.must_change, u.disabled_at \
             FROM local_users l JOIN users u ON u.id = l.user_id WHERE l.login = ?",
        )
        .bind(login)
        .fetch_optional(&mut *connection)
        .await
        .map_err(StoreFault::from)?;
        with_groups(&mut connection, row).await
    }

    async fn find(&self, id: &str) -> Result<Option<StoredUser>, StoreError> {
        let mut connection = self.read().await?;
        let row: Option<Row> = sqlx::query_as(
            "SELECT l.id, l.login, u.display_name, l.password_hash, l.must_change, u.disabled_at \
             FROM local_users l JOIN users u ON u.id = l.user_id WHERE l.id = ?",
        )
        .bind(id)
        .fetch_optional(&mut *connection)
        .await
        .map_err(StoreFault::from)?;
        with_groups(&mut connection, row).await
    }

    async fn find_group(&self, id: &str) -> Result<Option<StoredGroup>, StoreError> {
        let row: Option<(String, String)> = sqlx::query_as("SELECT id, name FROM local_groups WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *self.read().await?)
            .await
            .map_err(StoreFault::from)?;
        Ok(row.map(group))
    }

    async fn search_users(
        &self,
        text: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<StoredPage<StoredUser>, StoreError> {
        let mut connection = self.read().await?;
        // instr and not LIKE: a percent sign in a search is a percent sign.
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT l.id, l.login, u.display_name, l.password_hash, l.must_change, u.disabled_at \
             FROM local_users l JOIN users u ON u.id = l.user_id \
             WHERE (instr(lower(l.login), lower(?1)) OR instr(lower(coalesce(u.display_name, '')), lower(?1))) \
               AND l.id > ?2 ORDER BY l.id LIMIT ?3",
        )
        .bind(text)
        .bind(after.unwrap_or_default())
        .bind(one_more(limit))
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreFault::from)?;
        let mut users = Vec::with_capacity(rows.len());
        for row in rows {
            users.extend(with_groups(&mut connection, Some(row)).await?);
        }
        Ok(page(users, limit))
    }

    async fn search_groups(
        &self,
        text: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<StoredPage<StoredGroup>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT id, name FROM local_groups WHERE instr(lower(name), lower(?)) AND id > ? ORDER BY id LIMIT ?",
        )
        .bind(text)
        .bind(after.unwrap_or_default())
        .bind(one_more(limit))
        .fetch_all(&mut *self.read().await?)
        .await
        .map_err(StoreFault::from)?;
        Ok(page(rows.into_iter().map(group).collect(), limit))
    }

    async fn rehash(&self, id: &str, old: &PasswordHash, new: &PasswordHash) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let user: Option<String> = sqlx::query_scalar(
            "UPDATE local_users SET password_hash = ? WHERE id = ? AND password_hash = ? RETURNING user_id",
        )
        .bind(new.expose())
        .bind(id)
        .bind(old.expose())
        .fetch_optional(write.connection())
        .await
        .map_err(StoreFault::from)?;
        if let Some(user) = user {
            write.commit(Change::UserSaved(super::parse_id(&user)?)).await?;
        }
        Ok(())
    }
}

async fn with_groups(connection: &mut SqliteConnection, row: Option<Row>) -> Result<Option<StoredUser>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let groups: Vec<(String, String)> = sqlx::query_as(
        "SELECT g.id, g.name FROM local_members m JOIN local_groups g ON g.id = m.group_id \
         WHERE m.user_id = ? ORDER BY g.id",
    )
    .bind(&row.id)
    .fetch_all(connection)
    .await
    .map_err(StoreFault::from)?;
    let mut user = StoredUser::new(row.id, row.login);
    user.display_name = row.display_name;
    user.password_hash = row.password_hash.map(PasswordHash::new);
    user.disabled = row.disabled_at.is_some();
    user.must_change = row.must_change;
    user.groups = groups.into_iter().map(group).collect();
    Ok(Some(user))
}

fn group((id, name): (String, String)) -> StoredGroup {
    StoredGroup { id, name }
}

fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

fn page<T>(mut items: Vec<T>, limit: usize) -> StoredPage<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    StoredPage { items, more }
}
