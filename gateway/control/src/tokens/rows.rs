//! Tokens at rest.

use auth_core::PrincipalId;
use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::{Minted, TokenName, TokenScope};
use crate::sessions::{SessionId, Standing};
use crate::store::{StoreFault, Write, millis, moment};
use crate::users::UserId;

/// Keeps a token that ends with its session.
pub(crate) async fn insert(
    write: &mut Write,
    minted: &Minted,
    session: &SessionId,
    expires_at: Timestamp,
) -> Result<(), StoreFault> {
    let at = millis(write.at());
    let scope = serde_json::to_string(&TokenScope::default()).map_err(|e| StoreFault::unreadable("token scope", e))?;
    sqlx::query(
        "INSERT INTO tokens (name, sha256, kind, session_id, scope, created_at, expires_at) \
         VALUES (?, ?, 'session', ?, ?, ?, ?)",
    )
    .bind(minted.name.as_str())
    .bind(minted.hash.as_bytes())
    .bind(session.as_str())
    .bind(scope)
    .bind(at)
    .bind(millis(expires_at))
    .execute(write.connection())
    .await?;
    Ok(())
}

/// Everything that decides whether a token holds, in one row of one moment.
#[derive(Debug, FromRow)]
pub(crate) struct Held {
    pub(crate) sha256: Vec<u8>,
    pub(crate) scope: String,
    pub(crate) token_expires_at: i64,
    pub(crate) revoked_at: Option<i64>,
    #[sqlx(flatten)]
    pub(crate) session: Standing,
}

pub(crate) async fn held(connection: &mut SqliteConnection, name: &TokenName) -> Result<Option<Held>, StoreFault> {
    let row = sqlx::query_as(
        "SELECT t.sha256, t.scope, t.expires_at AS token_expires_at, t.revoked_at, s.id AS session_id, s.provider, \
         s.principal, s.identity, s.created_at, s.refreshed_at, s.expires_at AS session_expires_at, s.ended_at, \
         u.id AS user_id, u.disabled_at, s.bearer_sha256 IS NOT NULL AS borne FROM tokens t JOIN sessions s ON s.id = t.session_id JOIN users u ON u.id = s.user_id \
         WHERE t.name = ?",
    )
    .bind(name.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// The session and user of a token, whether or not it holds.
pub(crate) async fn owner(write: &mut Write, name: &TokenName) -> Result<Option<(SessionId, UserId)>, StoreFault> {
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT s.id, s.user_id FROM tokens t JOIN sessions s ON s.id = t.session_id WHERE t.name = ?")
            .bind(name.as_str())
            .fetch_optional(write.connection())
            .await?;
    row.map(|(session, user)| Ok((crate::sessions::parse_id(&session)?, crate::users::parse_id(&user)?))).transpose()
}

/// Ends a token; `false` when it had been ended before.
pub(crate) async fn revoke(write: &mut Write, name: &TokenName) -> Result<bool, StoreFault> {
    let at = millis(write.at());
    let done = sqlx::query("UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL")
        .bind(at)
        .bind(name.as_str())
        .execute(write.connection())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// A token as commands list it.
#[derive(Debug, Clone)]
pub struct TokenInfo {
    /// Its public half.
    pub name: TokenName,
    /// `session` or `machine`.
    pub kind: String,
    /// The session it stands for.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// As whom they logged in.
    pub principal: PrincipalId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended, by itself or with its session.
    pub revoked_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct InfoRow {
    name: String,
    kind: String,
    session_id: String,
    user_id: String,
    principal: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

/// The tokens of one user, or of all, newest first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    user: Option<&UserId>,
) -> Result<Vec<TokenInfo>, StoreFault> {
    let rows: Vec<InfoRow> = sqlx::query_as(
        "SELECT t.name, t.kind, t.session_id, s.user_id, s.principal, t.created_at, t.expires_at, \
         coalesce(t.revoked_at, s.ended_at) AS revoked_at \
         FROM tokens t JOIN sessions s ON s.id = t.session_id \
         WHERE ?1 IS NULL OR s.user_id = ?1 ORDER BY t.created_at DESC, t.name",
    )
    .bind(user.map(UserId::as_str))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(InfoRow::read).collect()
}

impl InfoRow {
    fn read(self) -> Result<TokenInfo, StoreFault> {
        Ok(TokenInfo {
            name: self.name.parse().map_err(|error| StoreFault::unreadable("token", error))?,
            kind: self.kind,
            session: crate::sessions::parse_id(&self.session_id)?,
            user: crate::users::parse_id(&self.user_id)?,
            principal: self.principal.parse().map_err(|error| StoreFault::unreadable("principal", error))?,
            created_at: moment(self.created_at),
            expires_at: moment(self.expires_at),
            revoked_at: self.revoked_at.map(moment),
        })
    }
}
