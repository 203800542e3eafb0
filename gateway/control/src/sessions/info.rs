//! Sessions as people and administrators see them.

use std::net::IpAddr;

use auth_core::{InstanceId, PrincipalId};
use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::{LoginFlow, Origin, SessionId, parse_id};
use crate::control::Settings;
use crate::identity::SessionIdentity;
use crate::refresh::due_at;
use crate::store::{StoreFault, millis, moment};
use crate::users::UserId;

/// A session as commands list it.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// The session.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// By which instance they logged in.
    pub provider: InstanceId,
    /// As whom.
    pub principal: PrincipalId,
    /// What clusters see.
    pub identity: SessionIdentity,
    /// Why the last refetch brought not all groups, if so.
    pub incomplete: Option<String>,
    /// The OpenID Connect client that it was for; none for a login at the API.
    pub client: Option<String>,
    /// Where it came from, and how.
    pub origin: Origin,
    /// When they logged in.
    pub created_at: Timestamp,
    /// When it was last used, to some minutes.
    pub used_at: Timestamp,
    /// When the identity was last read completely.
    pub refreshed_at: Timestamp,
    /// When it ends by itself, whatever happens.
    pub expires_at: Timestamp,
    /// When it ends unless it is used before; none where it lasts unused.
    pub idle_at: Option<Timestamp>,
    /// When and why it ended.
    pub ended: Option<(Timestamp, String)>,
}

impl SessionInfo {
    /// When its groups will be read anew, unless somebody asks before; never, where a token says them.
    #[must_use]
    pub fn next_refresh(&self, settings: &Settings) -> Option<Timestamp> {
        (self.origin.flow != Some(LoginFlow::Bearer)).then(|| due_at(&self.id, self.refreshed_at, settings))
    }
}

#[derive(FromRow)]
struct InfoRow {
    id: String,
    user_id: String,
    provider: String,
    principal: String,
    identity: String,
    incomplete: Option<String>,
    client: Option<String>,
    flow: Option<String>,
    address: Option<String>,
    agent: Option<String>,
    approved_from: Option<String>,
    amr: Option<String>,
    created_at: i64,
    used_at: i64,
    refreshed_at: i64,
    expires_at: i64,
    idle_at: Option<i64>,
    ended_at: Option<i64>,
    ended_why: Option<String>,
}

/// Which sessions are listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing<'a> {
    /// Whose; everybody's when absent.
    pub(crate) user: Option<&'a UserId>,
    /// Only those that go on at this moment.
    pub(crate) open_at: Option<Timestamp>,
    /// Only those that began before this one.
    pub(crate) before: Option<&'a SessionId>,
    /// No more than these.
    pub(crate) most: u32,
}

impl<'a> Listing<'a> {
    /// All of one user, or of everybody.
    pub(crate) const fn of(user: Option<&'a UserId>) -> Self {
        Self { user, open_at: None, before: None, most: u32::MAX }
    }
}

/// What a session was used for last, and until when it may go unused: both are known by its refresh tokens, too. One
/// that has a token for the API lasts unused.
const LIST: &str = "\
    SELECT id, user_id, provider, principal, identity, incomplete, client, flow, address, agent, approved_from, amr, \
    created_at, refreshed_at, expires_at, ended_at, ended_why, \
    max(coalesce(used_at, created_at), \
        coalesce((SELECT max(created_at) FROM refresh_tokens r WHERE r.session_id = s.id), 0)) AS used_at, \
    (SELECT max(expires_at) FROM refresh_tokens r WHERE r.session_id = s.id AND r.used_at IS NULL \
        AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.session_id = s.id)) AS idle_at \
    FROM sessions s WHERE (?1 IS NULL OR user_id = ?1) AND (?2 IS NULL OR ended_at IS NULL AND expires_at > ?2) \
    AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4";

/// Lists sessions, newest first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    listing: Listing<'_>,
) -> Result<Vec<SessionInfo>, StoreFault> {
    let rows: Vec<InfoRow> = sqlx::query_as(LIST)
        .bind(listing.user.map(UserId::as_str))
        .bind(listing.open_at.map(millis))
        .bind(listing.before.map(SessionId::as_str))
        .bind(listing.most)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(InfoRow::read).collect()
}

/// Whose session that is; `None` when it does not go on.
pub(crate) async fn owner(
    connection: &mut SqliteConnection,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<UserId>, StoreFault> {
    let sql = "SELECT user_id FROM sessions WHERE id = ? AND ended_at IS NULL AND expires_at > ?";
    let row: Option<String> =
        sqlx::query_scalar(sql).bind(id.as_str()).bind(millis(now)).fetch_optional(connection).await?;
    row.map(|user| crate::users::parse_id(&user)).transpose()
}

impl InfoRow {
    fn read(self) -> Result<SessionInfo, StoreFault> {
        let amr = self.amr.map(|amr| serde_json::from_str(&amr)).transpose();
        let origin = Origin {
            flow: self.flow.as_deref().and_then(LoginFlow::parse),
            address: address(self.address)?,
            agent: self.agent,
            approved_from: address(self.approved_from)?,
            amr: amr.map_err(|error| StoreFault::unreadable("amr", error))?.unwrap_or_default(),
        };
        Ok(SessionInfo {
            id: parse_id(&self.id)?,
            user: crate::users::parse_id(&self.user_id)?,
            provider: self.provider.parse().map_err(|error| StoreFault::unreadable("provider", error))?,
            principal: self.principal.parse().map_err(|error| StoreFault::unreadable("principal", error))?,
            identity: SessionIdentity::read(&self.identity)?,
            incomplete: self.incomplete,
            client: self.client,
            origin,
            created_at: moment(self.created_at),
            used_at: moment(self.used_at),
            refreshed_at: moment(self.refreshed_at),
            expires_at: moment(self.expires_at),
            idle_at: self.idle_at.map(moment),
            ended: self.ended_at.map(|at| (moment(at), self.ended_why.unwrap_or_default())),
        })
    }
}

fn address(text: Option<String>) -> Result<Option<IpAddr>, StoreFault> {
    text.map(|text| text.parse()).transpose().map_err(|error| StoreFault::unreadable("address", error))
}
