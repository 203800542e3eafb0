//! Refresh tokens: `gwr-<12 base32>:<base64url(32 random bytes ‖ key id ‖ 16 byte MAC)>`, each good for one use.
//!
//! A use gives the next one. One that was used before came from somebody who should not have it, or whose answer got
//! lost: within [`GRACE`] the same client gets another, and what the first answer held is spent, so that there is one
//! chain; later the whole login ends (RFC 9700 §4.14.2).

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use crate::sessions::{self, SessionId};
use crate::store::{StoreFault, Write, millis, moment};
use crate::tokens::{Minted, TokenHash, TokenName};

/// How long an answer may be lost for.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// A refresh token at rest.
#[derive(Debug)]
pub(crate) struct Held {
    sha256: Vec<u8>,
    pub(crate) session: SessionId,
    pub(crate) client: String,
    pub(crate) scope: String,
    pub(crate) expires_at: Timestamp,
    used_at: Option<Timestamp>,
}

/// Whether it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Good,
    Expired,
    /// It was used before, and not just now.
    Reused,
}

#[derive(FromRow)]
struct Row {
    sha256: Vec<u8>,
    session_id: String,
    client: String,
    scope: String,
    expires_at: i64,
    used_at: Option<i64>,
}

/// Keeps a new one, which is good until then.
pub(crate) async fn insert(
    write: &mut Write,
    minted: &Minted,
    (session, until): (&SessionId, Timestamp),
    client: &str,
    scope: &str,
) -> Result<(), StoreFault> {
    let at = write.at();
    sqlx::query(
        "INSERT INTO refresh_tokens (name, sha256, session_id, client, scope, created_at, expires_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(minted.name.as_str())
    .bind(minted.hash.as_bytes())
    .bind(session.as_str())
    .bind(client)
    .bind(scope)
    .bind(millis(at))
    .bind(millis(until))
    .execute(write.connection())
    .await?;
    Ok(())
}

/// Finds one, whatever became of it. `None`: it was never given out.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    name: &TokenName,
    hash: &TokenHash,
) -> Result<Option<Held>, StoreFault> {
    let sql = "SELECT sha256, session_id, client, scope, expires_at, used_at FROM refresh_tokens WHERE name = ?";
    let row: Option<Row> = sqlx::query_as(sql).bind(name.as_str()).fetch_optional(connection).await?;
    let held = row.map(|row| {
        Ok::<_, StoreFault>(Held {
            sha256: row.sha256,
            session: sessions::parse_id(&row.session_id)?,
            client: row.client,
            scope: row.scope,
            expires_at: moment(row.expires_at),
            used_at: row.used_at.map(moment),
        })
    });
    Ok(held.transpose()?.filter(|held| hash.matches(&held.sha256)))
}

/// Notes that it was used, and that no other of its login may be: of an answer that got lost, or that somebody else got,
/// nothing is good for longer than the grace. The first use counts: a grace does not begin anew.
pub(crate) async fn spend(write: &mut Write, session: &SessionId) -> Result<(), StoreFault> {
    let at = millis(write.at());
    sqlx::query("UPDATE refresh_tokens SET used_at = ? WHERE session_id = ? AND used_at IS NULL")
        .bind(at)
        .bind(session.as_str())
        .execute(write.connection())
        .await?;
    Ok(())
}

impl Held {
    pub(crate) const fn was_used(&self) -> bool {
        self.used_at.is_some()
    }

    pub(crate) fn judge(&self, now: Timestamp) -> Use {
        match self.used_at {
            Some(used) if crate::store::since(used, now) > GRACE => Use::Reused,
            _ if self.expires_at <= now => Use::Expired,
            _ => Use::Good,
        }
    }
}
