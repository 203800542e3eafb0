//! A code or a refresh token becomes tokens (RFC 6749 §4.1.3 and §6).
//!
//! A request is sent once, whatever comes of it: a code is good for one, and a refresh token that rotates may be.

use std::time::Duration;

use auth_core::{AuthError, ProviderSecret};
use http::StatusCode;
use serde_json::Value;

use crate::client::No;
use crate::discovery::Metadata;
use crate::fetch;
use crate::issuer::Issuer;
use crate::json::Object;

/// What is handed in.
pub(crate) enum Grant<'a> {
    Code { code: &'a str, verifier: &'a str, callback: &'a str },
    Refresh(&'a ProviderSecret),
}

/// What comes back.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) id: Option<ProviderSecret>,
    pub(crate) access: ProviderSecret,
    pub(crate) refresh: Option<ProviderSecret>,
    pub(crate) lasts: Option<i64>,
}

/// Why nothing came back.
#[derive(Debug)]
pub(crate) enum NoTokens {
    /// `invalid_grant`: what was handed in is spent, expired or withdrawn. The words are the issuer's.
    InvalidGrant(Object),
    /// Anything else.
    Other(AuthError),
}

impl From<AuthError> for NoTokens {
    fn from(error: AuthError) -> Self {
        Self::Other(error)
    }
}

/// Hands a grant in.
pub(crate) async fn redeem(
    issuer: &Issuer,
    metadata: &Metadata,
    grant: Grant<'_>,
    time: Duration,
) -> Result<Tokens, NoTokens> {
    let response = issuer.post(metadata, &metadata.token, &form(&grant), time).await?;
    if response.status() == StatusCode::OK {
        let answer = fetch::object(&response).map_err(odd)?;
        return Ok(Tokens::read(&answer).map_err(odd)?);
    }
    let no = No::read(&response);
    if no.is_of_client && no.word() == "invalid_grant" {
        return Err(NoTokens::InvalidGrant(no.answer));
    }
    Err(NoTokens::Other(no.error(&issuer.settings, &metadata.token, &response)))
}

fn form<'a>(grant: &Grant<'a>) -> Vec<(&'static str, &'a str)> {
    match grant {
        Grant::Code { code, verifier, callback } => vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", verifier),
        ],
        Grant::Refresh(token) => vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())],
    }
}

impl Tokens {
    fn read(answer: &Object) -> Result<Self, String> {
        let secret = |name: &str| answer.get(name).and_then(Value::as_str).map(ProviderSecret::new);
        let kind = answer.get("token_type").and_then(Value::as_str).unwrap_or_default();
        if !kind.eq_ignore_ascii_case("Bearer") {
            return Err("token_type is not Bearer".to_owned());
        }
        Ok(Self {
            id: secret("id_token"),
            access: secret("access_token").ok_or("there is no access_token")?,
            refresh: secret("refresh_token"),
            lasts: answer.get("expires_in").and_then(Value::as_i64),
        })
    }
}

fn odd(why: String) -> AuthError {
    AuthError::Protocol(format!("the token endpoint's answer: {why}"))
}
