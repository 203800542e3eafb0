//! What a token is worth now, for a client that cannot read it itself (RFC 7662).
//!
//! A client learns of its own tokens, and one that is a resource server of the access tokens that others present to it.
//! Everything else is not active, whatever the reason: the answer is no way to try tokens out.

use serde::Serialize;

use super::exchange::GrantError;
use super::refresh_token::{self, Use};
use super::{Client, Issuer};
use crate::control::Control;

/// What is told of a token that is good (RFC 7662 §2.2). No name and no groups: those are at `userinfo`, for who holds
/// the token and has the scope.
#[derive(Debug, Serialize)]
pub(crate) struct Active {
    active: bool,
    iss: String,
    sub: String,
    client_id: String,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
}

impl Control {
    /// What this client may know of a token; `None`: it is not active, or not for this client to know.
    ///
    /// # Errors
    /// When it cannot be decided now. A client that was told "not active" would throw a good login away.
    pub(crate) async fn introspect(
        &self,
        issuer: &Issuer,
        client: &Client,
        token: &str,
    ) -> Result<Option<Active>, GrantError> {
        let found = match issuer.refreshes().parse(token) {
            Some(_) => self.refresh_as_seen_by(issuer, client, token).await,
            None => self.access_as_seen_by(issuer, client, token).await,
        };
        match found {
            Err(GrantError::Invalid(why)) => {
                tracing::debug!(client = client.id, why, "a token is not active");
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    async fn access_as_seen_by(&self, issuer: &Issuer, client: &Client, token: &str) -> Result<Active, GrantError> {
        let (claims, _) = self.session_of(issuer, token).await?;
        if claims.client_id != client.id && !client.resource_server {
            return Err(GrantError::Invalid("it is another client's"));
        }
        Ok(Active {
            active: true,
            iss: claims.iss,
            sub: claims.sub,
            client_id: claims.client_id,
            exp: claims.exp,
            aud: Some(claims.aud),
            iat: Some(claims.iat),
            jti: Some(claims.jti),
            scope: claims.scope,
            token_type: Some("Bearer"),
        })
    }

    /// Looking is no use: one that was used before ends nothing here.
    async fn refresh_as_seen_by(&self, issuer: &Issuer, client: &Client, token: &str) -> Result<Active, GrantError> {
        let presented = issuer.refreshes().parse(token).ok_or(GrantError::Invalid("it is no refresh token"))?;
        let found = refresh_token::find(&mut *self.store().read().await?, &presented.name, &presented.hash).await?;
        let held = found.filter(|held| held.client == client.id);
        let held = held.ok_or(GrantError::Invalid("it is unknown, or another client's"))?;
        if held.was_used() || held.judge(self.store().now()) != Use::Good {
            return Err(GrantError::Invalid("it was used, or is over"));
        }
        let standing = self.standing(&held.session).await?.ok_or(GrantError::Invalid("its session is gone"))?;
        self.good(&standing)?;
        Ok(Active {
            active: true,
            iss: issuer.url().to_owned(),
            sub: standing.user_id.clone(),
            client_id: held.client,
            exp: held.expires_at.as_second(),
            aud: None,
            iat: None,
            jti: None,
            scope: Some(held.scope),
            token_type: None,
        })
    }
}
