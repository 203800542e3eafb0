//! Sessions that go on, as far as a refetch needs to know them.

use auth_core::PrincipalId;
use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::{SessionId, parse_id};
use crate::store::{Change, Changes, StoreFault, Write, millis, moment};
use crate::users::UserId;

/// A session that has not ended, with what a refetch needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) principal: PrincipalId,
    pub(crate) refreshed_at: Timestamp,
}

#[derive(FromRow)]
struct LiveRow {
    id: String,
    user_id: String,
    principal: String,
    refreshed_at: i64,
}

/// Which of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Since<'a> {
    /// All.
    Ever,
    /// Those that began after this number of the `changes`.
    Change(i64),
    /// Those of one person.
    Of(&'a PrincipalId),
}

/// Every session that has not ended and is read anew from time to time, whether or not its user may use it now.
pub(crate) async fn live(
    connection: &mut SqliteConnection,
    which: Since<'_>,
    now: Timestamp,
) -> Result<Vec<Live>, StoreFault> {
    let (sql, key) = match which {
        Since::Ever => (
            "SELECT id, user_id, principal, refreshed_at FROM sessions \
             WHERE ended_at IS NULL AND expires_at > ?1 AND ?2 IS NULL AND bearer_sha256 IS NULL ORDER BY id",
            None,
        ),
        Since::Change(seq) => (
            "SELECT s.id, s.user_id, s.principal, s.refreshed_at FROM changes c JOIN sessions s ON s.id = c.key \
             WHERE c.seq > CAST(?2 AS INTEGER) AND c.kind = 'session-started' AND s.ended_at IS NULL AND s.expires_at > ?1 \
             AND s.bearer_sha256 IS NULL",
            Some(seq.to_string()),
        ),
        Since::Of(principal) => (
            "SELECT id, user_id, principal, refreshed_at FROM sessions \
             WHERE ended_at IS NULL AND expires_at > ?1 AND principal = ?2 AND bearer_sha256 IS NULL",
            Some(principal.to_string()),
        ),
    };
    let rows: Vec<LiveRow> = sqlx::query_as(sql).bind(millis(now)).bind(key).fetch_all(connection).await?;
    rows.into_iter().map(LiveRow::read).collect()
}

/// How many sessions of each provider have not ended.
pub(crate) async fn count(connection: &mut SqliteConnection, now: Timestamp) -> Result<Vec<(String, i64)>, StoreFault> {
    let sql = "SELECT provider, count(*) FROM sessions WHERE ended_at IS NULL AND expires_at > ? GROUP BY provider";
    Ok(sqlx::query_as(sql).bind(millis(now)).fetch_all(connection).await?)
}

/// Claims a person for one process that is about to ask about them, until some moment: another one that serves from the
/// same store leaves them alone until then. `None`: another process has them.
pub(crate) async fn claim(
    write: &mut Write,
    principal: &PrincipalId,
    (holder, until): (&str, Timestamp),
) -> Result<Option<Changes>, StoreFault> {
    let at = millis(write.at());
    // Of several sessions of a person one may be younger than the claim: it is the others' as well.
    let claimed: Vec<String> = sqlx::query_scalar(
        "UPDATE sessions SET claimed_by = ?1, claimed_until = ?2 WHERE principal = ?3 AND ended_at IS NULL \
         AND expires_at > ?4 AND bearer_sha256 IS NULL AND NOT EXISTS (SELECT 1 FROM sessions o WHERE o.principal = ?3 AND o.ended_at IS NULL \
         AND o.claimed_by IS NOT NULL AND o.claimed_by <> ?1 AND o.claimed_until > ?4) RETURNING id",
    )
    .bind(holder)
    .bind(millis(until))
    .bind(principal.to_string())
    .bind(at)
    .fetch_all(write.connection())
    .await?;
    super::changes(&claimed, Change::SessionChecked)
}

impl LiveRow {
    fn read(self) -> Result<Live, StoreFault> {
        Ok(Live {
            id: parse_id(&self.id)?,
            user: crate::users::parse_id(&self.user_id)?,
            principal: self.principal.parse().map_err(|error| StoreFault::unreadable("principal", error))?,
            refreshed_at: moment(self.refreshed_at),
        })
    }
}
