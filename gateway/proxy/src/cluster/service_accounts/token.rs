//! A service-account token, read (RFC 7519; what Kubernetes puts into one: KEP-1205).
//!
//! Nothing here says that it is good. Its `iss` is read to learn whose it would be, and its claims once a key of the
//! cluster's has signed them.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::boundary::{ServiceAccount, ServiceAccountTokens};

/// How it was signed. Kubernetes signs in no other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    Es384,
    Es512,
}

/// A token taken apart. It holds the token's own text, so it shows nothing of itself.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: String,
    /// Header and claims, as they were signed.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

/// What a token says of itself, once its signature is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) account: ServiceAccount,
    /// The account's own id: one that is made again under its name is another.
    pub(super) uid: String,
    pub(super) expires_at: SystemTime,
}

/// Whose a token claims to be. Nobody has looked at its signature.
pub(crate) fn issuer_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let (_, payload) = text.rsplit_once('.')?.0.split_once('.')?;
    let Issuer { iss } = serde_json::from_slice(&decode(payload)?).ok()?;
    Some(iss)
}

impl<'a> Token<'a> {
    /// Takes a token apart; an error says what is odd about it, in words that hold nothing of it.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (signed, signature) = text.rsplit_once('.').ok_or("it is no signed token")?;
        let (header, payload) = signed.split_once('.').ok_or("it is no signed token")?;
        let header: Header = decode(header).and_then(|json| serde_json::from_slice(&json).ok()).ok_or("its header")?;
        // RFC 7515 §4.1.11: what is critical and not understood makes a token invalid, and none is understood. Keys that
        // a header brings or points to are no keys: these come from the cluster alone.
        if header.crit.is_some() || header.b64.is_some() {
            return Err("its header asks for extensions");
        }
        let signature = decode(signature).ok_or("its signature is not base64url")?;
        let algorithm = Algorithm::named(&header.alg).ok_or("it is signed in a way that Kubernetes does not use")?;
        Ok(Self { algorithm, kid: header.kid.ok_or("it names no key")?, signed, signature, payload })
    }

    /// What it says, where it is for us and its time is not over. Whether its time has begun is for the cluster to say,
    /// by its own clock.
    pub(super) fn claims(&self, wanted: &ServiceAccountTokens, now: SystemTime) -> Result<Said, &'static str> {
        let json = decode(self.payload).ok_or("its claims are not base64url")?;
        let claims: Claims = serde_json::from_slice(&json).map_err(|_| "its claims are not a service account's")?;
        if claims.iss != wanted.issuer {
            return Err("its issuer is another");
        }
        if !claims.aud.iter().any(|audience| wanted.audiences.contains(audience)) {
            return Err("it is for another audience");
        }
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(claims.exp));
        let expires_at = end.filter(|end| *end > now).ok_or("its time is over")?;
        let Kubernetes { namespace, serviceaccount: Named { name, uid } } = claims.kubernetes;
        let account = ServiceAccount::parse(&claims.sub).ok_or("its subject is no service account")?;
        if account.namespace() != namespace || account.name() != name {
            return Err("its subject is not the account that it names");
        }
        Ok(Said { account, uid, expires_at })
    }
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
    b64: Option<serde_json::Value>,
}

/// A token without an end, as clusters made before 1.22, has no `exp` and is no token here.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    exp: u64,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Kubernetes,
}

#[derive(Deserialize)]
struct Kubernetes {
    namespace: String,
    serviceaccount: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    uid: String,
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn part(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn token(header: &Value, claims: &Value) -> String {
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    fn header() -> Value {
        json!({"alg": "RS256", "kid": "one"})
    }

    fn claims() -> Value {
        json!({
            "iss": "https://east.example.org", "sub": "system:serviceaccount:ci:deployer",
            "aud": ["https://east.example.org", "other"], "exp": 2_000,
            "kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "deployer", "uid": "u-1"}},
        })
    }

    fn wanted() -> ServiceAccountTokens {
        let issuer = "https://east.example.org".to_owned();
        ServiceAccountTokens { audiences: vec![issuer.clone()], issuer }
    }

    fn said(claims: &Value) -> Result<Said, &'static str> {
        let text = token(&header(), claims);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        Token::parse(&text).unwrap().claims(&wanted(), now)
    }

    /// The good claims with one changed; `Null` takes it away.
    fn but(pointer: &str, value: Value) -> Value {
        let mut claims = claims();
        match value {
            Value::Null => {
                let (above, name) = pointer.rsplit_once('/').unwrap();
                claims.pointer_mut(above).unwrap().as_object_mut().unwrap().remove(name);
            }
            value => *claims.pointer_mut(pointer).unwrap() = value,
        }
        claims
    }

    #[test]
    fn a_token_says_which_account_it_is_and_until_when() {
        let said = said(&claims()).unwrap();
        assert_eq!(said.account.username(), "system:serviceaccount:ci:deployer");
        assert_eq!(said.uid, "u-1");
        assert_eq!(said.expires_at, SystemTime::UNIX_EPOCH + Duration::from_secs(2_000));
        assert_eq!(issuer_of(&token(&header(), &claims())).as_deref(), Some("https://east.example.org"));
    }

    #[test]
    fn claims_that_are_not_for_here_are_refused() {
        let cases = [
            ("/iss", json!("https://west.example.org"), "its issuer is another"),
            ("/iss", json!("https://east.example.org/"), "its issuer is another"),
            ("/aud", json!(["vault"]), "it is for another audience"),
            ("/aud", json!([]), "it is for another audience"),
            ("/exp", json!(1_000), "its time is over"),
            ("/exp", json!(u64::MAX), "its time is over"),
            ("/exp", Value::Null, "its claims are not a service account's"),
            ("/exp", json!(-1), "its claims are not a service account's"),
            ("/kubernetes.io", Value::Null, "its claims are not a service account's"),
            ("/sub", json!("system:serviceaccount:ci:root"), "its subject is not the account that it names"),
            ("/kubernetes.io/namespace", json!("ops"), "its subject is not the account that it names"),
            ("/sub", json!("system:admin"), "its subject is no service account"),
            ("/sub", json!("system:serviceaccount:ci:a:b"), "its subject is no service account"),
        ];
        for (pointer, value, why) in cases {
            assert_eq!(said(&but(pointer, value.clone())).unwrap_err(), why, "{pointer} {value}");
        }
    }

    #[test]
    fn headers_that_kubernetes_does_not_write_are_refused() {
        let cases = [
            json!({"alg": "none", "kid": "one"}),
            json!({"alg": "HS256", "kid": "one"}),
            json!({"alg": "RS256"}),
            json!({"alg": "RS256", "kid": "one", "crit": ["b64"]}),
            json!({"alg": "RS256", "kid": "one", "b64": false}),
            json!(["RS256"]),
        ];
        for header in cases {
            assert!(Token::parse(&token(&header, &claims())).is_err(), "{header}");
        }
        let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"one","kid":"two"}"#);
        assert!(Token::parse(&format!("{twice}.{}.c2ln", part(&claims()))).is_err(), "two keys are no key");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(text in "[A-Za-z0-9_.-]{0,200}") {
            let _ = issuer_of(&text);
            if let Ok(token) = Token::parse(&text) {
                let _ = token.claims(&wanted(), SystemTime::UNIX_EPOCH);
            }
        }
    }
}
