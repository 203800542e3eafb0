//! Who owns a name that clusters see.
//!
//! A cluster knows people and groups by name alone. If two principals had one name, the rights of one would be the
//! rights of the other. So a name belongs to the first principal that got it, until an administrator releases it.

use std::collections::HashMap;

use auth_core::PrincipalId;
use sqlx::SqliteConnection;

use crate::store::{StoreFault, Write, millis};

/// What a name is for. Users and groups may share one: RBAC tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// `Impersonate-User`.
    User,
    /// `Impersonate-Group`.
    Group,
}

impl NameKind {
    /// As the table spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// Gives each free name to the principal that asks for it, and says whose each one is now.
pub(crate) async fn claim(
    write: &mut Write,
    kind: NameKind,
    wanted: &[(&str, &PrincipalId)],
) -> Result<HashMap<String, String>, StoreFault> {
    let pairs: Vec<(&str, String)> = wanted.iter().map(|(name, principal)| (*name, principal.to_string())).collect();
    let pairs = serde_json::to_string(&pairs).map_err(|error| StoreFault::unreadable("name", error))?;
    let at = millis(write.at());
    // One statement for all: somebody in a thousand groups holds the write lock no longer than others.
    sqlx::query(
        "INSERT INTO names (kind, name, principal, claimed_at) \
         SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'), ?2 FROM json_each(?3) WHERE true \
         ON CONFLICT DO NOTHING",
    )
    .bind(kind.as_str())
    .bind(at)
    .bind(&pairs)
    .execute(write.connection())
    .await?;
    owners(write.connection(), kind, wanted).await
}

/// Whether one of the names is, or is free to become, that of the principal that asks for it.
pub(crate) async fn is_one_theirs(
    connection: &mut SqliteConnection,
    kind: NameKind,
    wanted: &[(&str, &PrincipalId)],
) -> Result<bool, StoreFault> {
    let owners = owners(connection, kind, wanted).await?;
    let is_theirs =
        |name: &str, principal: &PrincipalId| owners.get(name).is_none_or(|owner| *owner == principal.to_string());
    Ok(wanted.iter().any(|(name, principal)| is_theirs(name, principal)))
}

/// Whose each of these names is; one that is free is left out.
pub(crate) async fn owners(
    connection: &mut SqliteConnection,
    kind: NameKind,
    wanted: &[(&str, &PrincipalId)],
) -> Result<HashMap<String, String>, StoreFault> {
    let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
    let names = serde_json::to_string(&names).map_err(|error| StoreFault::unreadable("name", error))?;
    let owners: Vec<(String, String)> =
        sqlx::query_as("SELECT name, principal FROM names WHERE kind = ? AND name IN (SELECT value FROM json_each(?))")
            .bind(kind.as_str())
            .bind(&names)
            .fetch_all(connection)
            .await?;
    Ok(owners.into_iter().collect())
}

/// Takes a name from its owner, who is returned; `None` when nobody had it.
pub(crate) async fn release(write: &mut Write, kind: NameKind, name: &str) -> Result<Option<PrincipalId>, StoreFault> {
    let owner: Option<String> = sqlx::query_scalar("DELETE FROM names WHERE kind = ? AND name = ? RETURNING principal")
        .bind(kind.as_str())
        .bind(name)
        .fetch_optional(write.connection())
        .await?;
    owner.map(|id| id.parse().map_err(|error| StoreFault::unreadable("principal", error))).transpose()
}
