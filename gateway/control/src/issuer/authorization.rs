//! Logins at the issuer that are under way: from what a client asks for to the tokens that it gets.
//!
//! ```text
//! code flow:    begin ─► a browser logs in ─► approve: a code ─► redeem, once
//! device flow:  begin ─► somebody types the user code ─► a browser logs in ─► approve ─► poll, until it is redeemed
//! ```
//! A row belongs to the browser that opened its page: whoever has only the id in the address cannot go on with it.

use std::net::IpAddr;
use std::time::Duration;

use auth_core::SourceNetwork;
use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::secret::{Random, sha256};
use crate::sessions::{self, SessionId};
use crate::store::{Change, StoreFault, Write, millis, moment};

/// How long a login may take.
pub(crate) const LIFE: Duration = Duration::from_mins(10);
/// How long a code is good for (RFC 6749 §4.1.2: ten minutes at most).
pub(crate) const CODE_LIFE: Duration = Duration::from_mins(1);
/// How long one is remembered when it is over: a code that comes twice is known as long.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Logins under way at once, from one network and in all. Anybody may begin one, and each is a row.
const OF_NETWORK: i64 = 1_000;
const OF_ALL: i64 = 20_000;
/// How many make room when there are too many in all: so many that the next ones find some.
const ROOM: i64 = 500;
/// How often a device may ask (RFC 8628 §3.5).
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

/// Where the answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Back to the client, by the browser.
    Code { redirect_uri: String, state: Option<String>, challenge: String },
    /// To a device that asks for it.
    Device {
        /// What the person types, as shown: `BCDF-GHJK`.
        user_code: String,
    },
}

/// A login under way.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
    pub(crate) flow: Flow,
    /// Where the request came from, and what it called itself.
    pub(crate) address: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    browser_sha256: Option<Vec<u8>>,
    /// Who logged in, once somebody did.
    pub(crate) session: Option<SessionId>,
    pub(crate) denied: bool,
    pub(crate) redeemed: bool,
    /// Whether its person agreed to what a client of somebody else's asks for.
    pub(crate) consented: bool,
    /// The provider that its browser was sent to.
    pub(crate) trip: Option<String>,
    polled_at: Option<Timestamp>,
}

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct New<'a> {
    pub(crate) client: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) flow: &'a Flow,
    pub(crate) device: Option<&'a Random>,
    pub(crate) browser: Option<&'a Random>,
    pub(crate) address: IpAddr,
    pub(crate) agent: Option<&'a str>,
}

/// Keeps a new one and returns its id. Nobody is turned away: where too many are under way, others make room.
pub(crate) async fn begin(write: &mut Write, new: New<'_>) -> Result<String, StoreFault> {
    let network = SourceNetwork::of(new.address).to_string();
    make_room(write, &network).await?;
    let id = uuid::Uuid::now_v7().simple().to_string();
    let (redirect_uri, state, challenge, user_code) = match new.flow {
        Flow::Code { redirect_uri, state, challenge } => (Some(redirect_uri), state.as_ref(), Some(challenge), None),
        Flow::Device { user_code } => (None, None, None, Some(user_code)),
    };
    let at = write.at();
    sqlx::query(
        "INSERT INTO authorizations (id, client, scope, redirect_uri, state, nonce, challenge, user_code, device_sha256, \
         browser_sha256, address, network, agent, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&id)
    .bind(new.client)
    .bind(new.scope)
    .bind(redirect_uri)
    .bind(state)
    .bind(new.nonce)
    .bind(challenge)
    .bind(user_code)
    .bind(new.device.map(Random::hash))
    .bind(new.browser.map(Random::hash))
    .bind(new.address.to_string())
    .bind(network)
    .bind(new.agent)
    .bind(millis(at))
    .bind(millis(at.saturating_add(LIFE).unwrap_or(Timestamp::MAX)))
    .execute(write.connection())
    .await?;
    Ok(id)
}

/// Ends logins that nobody has finished, where there are too many.
///
/// To refuse the newcomer would be worse: whoever begins logins and finishes none would close the door to everybody, for
/// as long as they last. So the oldest of the same network go; and of all, those that have the most younger ones of their
/// own network beside them. A flood from one network takes its own places, and one from very many the oldest.
async fn make_room(write: &mut Write, network: &str) -> Result<(), StoreFault> {
    let now = millis(write.at());
    let of_network = "DELETE FROM authorizations WHERE id IN (SELECT id FROM authorizations \
                      WHERE network = ? AND session_id IS NULL AND expires_at > ? ORDER BY id DESC LIMIT -1 OFFSET ?)";
    sqlx::query(of_network).bind(network).bind(now).bind(OF_NETWORK - 1).execute(write.connection()).await?;
    let count = "SELECT count(*) FROM authorizations WHERE session_id IS NULL AND expires_at > ?";
    let all: i64 = sqlx::query_scalar(count).bind(now).fetch_one(write.connection()).await?;
    if all < OF_ALL {
        return Ok(());
    }
    tracing::warn!(all, "too many logins are under way that nobody finishes: {ROOM} of them end");
    let of_all = "DELETE FROM authorizations WHERE id IN (SELECT id FROM (SELECT id, \
                  row_number() OVER (PARTITION BY network ORDER BY id DESC) AS depth \
                  FROM authorizations WHERE session_id IS NULL AND expires_at > ?) ORDER BY depth DESC, id LIMIT ?)";
    sqlx::query(of_all).bind(now).bind(ROOM).execute(write.connection()).await?;
    Ok(())
}

/// Removes those that were over some time ago; `false` when there is none.
pub(crate) async fn forget(write: &mut Write) -> Result<bool, StoreFault> {
    let before = millis(write.at().saturating_sub(REMEMBERED).unwrap_or(Timestamp::MIN));
    let sql = "DELETE FROM authorizations WHERE expires_at < ?";
    Ok(sqlx::query(sql).bind(before).execute(write.connection()).await?.rows_affected() > 0)
}

#[derive(FromRow)]
struct Row {
    id: String,
    client: String,
    scope: String,
    redirect_uri: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    user_code: Option<String>,
    browser_sha256: Option<Vec<u8>>,
    address: Option<String>,
    agent: Option<String>,
    created_at: i64,
    expires_at: i64,
    polled_at: Option<i64>,
    session_id: Option<String>,
    denied_at: Option<i64>,
    redeemed_at: Option<i64>,
    trip_provider: Option<String>,
    consented_at: Option<i64>,
}

/// By what one is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By<'a> {
    Id(&'a str),
    UserCode(&'a str),
    Device(&'a Random),
    Code(&'a Random),
    /// The state that a browser brought back from a provider.
    Trip(&'a str),
}

enum Key<'a> {
    Text(&'a str),
    Hash(Vec<u8>),
}

/// Finds one, whatever became of it.
pub(crate) async fn find(connection: &mut SqliteConnection, by: By<'_>) -> Result<Option<Authorization>, StoreFault> {
    let (sql, key) = match by {
        By::Id(id) => ("SELECT * FROM authorizations WHERE id = ?", Key::Text(id)),
        By::UserCode(code) => ("SELECT * FROM authorizations WHERE user_code = ?", Key::Text(code)),
        By::Device(code) => ("SELECT * FROM authorizations WHERE device_sha256 = ?", Key::Hash(code.hash())),
        By::Code(code) => ("SELECT * FROM authorizations WHERE code_sha256 = ?", Key::Hash(code.hash())),
        By::Trip(state) => ("SELECT * FROM authorizations WHERE trip_sha256 = ?", Key::Hash(sha256(state))),
    };
    let query = sqlx::query_as(sql);
    let query = match key {
        Key::Text(text) => query.bind(text),
        Key::Hash(hash) => query.bind(hash),
    };
    let row: Option<Row> = query.fetch_optional(connection).await?;
    row.map(Row::read).transpose()
}

impl Row {
    fn read(self) -> Result<Authorization, StoreFault> {
        let flow = match (self.redirect_uri, self.challenge, self.user_code) {
            (Some(redirect_uri), Some(challenge), None) => Flow::Code { redirect_uri, state: self.state, challenge },
            (None, None, Some(user_code)) => Flow::Device { user_code },
            _ => return Err(StoreFault::unreadable("authorization", "it is of no flow")),
        };
        Ok(Authorization {
            id: self.id,
            client: self.client,
            scope: self.scope,
            nonce: self.nonce,
            flow,
            address: self.address,
            agent: self.agent,
            created_at: moment(self.created_at),
            expires_at: moment(self.expires_at),
            browser_sha256: self.browser_sha256,
            session: self.session_id.map(|id| sessions::parse_id(&id)).transpose()?,
            denied: self.denied_at.is_some(),
            redeemed: self.redeemed_at.is_some(),
            consented: self.consented_at.is_some(),
            trip: self.trip_provider,
            polled_at: self.polled_at.map(moment),
        })
    }
}

impl Authorization {
    /// Whether somebody may still log in for it.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        self.session.is_none() && !self.denied && !self.redeemed && now < self.expires_at
    }

    /// Whether it belongs to the browser that holds this.
    pub(crate) fn is_of(&self, browser: &Random) -> bool {
        self.browser_sha256.as_deref().is_some_and(|hash| browser.is(hash))
    }

    /// Whether the device asks more often than it was told.
    pub(crate) fn asks_too_soon(&self, now: Timestamp) -> bool {
        // A second of grace: clocks of devices and the way here differ from request to request.
        let least = INTERVAL.saturating_sub(Duration::from_secs(1));
        self.polled_at.is_some_and(|polled| crate::store::since(polled, now) < least)
    }
}

/// Gives one to the browser that typed its user code. A later browser takes it over: the person may have begun on
/// another machine. What the earlier one said yes to, and where it was sent, is not theirs.
pub(crate) async fn take(write: &mut Write, id: &str, browser: &Random) -> Result<(), StoreFault> {
    let sql = "UPDATE authorizations SET browser_sha256 = ?, consented_at = NULL, trip_provider = NULL, \
               trip_sha256 = NULL, trip_memo = NULL WHERE id = ?";
    sqlx::query(sql).bind(browser.hash()).bind(id).execute(write.connection()).await?;
    Ok(())
}

/// Ties it to the session that a login began; the code, where there is one, is good from now on. `false`: it was over
/// in the meantime.
pub(crate) async fn approve(
    write: &mut Write,
    id: &str,
    session: &SessionId,
    code: Option<&Random>,
) -> Result<bool, StoreFault> {
    let at = write.at();
    let code_ends = at.saturating_add(CODE_LIFE).unwrap_or(Timestamp::MAX);
    let done = sqlx::query(
        "UPDATE authorizations SET session_id = ?1, code_sha256 = ?2, \
         expires_at = CASE WHEN ?2 IS NULL THEN expires_at ELSE ?3 END \
         WHERE id = ?4 AND session_id IS NULL AND denied_at IS NULL AND expires_at > ?5",
    )
    .bind(session.as_str())
    .bind(code.map(Random::hash))
    .bind(millis(code_ends))
    .bind(id)
    .bind(millis(at))
    .execute(write.connection())
    .await?;
    // Whoever logs out in that browser is shown it.
    sqlx::query(
        "UPDATE sessions SET (browser_sha256, client) = (SELECT browser_sha256, client FROM authorizations WHERE id = ?1) \
         WHERE id = ?2",
    )
    .bind(id)
    .bind(session.as_str())
    .execute(write.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that its person agreed. `false`: it was over in the meantime.
pub(crate) async fn consent(write: &mut Write, id: &str) -> Result<bool, StoreFault> {
    let at = millis(write.at());
    let sql = "UPDATE authorizations SET consented_at = ?1 \
               WHERE id = ?2 AND session_id IS NULL AND denied_at IS NULL AND expires_at > ?1";
    Ok(sqlx::query(sql).bind(at).bind(id).execute(write.connection()).await?.rows_affected() == 1)
}

/// Ends it without a login.
pub(crate) async fn deny(write: &mut Write, id: &str) -> Result<(), StoreFault> {
    let at = millis(write.at());
    sqlx::query("UPDATE authorizations SET denied_at = ? WHERE id = ? AND session_id IS NULL")
        .bind(at)
        .bind(id)
        .execute(write.connection())
        .await?;
    Ok(())
}

/// How often its tokens were given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redeemed {
    Once,
    /// The first time was so long ago.
    Again(Duration),
}

/// Notes that its tokens are given out.
pub(crate) async fn redeem(write: &mut Write, id: &str) -> Result<Redeemed, StoreFault> {
    let at = millis(write.at());
    let sql = "UPDATE authorizations SET redeemed_at = ? WHERE id = ? AND redeemed_at IS NULL";
    if sqlx::query(sql).bind(at).bind(id).execute(write.connection()).await?.rows_affected() == 1 {
        return Ok(Redeemed::Once);
    }
    let sql = "SELECT redeemed_at FROM authorizations WHERE id = ?";
    let first: Option<i64> = sqlx::query_scalar(sql).bind(id).fetch_optional(write.connection()).await?.flatten();
    // One that is gone meanwhile was redeemed at no time that is known.
    Ok(Redeemed::Again(first.map_or(Duration::MAX, |first| crate::store::since(moment(first), write.at()))))
}

/// Notes that the device asked.
pub(crate) async fn polled(write: &mut Write, id: &str) -> Result<Change, StoreFault> {
    let at = millis(write.at());
    sqlx::query("UPDATE authorizations SET polled_at = ? WHERE id = ?")
        .bind(at)
        .bind(id)
        .execute(write.connection())
        .await?;
    Ok(Change::AuthorizationSeen(id.to_owned()))
}

/// Notes that its browser was sent to a provider. A later trip takes the place of an earlier one.
pub(crate) async fn depart(write: &mut Write, id: &str, trip: Trip<'_>) -> Result<(), StoreFault> {
    sqlx::query("UPDATE authorizations SET trip_provider = ?, trip_sha256 = ?, trip_memo = ? WHERE id = ?")
        .bind(trip.provider)
        .bind(sha256(trip.state))
        .bind(trip.sealed_memo)
        .bind(id)
        .execute(write.connection())
        .await?;
    Ok(())
}

/// A trip that begins.
#[derive(Debug)]
pub(crate) struct Trip<'a> {
    pub(crate) provider: &'a str,
    pub(crate) state: &'a str,
    pub(crate) sealed_memo: &'a [u8],
}

/// Takes the memo of a trip that came back, once: `None` when it was taken before.
pub(crate) async fn arrive(write: &mut Write, state: &str) -> Result<Option<Vec<u8>>, StoreFault> {
    let hash = sha256(state);
    let memo: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT trip_memo FROM authorizations WHERE trip_sha256 = ?")
            .bind(&hash)
            .fetch_optional(write.connection())
            .await?;
    sqlx::query("UPDATE authorizations SET trip_sha256 = NULL, trip_memo = NULL WHERE trip_sha256 = ?")
        .bind(&hash)
        .execute(write.connection())
        .await?;
    Ok(memo.flatten())
}
