//! Who owns a name that clusters see.
//!
//! A cluster knows people and groups by name alone. If two principals had one name, the rights of one would be the
//! rights of the other. So a name belongs to the first principal that got it, until an administrator releases it.

use std::collections::HashMap;

use auth_core::PrincipalId;

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
    let wanted: Vec<(&str, String)> = wanted.iter().map(|(name, principal)| (*name, principal.to_string())).collect();
    let wanted = serde_json::to_string(&wanted).map_err(|error| StoreFault::unreadable("name", error))?;
    let at = millis(write.at());
    // One statement for all: somebody in a thousand groups holds the write lock no longer than others.
    sqlx::query(
        "INSERT INTO names (kind, name, principal, claimed_at) \
         SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'), ?2 FROM json_each(?3) WHERE true \
         ON CONFLICT DO NOTHING",
    )
    .bind(kind.as_str())
    .bind(at)
    .bind(&wanted)
    .execute(write.connection())
    .await?;
    let owners: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, principal FROM names \
         WHERE kind = ? AND name IN (SELECT json_extract(value, '$[0]') FROM json_each(?))",
    )
    .bind(kind.as_str())
    .bind(&wanted)
    .fetch_all(write.connection())
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
