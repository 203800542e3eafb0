//! The scripted directory as an issuer whose tokens are credentials.

use std::time::Duration;

use async_trait::async_trait;
use auth_core::{AuthError, Bearer, BearerProof, BearerVerdict, Completeness, Context, ProviderSecret};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Mood, Scripted, Site};

pub(crate) const OUTSIDE: &str = "https://ci.test";

/// What a token says that the outside issuer makes now, for five minutes.
pub(crate) fn claims(site: &Site, login: &str) -> Value {
    let now = site.control.store().now().as_second();
    json!({"iss": OUTSIDE, "sub": login, "iat": now, "exp": now + 300})
}

/// A token that the scripted directory takes, unless its claims are wrong.
pub(crate) fn token(claims: &Value) -> String {
    signed(claims, "good")
}

pub(crate) fn signed(claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(&json!({"alg": "ES256"})), part(claims))
}

#[async_trait]
impl Bearer for Scripted {
    fn issuer(&self) -> &str {
        OUTSIDE
    }

    async fn authenticate_bearer(&self, _: &Context, token: &ProviderSecret) -> Result<BearerVerdict, AuthError> {
        if *self.mood() == Mood::Down {
            return Err(AuthError::unavailable("the issuer is down"));
        }
        let parts: Vec<&str> = token.expose().split('.').collect();
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).expect("base64url")).expect("JSON");
        let moment = |name: &str| Timestamp::from_second(claims[name].as_i64().expect("a time")).expect("a moment");
        let login = self.describe(claims["sub"].as_str().unwrap_or_default());
        let login = login.filter(|login| parts[2].starts_with("good") && login.completeness == Completeness::Complete);
        Ok(match login {
            Some(login) => BearerVerdict::Proven(Box::new(BearerProof {
                login,
                // Its clock may be a minute off.
                issued_at: moment("iat") - Duration::from_secs(60),
                expires_at: moment("exp"),
            })),
            None => BearerVerdict::Refused("the signature is not that of the issuer".to_owned()),
        })
    }
}
