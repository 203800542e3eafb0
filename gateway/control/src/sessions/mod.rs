//! Sessions: one login each, with the identity that it gives.
//!
//! Whether a session holds is computed from its times, its user and its provider whenever somebody asks; no row says
//! "valid". What ends one for good (a revocation, a user who is gone) is written down with its reason.

pub(crate) mod borne;
mod id;
mod info;
mod live;
mod origin;
mod standings;
mod used;

pub use id::{InvalidSessionId, SessionId};
pub use info::SessionInfo;
pub(crate) use info::{Listing, list, owner};
pub(crate) use live::{Since, claim, count, live};
pub use origin::{LoginFlow, Origin};
pub(crate) use standings::Standings;
pub(crate) use used::Used;

use std::time::Duration;

use auth_core::{InstanceId, Principal, PrincipalId, UpstreamLogin, UpstreamLogins};
use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use crate::identity::SessionIdentity;
use crate::store::{Change, Changes, Store, StoreFault, Write, millis, moment};
use crate::users::UserId;

/// A login to be kept.
#[derive(Debug)]
pub(crate) struct NewSession<'a> {
    pub(crate) id: &'a SessionId,
    pub(crate) user: &'a UserId,
    pub(crate) principal: &'a PrincipalId,
    pub(crate) identity: &'a SessionIdentity,
    pub(crate) groups: &'a [Principal],
    /// What the provider wants back at the next refetch, sealed.
    pub(crate) secret: Option<&'a [u8]>,
    pub(crate) origin: &'a Origin,
    /// When the person proved who they are.
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    /// The login at the identity system that it rests on.
    pub(crate) upstream: Option<&'a UpstreamLogin>,
}

pub(crate) async fn insert(write: &mut Write, new: NewSession<'_>) -> Result<(), StoreFault> {
    let at = millis(write.at());
    sqlx::query(
        "INSERT INTO sessions (id, user_id, provider, principal, identity, groups, created_at, refreshed_at, used_at, \
         expires_at, secret, flow, address, agent, approved_from, amr, auth_time, upstream_subject, upstream_session) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )
    .bind(new.id.as_str())
    .bind(new.user.as_str())
    .bind(new.principal.instance().as_str())
    .bind(new.principal.to_string())
    .bind(json("identity", new.identity)?)
    .bind(json("groups", new.groups)?)
    .bind(at)
    .bind(millis(new.expires_at))
    .bind(new.secret)
    .bind(new.origin.flow.map(LoginFlow::word))
    .bind(new.origin.address.map(|address| address.to_string()))
    .bind(new.origin.agent.as_deref())
    .bind(new.origin.approved_from.map(|address| address.to_string()))
    .bind(json("amr", &new.origin.amr)?)
    .bind(new.auth_time.map(millis))
    .bind(new.upstream.map(|login| &login.subject))
    .bind(new.upstream.and_then(|login| login.session.as_ref()))
    .execute(write.connection())
    .await?;
    Ok(())
}

/// The sealed secrets that a provider left with the sessions of one of its people, newest first.
pub(crate) async fn secrets(
    connection: &mut SqliteConnection,
    principal: &PrincipalId,
    now: Timestamp,
) -> Result<Vec<(SessionId, Vec<u8>)>, StoreFault> {
    let rows = sqlx::query_as::<_, (String, Vec<u8>)>(
        "SELECT id, secret FROM sessions WHERE principal = ? AND ended_at IS NULL AND expires_at > ? \
         AND secret IS NOT NULL ORDER BY id DESC",
    )
    .bind(principal.to_string())
    .bind(millis(now))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(id, secret)| Ok((parse_id(&id)?, secret))).collect()
}

/// Puts the next secret in place of one that is spent.
pub(crate) async fn keep_secret(write: &mut Write, id: &SessionId, sealed: &[u8]) -> Result<(), StoreFault> {
    sqlx::query("UPDATE sessions SET secret = ? WHERE id = ? AND ended_at IS NULL")
        .bind(sealed)
        .bind(id.as_str())
        .execute(write.connection())
        .await?;
    Ok(())
}

/// Everything that decides whether a session holds, in one row of one moment.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct Standing {
    pub(crate) session_id: String,
    pub(crate) provider: String,
    pub(crate) principal: String,
    pub(crate) identity: String,
    pub(crate) created_at: i64,
    pub(crate) refreshed_at: i64,
    pub(crate) session_expires_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) user_id: String,
    pub(crate) disabled_at: Option<i64>,
    /// Tokens of an outside issuer carry it, so that nobody is asked anew.
    pub(crate) borne: bool,
}

/// How a session stands, whether or not it holds.
pub(crate) async fn standing(
    connection: &mut SqliteConnection,
    id: &SessionId,
) -> Result<Option<Standing>, StoreFault> {
    let row = sqlx::query_as(
        "SELECT s.id AS session_id, s.provider, s.principal, s.identity, s.created_at, s.refreshed_at, \
         s.expires_at AS session_expires_at, s.ended_at, u.id AS user_id, u.disabled_at, \
         s.bearer_sha256 IS NOT NULL AS borne FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// When the person of a session proved who they are: with single sign-on that may have been before they came here.
pub(crate) async fn auth_time(connection: &mut SqliteConnection, id: &SessionId) -> Result<Timestamp, StoreFault> {
    let sql = "SELECT coalesce(auth_time, created_at) FROM sessions WHERE id = ?";
    Ok(moment(sqlx::query_scalar(sql).bind(id.as_str()).fetch_one(connection).await?))
}

/// The sessions of one principal that have not ended, are read anew, and were last read at `known_at` or before, with
/// their identities.
pub(crate) async fn of_principal(
    write: &mut Write,
    principal: &PrincipalId,
    known_at: Timestamp,
) -> Result<Vec<(SessionId, SessionIdentity)>, StoreFault> {
    let at = millis(write.at());
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT id, identity FROM sessions \
         WHERE principal = ? AND ended_at IS NULL AND expires_at > ? AND refreshed_at <= ? AND bearer_sha256 IS NULL \
         ORDER BY id",
    )
    .bind(principal.to_string())
    .bind(at)
    .bind(millis(known_at))
    .fetch_all(write.connection())
    .await?;
    rows.iter().map(|(id, identity)| Ok((parse_id(id)?, SessionIdentity::read(identity)?))).collect()
}

/// Puts a complete new identity in place of the old. It is as old as the question: what was asked later knows better.
pub(crate) async fn renew(
    write: &mut Write,
    id: &SessionId,
    identity: &SessionIdentity,
    (groups, asked_at): (&[Principal], Timestamp),
) -> Result<(), StoreFault> {
    let at = millis(asked_at);
    sqlx::query("UPDATE sessions SET identity = ?, groups = ?, incomplete = NULL, refreshed_at = ? WHERE id = ?")
        .bind(json("identity", identity)?)
        .bind(json("groups", groups)?)
        .bind(at)
        .bind(id.as_str())
        .execute(write.connection())
        .await?;
    Ok(())
}

/// Notes why the groups could not be read this time. The ones known before stay.
pub(crate) async fn note_incomplete(
    write: &mut Write,
    principal: &PrincipalId,
    why: &str,
) -> Result<Option<Changes>, StoreFault> {
    let at = millis(write.at());
    let noted: Vec<String> = sqlx::query_scalar(
        "UPDATE sessions SET incomplete = ?1 WHERE principal = ?2 AND ended_at IS NULL AND expires_at > ?3 \
         AND incomplete IS NOT ?1 RETURNING id",
    )
    .bind(why)
    .bind(principal.to_string())
    .bind(at)
    .fetch_all(write.connection())
    .await?;
    changes(&noted, Change::SessionChecked)
}

/// Which sessions to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which<'a> {
    One(&'a SessionId),
    OfUser(&'a UserId),
    OfPrincipal(&'a PrincipalId),
    /// Those of a principal's logins that were last read at this moment or before.
    LastReadBy(&'a PrincipalId, Timestamp),
    /// All whose provider is none of these.
    OfNone(&'a [&'a InstanceId]),
    /// All who were in this group at their last refetch.
    InGroup(&'a PrincipalId),
    /// Those that rest on these logins at the identity system of an instance.
    Upstream(&'a InstanceId, &'a UpstreamLogins),
}

/// Ends sessions for good, and forgets what their provider left with them; `None` when there was none to end.
pub(crate) async fn end(write: &mut Write, which: Which<'_>, why: &str) -> Result<Option<Changes>, StoreFault> {
    let (sql, key) = match which {
        Which::One(id) => (
            "UPDATE sessions SET ended_at = ?1, ended_why = ?2, secret = NULL WHERE id = ?3 AND ended_at IS NULL RETURNING id",
            id.to_string(),
        ),
        Which::OfUser(id) => (
            "UPDATE sessions SET ended_at = ?1, ended_why = ?2, secret = NULL WHERE user_id = ?3 AND ended_at IS NULL RETURNING id",
            id.to_string(),
        ),
        Which::OfPrincipal(id) => (
            "UPDATE sessions SET ended_at = ?1, ended_why = ?2, secret = NULL WHERE principal = ?3 AND ended_at IS NULL RETURNING id",
            id.to_string(),
        ),
        Which::LastReadBy(id, read_at) => (
            "UPDATE sessions SET ended_at = ?1, ended_why = ?2, secret = NULL WHERE ended_at IS NULL \
             AND principal = json_extract(?3, '$[0]') AND refreshed_at <= json_extract(?3, '$[1]') \
             AND bearer_sha256 IS NULL RETURNING id",
            json("principal", &(id.to_string(), millis(read_at)))?,
        ),
        Which::OfNone(providers) => (
            "UPDATE sessions SET ended_at = ?1, ended_why = ?2, secret = NULL WHERE ended_at IS NULL \
             AND provider NOT IN (SELECT value FROM json_each(?3)) RETURNING id",
            json("providers", &providers.iter().map(|id| id.as_str()).collect::<Vec<_>>())?,
        ),
        Which::InGroup(id) => (
            "UPDATE sessions SET ended_at = ?1, ended_why = ?2, secret = NULL WHERE ended_at IS NULL AND EXISTS \
             (SELECT 1 FROM json_each(sessions.groups) WHERE json_extract(value, '$.id') = ?3) RETURNING id",
            id.to_string(),
        ),
        Which::Upstream(provider, logins) => {
            (upstream(logins), json("logins", &(provider.as_str(), logins.subject(), logins.session()))?)
        }
    };
    let at = millis(write.at());
    let ended: Vec<String> = sqlx::query_scalar(sql).bind(at).bind(why).bind(key).fetch_all(write.connection()).await?;
    changes(&ended, Change::SessionEnded)
}

/// A session of the subject of which nobody said on which of their logins it rests goes with each of them.
const fn upstream(logins: &UpstreamLogins) -> &'static str {
    match logins {
        UpstreamLogins::Session(_) => {
            "UPDATE sessions SET ended_at = ?1, ended_why = ?2, secret = NULL WHERE ended_at IS NULL \
             AND provider = json_extract(?3, '$[0]') AND upstream_session = json_extract(?3, '$[2]') RETURNING id"
        }
        UpstreamLogins::OfSubject(_) | UpstreamLogins::SessionOf { .. } => {
            "UPDATE sessions SET ended_at = ?1, ended_why = ?2, secret = NULL WHERE ended_at IS NULL \
             AND provider = json_extract(?3, '$[0]') AND upstream_subject = json_extract(?3, '$[1]') \
             AND coalesce(upstream_session = json_extract(?3, '$[2]'), 1) RETURNING id"
        }
    }
}

/// The same in a write of its own.
pub(crate) async fn end_now(store: &Store, which: Which<'_>, why: &str) -> Result<(), StoreFault> {
    let mut write = store.write().await?;
    match end(&mut write, which, why).await? {
        Some(changes) => write.commit(changes).await,
        None => Ok(()),
    }
}

/// Ends those whose time is over; `None` when there is none.
pub(crate) async fn expire(write: &mut Write) -> Result<Option<Changes>, StoreFault> {
    let at = millis(write.at());
    let ended: Vec<String> = sqlx::query_scalar(
        "UPDATE sessions SET ended_at = expires_at, ended_why = 'its time was over', secret = NULL \
         WHERE ended_at IS NULL AND expires_at <= ? RETURNING id",
    )
    .bind(at)
    .fetch_all(write.connection())
    .await?;
    changes(&ended, Change::SessionEnded)
}

/// Ends those that were not used for as long as they may be; `None` when there is none. The last tokens that such a
/// session gave are over, too.
pub(crate) async fn end_idle(write: &mut Write, token_life: Duration) -> Result<Option<Changes>, StoreFault> {
    let at = write.at();
    let ended: Vec<String> = sqlx::query_scalar(
        "UPDATE sessions SET ended_at = ?1, ended_why = 'nobody used it in time' WHERE ended_at IS NULL \
         AND EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.session_id = sessions.id) \
         AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.session_id = sessions.id AND r.used_at IS NULL \
                         AND r.expires_at > ?1) \
         AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.session_id = sessions.id AND r.created_at > ?2) \
         AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.session_id = sessions.id) RETURNING id",
    )
    .bind(millis(at))
    .bind(millis(at.saturating_sub(token_life).unwrap_or(Timestamp::MIN)))
    .fetch_all(write.connection())
    .await?;
    changes(&ended, Change::SessionEnded)
}

/// Ends the oldest sessions of a user, so that `keep` stay.
pub(crate) async fn end_oldest(write: &mut Write, user: &UserId, keep: u32) -> Result<Option<Changes>, StoreFault> {
    let at = millis(write.at());
    // An id begins with the time at which it was made.
    let ended: Vec<String> = sqlx::query_scalar(
        "UPDATE sessions SET ended_at = ?1, ended_why = 'the user has too many sessions', secret = NULL \
         WHERE id IN \
         (SELECT id FROM sessions WHERE user_id = ?2 AND ended_at IS NULL AND expires_at > ?1 \
          AND bearer_sha256 IS NULL ORDER BY id DESC LIMIT -1 OFFSET ?3) RETURNING id",
    )
    .bind(at)
    .bind(user.as_str())
    .bind(keep)
    .fetch_all(write.connection())
    .await?;
    changes(&ended, Change::SessionEnded)
}

pub(crate) fn parse_id(text: &str) -> Result<SessionId, StoreFault> {
    text.parse().map_err(|error| StoreFault::unreadable("session", error))
}

fn changes(ids: &[String], change: fn(SessionId) -> Change) -> Result<Option<Changes>, StoreFault> {
    let ids: Vec<SessionId> = ids.iter().map(|id| parse_id(id)).collect::<Result<_, _>>()?;
    Ok(Changes::collect(ids.into_iter().map(change)))
}

fn json<T: serde::Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String, StoreFault> {
    serde_json::to_string(value).map_err(|error| StoreFault::unreadable(what, error))
}

#[cfg(test)]
mod tests;
