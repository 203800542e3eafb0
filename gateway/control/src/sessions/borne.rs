//! Sessions that tokens of an outside issuer carry: one for each person and identity, as long as its last token lasts.

use auth_core::{InstanceId, PrincipalId};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{SessionId, Standing, parse_id};
use crate::store::{StoreFault, Write, millis, moment};
use crate::users::UserId;

/// The one that carries this identity of a person, if it has not ended and lasts until then.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    (principal, fingerprint): (&PrincipalId, &[u8]),
    until: Timestamp,
) -> Result<Option<Standing>, StoreFault> {
    let row = sqlx::query_as(
        "SELECT s.id AS session_id, s.provider, s.principal, s.identity, s.created_at, s.refreshed_at, \
         s.expires_at AS session_expires_at, s.ended_at, u.id AS user_id, u.disabled_at, 1 AS borne \
         FROM sessions s JOIN users u ON u.id = s.user_id \
         WHERE s.principal = ? AND s.bearer_sha256 = ? AND s.ended_at IS NULL AND s.expires_at >= ?",
    )
    .bind(principal.to_string())
    .bind(fingerprint)
    .bind(millis(until))
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Lets the one that carries this identity last until then. `None`: there is none to go on.
pub(crate) async fn extend(
    write: &mut Write,
    (principal, fingerprint): (&PrincipalId, &[u8]),
    until: Timestamp,
) -> Result<Option<SessionId>, StoreFault> {
    let at = millis(write.at());
    let id: Option<String> = sqlx::query_scalar(
        "UPDATE sessions SET expires_at = max(expires_at, ?1) \
         WHERE principal = ?2 AND bearer_sha256 = ?3 AND ended_at IS NULL AND expires_at > ?4 RETURNING id",
    )
    .bind(millis(until))
    .bind(principal.to_string())
    .bind(fingerprint)
    .bind(at)
    .fetch_optional(write.connection())
    .await?;
    id.as_deref().map(parse_id).transpose()
}

/// Marks a session as one of these.
pub(crate) async fn mark(write: &mut Write, id: &SessionId, fingerprint: &[u8]) -> Result<(), StoreFault> {
    sqlx::query("UPDATE sessions SET bearer_sha256 = ? WHERE id = ?")
        .bind(fingerprint)
        .bind(id.as_str())
        .execute(write.connection())
        .await?;
    Ok(())
}

/// When such a session of a person was last ended before its time.
pub(crate) async fn cut_short_at(
    connection: &mut SqliteConnection,
    principal: &PrincipalId,
) -> Result<Option<Timestamp>, StoreFault> {
    let at: Option<i64> = sqlx::query_scalar(
        "SELECT max(ended_at) FROM sessions \
         WHERE principal = ? AND bearer_sha256 IS NOT NULL AND ended_at < expires_at",
    )
    .bind(principal.to_string())
    .fetch_one(connection)
    .await?;
    Ok(at.map(moment))
}

/// How many such sessions a user has.
pub(crate) async fn count_of(
    connection: &mut SqliteConnection,
    user: &UserId,
    now: Timestamp,
) -> Result<i64, StoreFault> {
    let sql = "SELECT count(*) FROM sessions \
               WHERE user_id = ? AND bearer_sha256 IS NOT NULL AND ended_at IS NULL AND expires_at > ?";
    Ok(sqlx::query_scalar(sql).bind(user.as_str()).bind(millis(now)).fetch_one(connection).await?)
}

/// Those of one person that have not ended.
pub(crate) async fn live_of_person(
    connection: &mut SqliteConnection,
    principal: &PrincipalId,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreFault> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM sessions \
         WHERE principal = ? AND bearer_sha256 IS NOT NULL AND ended_at IS NULL AND expires_at > ?",
    )
    .bind(principal.to_string())
    .bind(millis(now))
    .fetch_all(connection)
    .await?;
    ids.iter().map(|id| parse_id(id)).collect()
}

/// Those of one instance that have not ended.
pub(crate) async fn live_of(
    connection: &mut SqliteConnection,
    provider: &InstanceId,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreFault> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM sessions \
         WHERE provider = ? AND bearer_sha256 IS NOT NULL AND ended_at IS NULL AND expires_at > ?",
    )
    .bind(provider.as_str())
    .bind(millis(now))
    .fetch_all(connection)
    .await?;
    ids.iter().map(|id| parse_id(id)).collect()
}
