//! The notices that were believed.

use auth_core::{InstanceId, LoginsOver, UpstreamLogin};
use jiff::Timestamp;

use crate::issuer::sha256;
use crate::store::{StoreFault, Write, millis};

/// More than a site logs out within the minutes that a notice lasts. Of more, the oldest go: one of them sent again would
/// end what its person began since, and nothing worse.
const MOST: i64 = 100_000;

/// Keeps a notice; `false`: it is here already.
pub(super) async fn keep(write: &mut Write, provider: &InstanceId, over: &LoginsOver) -> Result<bool, StoreFault> {
    let kept = sqlx::query(
        "INSERT INTO logouts (provider, name_sha256, subject, session, made_at, kept_until) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT DO NOTHING",
    )
    .bind(provider.as_str())
    .bind(sha256(&over.notice))
    .bind(over.which.subject())
    .bind(over.which.session())
    .bind(millis(over.made_at))
    .bind(millis(over.expires_at))
    .execute(write.connection())
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Whether that login is known to be over, of which its person proved at this moment who they are. A logout of all of a
/// subject's logins is about those that there were.
pub(crate) async fn is_over(
    write: &mut Write,
    provider: &InstanceId,
    (login, proven_at): (&UpstreamLogin, Option<Timestamp>),
) -> Result<bool, StoreFault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM logouts WHERE provider = ?1 AND kept_until > ?5 \
               AND CASE WHEN session IS NULL OR ?3 IS NULL THEN subject = ?2 AND made_at > ?4 \
                        ELSE session = ?3 AND (subject IS NULL OR subject = ?2) END)";
    let now = millis(write.at());
    let found: bool = sqlx::query_scalar(sql)
        .bind(provider.as_str())
        .bind(&login.subject)
        .bind(&login.session)
        .bind(millis(proven_at.unwrap_or(Timestamp::MAX)))
        .bind(now)
        .fetch_one(write.connection())
        .await?;
    Ok(found)
}

/// Removes those whose time is over, and the oldest of too many. Whether there were any.
pub(crate) async fn forget(write: &mut Write) -> Result<bool, StoreFault> {
    let sql = "DELETE FROM logouts WHERE kept_until <= ?1 OR rowid IN \
               (SELECT rowid FROM logouts ORDER BY kept_until DESC LIMIT -1 OFFSET ?2)";
    let now = millis(write.at());
    let removed = sqlx::query(sql).bind(now).bind(MOST).execute(write.connection()).await?;
    Ok(removed.rows_affected() > 0)
}
