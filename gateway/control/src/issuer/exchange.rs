//! What the token endpoint does: a code, a device code or a refresh token in, tokens out.
//!
//! Signed tokens are short and say little; the session that they name is looked up whenever one is used, so that its
//! end is theirs. What is given out twice (a code, a refresh token) tells that somebody else has it: the session ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::authorization::{self, Authorization, By, Flow, Redeemed};
use super::jwt::{self, Claims, Kind};
use super::refresh_token::{self, Use};
use super::secret::{self, Random};
use super::{Client, Issuer, TOKEN_LIFE, scope};
use crate::api::NotedSession;
use crate::control::Control;
use crate::identity::SessionIdentity;
use crate::keys::KeyFault;
use crate::resolve::ResolveError;
use crate::sessions::{self, SessionId, Standing, Which};
use crate::store::{Change, Changes, StoreFault, Write, millis, moment};
use crate::users;

/// What a client gets.
#[derive(Debug)]
pub(crate) struct TokenSet {
    pub(crate) access_token: String,
    pub(crate) id_token: String,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) expires_in: Duration,
    pub(crate) scope: String,
    /// Whose they are, for the audit log.
    pub(crate) session: NotedSession,
}

/// Why it gets nothing (RFC 6749 §5.2, RFC 8628 §3.5). The text is for the log: clients get a word.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GrantError {
    #[error("{0}")]
    Invalid(&'static str),
    #[error("nobody has logged in yet")]
    Pending,
    #[error("the device asks too often")]
    SlowDown,
    #[error("the person said no")]
    Denied,
    #[error("nobody logged in in time")]
    Expired,
    #[error("the session is not known to be good now")]
    Unavailable,
    #[error("{0}")]
    Target(&'static str),
    #[error("this is for clients whose tokens open clusters")]
    NotForClient,
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error(transparent)]
    Keys(#[from] KeyFault),
}

/// What a client sends for a code.
#[derive(Debug)]
pub(crate) struct Redeems<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
}

/// For whom tokens are made.
struct For<'a> {
    client: &'a Client,
    scope: &'a str,
    nonce: Option<String>,
    session: &'a Standing,
    auth_time: Timestamp,
}

impl Control {
    /// Tokens for a code (RFC 6749 §4.1.3, RFC 7636 §4.6).
    pub(crate) async fn redeem_code(
        &self,
        issuer: &Issuer,
        client: &Client,
        asked: Redeems<'_>,
    ) -> Result<TokenSet, GrantError> {
        let code = Random::presented(asked.code).ok_or(GrantError::Invalid("no code has this form"))?;
        let found = authorization::find(&mut *self.store().read().await?, By::Code(&code)).await?;
        let found = found.ok_or(GrantError::Invalid("the code was never given out"))?;
        let Flow::Code { redirect_uri, challenge, .. } = &found.flow else {
            return Err(GrantError::Invalid("it is no code"));
        };
        if found.client != client.id {
            return Err(GrantError::Invalid("the code is another client's"));
        }
        if *redirect_uri != asked.redirect_uri {
            return Err(GrantError::Invalid("the redirect URI is another than the code was sent to"));
        }
        if !secret::is_verifier_of(asked.verifier, challenge) {
            return Err(GrantError::Invalid("the code verifier does not fit the challenge"));
        }
        match self.redeem(issuer, client, found).await {
            // RFC 6749 §5.2: a code that is over is an invalid grant. Only device codes have a word of their own.
            Err(GrantError::Expired) => Err(GrantError::Invalid("the code is over")),
            redeemed => redeemed,
        }
    }

    /// Tokens for a device whose person has logged in (RFC 8628 §3.4).
    pub(crate) async fn redeem_device(
        &self,
        issuer: &Issuer,
        client: &Client,
        device_code: &str,
    ) -> Result<TokenSet, GrantError> {
        let code = Random::presented(device_code).ok_or(GrantError::Invalid("no device code has this form"))?;
        let found = authorization::find(&mut *self.store().read().await?, By::Device(&code)).await?;
        let found = found.ok_or(GrantError::Invalid("the device code was never given out"))?;
        if found.client != client.id {
            return Err(GrantError::Invalid("the device code is another client's"));
        }
        if found.denied {
            return Err(GrantError::Denied);
        }
        let now = self.store().now();
        if found.session.is_none() && now < found.expires_at {
            let too_soon = found.asks_too_soon(now);
            let mut write = self.store().write().await?;
            let seen = authorization::polled(&mut write, &found.id).await?;
            write.commit(seen).await?;
            return Err(if too_soon { GrantError::SlowDown } else { GrantError::Pending });
        }
        self.redeem(issuer, client, found).await
    }

    async fn redeem(&self, issuer: &Issuer, client: &Client, found: Authorization) -> Result<TokenSet, GrantError> {
        let Some(session) = &found.session else { return Err(GrantError::Expired) };
        let mut write = self.store().write().await?;
        match (authorization::redeem(&mut write, &found.id).await?, &found.flow) {
            (Redeemed::Once, _) => {}
            // The answer may have been lost, and the person would have to do it all again. What it held is spent: whoever
            // has it ends the login by using it.
            (Redeemed::Again(after), Flow::Device { .. }) if after <= refresh_token::GRACE => {
                refresh_token::spend(&mut write, session).await?;
            }
            (Redeemed::Again(_), _) => {
                drop(write);
                return self.stolen(session, "its code was used twice").await;
            }
        }
        if found.expires_at <= write.at() {
            return Err(GrantError::Expired);
        }
        let seen = Change::AuthorizationSeen(found.id.clone());
        let asks = Asks { client, scope: &found.scope, nonce: found.nonce.clone(), session };
        self.give(issuer, write, asks, seen).await
    }

    /// New tokens for a refresh token (RFC 6749 §6), if the provider still says so.
    pub(crate) async fn refresh_tokens(
        &self,
        issuer: &Issuer,
        client: &Client,
        presented: &str,
    ) -> Result<TokenSet, GrantError> {
        let presented = issuer.refreshes().parse(presented);
        let presented = presented.ok_or(GrantError::Invalid("this gateway made no such refresh token"))?;
        let (name, hash) = (&presented.name, &presented.hash);
        let found = refresh_token::find(&mut *self.store().read().await?, name, hash).await?;
        let held = found.ok_or(GrantError::Invalid("the refresh token is not known (any more)"))?;
        if held.client != client.id {
            return Err(GrantError::Invalid("the refresh token is another client's"));
        }
        self.still_good(&held).await?;
        let standing = self.standing(&held.session).await?;
        let standing = standing.ok_or(GrantError::Invalid("its session is gone"))?;
        self.good(&standing)?;
        self.ask_again(&standing).await?;
        let mut write = self.store().write().await?;
        refresh_token::spend(&mut write, &held.session).await?;
        let asks = Asks { client, scope: &held.scope, nonce: None, session: &held.session };
        let seen = Change::RefreshTokenMinted(name.clone());
        self.give(issuer, write, asks, seen).await
    }

    async fn still_good(&self, held: &refresh_token::Held) -> Result<(), GrantError> {
        match held.judge(self.store().now()) {
            Use::Good => Ok(()),
            Use::Expired => Err(GrantError::Invalid("the refresh token is over")),
            Use::Reused => self.stolen(&held.session, "a refresh token was used twice").await,
        }
    }

    /// The provider decides whether a login goes on. When it does not answer, the session lives as long as its groups are
    /// fresh enough.
    async fn ask_again(&self, session: &Standing) -> Result<(), GrantError> {
        let user = users::parse_id(&session.user_id)?;
        let principal = session.principal.parse().map_err(|error| StoreFault::unreadable("principal", error))?;
        self.read_anew(&self.registry(), &user, &principal).await;
        Ok(())
    }

    /// Ends the login that a token of this client belongs to: a refresh token, or an access token. Others end nothing.
    pub(crate) async fn end_by_token(&self, issuer: &Issuer, client: &Client, token: &str) -> Result<(), GrantError> {
        let session = match issuer.refreshes().parse(token) {
            Some(presented) => {
                let connection = &mut *self.store().read().await?;
                let held = refresh_token::find(connection, &presented.name, &presented.hash).await?;
                held.filter(|held| held.client == client.id).map(|held| held.session)
            }
            // Of what is over, or was only to say who somebody is, copies lie about in logs: they end nothing. Nor does
            // a token for one cluster, which is given to whoever should not hold a whole login.
            None => jwt::verify(&issuer.keys().all(), self.store().now(), token)
                .filter(|(kind, claims)| *kind == Kind::Access && claims.client_id == client.id)
                .filter(|(_, claims)| claims.exp > self.store().now().as_second())
                .filter(|(_, claims)| issuer.cluster_of(&claims.aud).is_none())
                .and_then(|(_, claims)| claims.sid.parse().ok()),
        };
        let Some(session) = session else { return Ok(()) };
        Ok(sessions::end_now(self.store(), Which::One(&session), "its client ended it").await?)
    }

    /// The session that an access token names, if both hold.
    pub(crate) async fn session_of(&self, issuer: &Issuer, token: &str) -> Result<(Claims, Arc<Standing>), GrantError> {
        let now = self.store().now();
        let verified = jwt::verify(&issuer.keys().all(), now, token);
        let verified = verified.filter(|(kind, claims)| *kind == Kind::Access && claims.iss == issuer.url());
        let (_, claims) = verified.ok_or(GrantError::Invalid("it is no access token"))?;
        if claims.exp <= now.as_second() {
            return Err(GrantError::Invalid("the access token is over"));
        }
        let session = claims.sid.parse().map_err(|_| GrantError::Invalid("it names no session"))?;
        let standing = self.standing(&session).await?;
        let standing = standing.filter(|standing| standing.user_id == claims.sub);
        let standing = standing.ok_or(GrantError::Invalid("its session is gone"))?;
        self.good(&standing)?;
        Ok((claims, standing))
    }

    /// Ends a session whose secret somebody else has, too.
    async fn stolen<T>(&self, session: &SessionId, why: &'static str) -> Result<T, GrantError> {
        tracing::warn!(%session, why, "a session ends");
        sessions::end_now(self.store(), Which::One(session), why).await?;
        Err(GrantError::Invalid(why))
    }

    /// Makes the tokens, and keeps what is kept of them together with what was written before.
    async fn give(
        &self,
        issuer: &Issuer,
        mut write: Write,
        asks: Asks<'_>,
        seen: Change,
    ) -> Result<TokenSet, GrantError> {
        // Nobody else writes now, so what is read here is what holds after the commit.
        let asked = self.store().standings().asking();
        let stored = sessions::standing(write.connection(), asks.session).await?.map(Arc::new);
        let stored = stored.ok_or(GrantError::Invalid("its session is gone"))?;
        // By the groups of now: one that came after the login shortens it, too.
        let times = self.times_of(&SessionIdentity::read(&stored.identity)?);
        let oldest = moment(stored.created_at).saturating_add(times.max_age.span).unwrap_or(Timestamp::MAX);
        let session_expires_at = stored.session_expires_at.min(millis(oldest));
        let standing = Standing { session_expires_at, ..Standing::clone(&stored) };
        self.good(&standing)?;
        let mut changes = Changes::from(seen);
        let mut refresh = None;
        if asks.client.kubectl || scope::holds(asks.scope, scope::OFFLINE_ACCESS) {
            let minted = issuer.refreshes().mint()?;
            let idle = write.at().saturating_add(times.max_idle.span).unwrap_or(Timestamp::MAX);
            let until = idle.min(moment(standing.session_expires_at));
            refresh_token::insert(&mut write, &minted, (asks.session, until), &asks.client.id, asks.scope).await?;
            changes = changes.and(Change::RefreshTokenMinted(minted.name.clone()));
            refresh = Some(minted.plain);
        }
        let now = write.at();
        let (client, scope, nonce) = (asks.client, asks.scope, asks.nonce);
        let auth_time = sessions::auth_time(write.connection(), asks.session).await?;
        let tokens = issuer.sign(now, For { client, scope, nonce, session: &standing, auth_time })?;
        write.commit(changes).await?;
        self.store().standings().keep(asked, asks.session, &stored);
        Ok(TokenSet { refresh_token: refresh.map(|token| token.expose().into()), ..tokens })
    }

    pub(super) fn good(&self, session: &Standing) -> Result<(), GrantError> {
        match self.holds(session, moment(session.session_expires_at), false) {
            Ok(()) => Ok(()),
            Err(ResolveError::Unauthenticated(_)) => Err(GrantError::Invalid("its session is over")),
            Err(ResolveError::Unavailable { .. } | ResolveError::Overloaded) => Err(GrantError::Unavailable),
        }
    }
}

/// What is asked for, before it is known how the session stands.
struct Asks<'a> {
    client: &'a Client,
    scope: &'a str,
    nonce: Option<String>,
    session: &'a SessionId,
}

impl Issuer {
    fn sign(&self, now: Timestamp, asks: For<'_>) -> Result<TokenSet, GrantError> {
        let For { client, scope, nonce, session, auth_time } = asks;
        let ends = now.saturating_add(TOKEN_LIFE).unwrap_or(Timestamp::MAX).min(moment(session.session_expires_at));
        let username = SessionIdentity::read(&session.identity)?.user.username;
        let claims = |aud: &str| Claims {
            iss: self.url().to_owned(),
            sub: session.user_id.clone(),
            aud: aud.to_owned(),
            sid: session.session_id.clone(),
            client_id: client.id.clone(),
            exp: ends.as_second(),
            iat: now.as_second(),
            jti: format!("jwt-{}", uuid::Uuid::now_v7().simple()),
            scope: None,
            nonce: None,
            auth_time: None,
            preferred_username: None,
        };
        let about_them = Claims {
            nonce,
            auth_time: Some(auth_time.as_second()),
            preferred_username: Some(username),
            ..claims(&client.id)
        };
        // A client that only wants to know who somebody is gets an access token for nothing else.
        let audience = if client.kubectl { self.resource() } else { self.url() };
        let opens = Claims { scope: Some(scope.to_owned()), ..claims(audience) };
        let keys = self.keys().all();
        Ok(TokenSet {
            access_token: jwt::sign(&keys, now, Kind::Access, &opens)?,
            id_token: jwt::sign_by(&keys, now, (client.id_token_alg, Kind::Id), &about_them)?,
            refresh_token: None,
            expires_in: ends.duration_since(now).try_into().unwrap_or_default(),
            scope: scope.to_owned(),
            session: NotedSession {
                id: session.session_id.clone(),
                provider: session.provider.clone(),
                principal: session.principal.clone(),
            },
        })
    }
}
