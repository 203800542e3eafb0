//! People: each has one id, and may come by several principals.

mod id;
mod local;

pub use id::{InvalidUserId, UserId};
pub(crate) use local::{NewLocal, insert as insert_local, set_password as set_local_password};

use auth_core::{Principal, PrincipalId};
use sqlx::{FromRow, SqliteConnection};

use crate::store::{StoreFault, Write, millis};

/// Who stands behind a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) id: UserId,
    pub(crate) disabled: bool,
}

#[derive(FromRow)]
struct Row {
    id: String,
    disabled_at: Option<i64>,
}

/// The user who came by this principal before.
pub(crate) async fn by_principal(
    connection: &mut SqliteConnection,
    principal: &PrincipalId,
) -> Result<Option<Owner>, StoreFault> {
    let row: Option<Row> =
        sqlx::query_as("SELECT u.id, u.disabled_at FROM principals p JOIN users u ON u.id = p.user_id WHERE p.id = ?")
            .bind(principal.to_string())
            .fetch_optional(connection)
            .await?;
    row.map(|row| Ok(Owner { id: parse_id(&row.id)?, disabled: row.disabled_at.is_some() })).transpose()
}

/// The user of this principal, made now if they never came before.
pub(crate) async fn seen(write: &mut Write, principal: &Principal) -> Result<Owner, StoreFault> {
    let owner = match by_principal(write.connection(), &principal.id).await? {
        Some(known) => known,
        None => Owner { id: insert(write, principal).await?, disabled: false },
    };
    let at = millis(write.at());
    sqlx::query("UPDATE principals SET login = ?, last_seen_at = ? WHERE id = ?")
        .bind(principal.login.as_deref())
        .bind(at)
        .bind(principal.id.to_string())
        .execute(write.connection())
        .await?;
    sqlx::query("UPDATE users SET login = ?, display_name = coalesce(?, display_name) WHERE id = ?")
        .bind(principal.login.as_deref().unwrap_or(&principal.name))
        .bind(principal.display_name.as_deref())
        .bind(owner.id.as_str())
        .execute(write.connection())
        .await?;
    Ok(owner)
}

/// Makes the user of a principal that nobody came by before.
pub(crate) async fn insert(write: &mut Write, principal: &Principal) -> Result<UserId, StoreFault> {
    let id = UserId::of(&principal.id);
    let at = millis(write.at());
    sqlx::query("INSERT INTO users (id, login, display_name, created_at) VALUES (?, ?, ?, ?)")
        .bind(id.as_str())
        .bind(principal.login.as_deref().unwrap_or(&principal.name))
        .bind(principal.display_name.as_deref())
        .bind(at)
        .execute(write.connection())
        .await?;
    sqlx::query("INSERT INTO principals (id, user_id, provider, login) VALUES (?, ?, ?, ?)")
        .bind(principal.id.to_string())
        .bind(id.as_str())
        .bind(principal.id.instance().as_str())
        .bind(principal.login.as_deref())
        .execute(write.connection())
        .await?;
    Ok(id)
}

/// The principals of a user that belong to configured or former providers alike.
pub(crate) async fn principals(
    connection: &mut SqliteConnection,
    user: &UserId,
) -> Result<Vec<PrincipalId>, StoreFault> {
    let rows: Vec<String> = sqlx::query_scalar("SELECT id FROM principals WHERE user_id = ? ORDER BY id")
        .bind(user.as_str())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|id| id.parse().map_err(|error| StoreFault::unreadable("principal", error))).collect()
}

pub(crate) fn parse_id(text: &str) -> Result<UserId, StoreFault> {
    text.parse().map_err(|error| StoreFault::unreadable("user", error))
}
