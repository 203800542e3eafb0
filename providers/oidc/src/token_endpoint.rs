//! A code or a refresh token becomes tokens (RFC 6749 §4.1.3 and §6).
//!
//! A request is sent once, whatever comes of it: a code is good for one, and a refresh token that rotates may be.

use std::time::Duration;

use auth_core::{AuthError, ProviderSecret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use serde_json::Value;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::config::Settings;
use crate::discovery::Metadata;
use crate::fetch::{self, Fetch, no_address};
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
    fetch: &Fetch,
    settings: &Settings,
    metadata: &Metadata,
    grant: Grant<'_>,
    time: Duration,
) -> Result<Tokens, NoTokens> {
    let request = request(settings, metadata, &grant).map_err(|_| no_address(metadata.token.as_str()))?;
    let response = fetch.send(request, time).await?;
    if response.status() == StatusCode::OK {
        let answer = fetch::object(&response).map_err(odd)?;
        return Ok(Tokens::read(&answer).map_err(odd)?);
    }
    Err(no_tokens(metadata, &response))
}

fn request(settings: &Settings, metadata: &Metadata, grant: &Grant<'_>) -> http::Result<Request<Vec<u8>>> {
    let mut form = Serializer::new(String::new());
    match grant {
        Grant::Code { code, verifier, callback } => form
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", callback)
            .append_pair("code_verifier", verifier),
        Grant::Refresh(token) => {
            form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.expose())
        }
    };
    let mut request = Request::post(metadata.token.as_str())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    match &settings.client_secret {
        Some(secret) if !metadata.secret_in_form => {
            // RFC 6749 §2.3.1: both are encoded as a form's values are, before they are joined.
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let both = format!("{}:{}", encoded(&settings.client_id), encoded(secret.expose()));
            request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(both)));
        }
        secret => {
            form.append_pair("client_id", &settings.client_id);
            if let Some(secret) = secret {
                form.append_pair("client_secret", secret.expose());
            }
        }
    }
    request.body(form.finish().into_bytes())
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

/// RFC 6749 §5.2: what went wrong is a word in the answer, which may have status 400 or 401.
fn no_tokens(metadata: &Metadata, response: &Response<Vec<u8>>) -> NoTokens {
    let answer = fetch::object(response).unwrap_or_default();
    let word = answer.get("error").and_then(Value::as_str).unwrap_or_default();
    if response.status().is_client_error() && word == "invalid_grant" {
        return NoTokens::InvalidGrant(answer);
    }
    NoTokens::Other(match word {
        "invalid_client" | "unauthorized_client" => AuthError::Misconfigured {
            field: "clientSecret".to_owned(),
            message: format!("the issuer answers {word}; write the id and the secret that it has for this client"),
        },
        "temporarily_unavailable" | "server_error" => AuthError::unavailable("the token endpoint is in trouble"),
        _ => fetch::refused(metadata.token.as_str(), response.status()),
    })
}

fn odd(why: String) -> AuthError {
    AuthError::Protocol(format!("the token endpoint's answer: {why}"))
}
