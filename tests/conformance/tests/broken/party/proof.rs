//! What a token proves.

use auth_core::{AuthError, Context};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;

use super::ask::there;
use super::{Object, Party, odd, text};
use crate::slips::Slip;

const SKEW: i64 = 60;
const FRESH: i64 = 3_600;
const TOKEN_MAX: usize = 128 * 1024;

/// What a token has to name.
pub(super) enum Nonce {
    Is(String),
    NoneOr(String),
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// An object in which nothing comes twice; or, by mistake, the last of what does.
pub(super) fn strict(bytes: &[u8], last_counts: bool) -> Result<Object, AuthError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let pairs = deserializer.deserialize_map(Pairs).map_err(|_| odd("no object"))?;
    deserializer.end().map_err(|_| odd("more than an object"))?;
    let count = pairs.len();
    let object: Object = pairs.into_iter().collect();
    if object.len() == count || last_counts { Ok(object) } else { Err(odd("something comes twice")) }
}

fn decode(part: &str) -> Result<Vec<u8>, AuthError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| odd("no base64url"))
}

/// Three parts.
fn parts(token: &str) -> Result<[&str; 3], AuthError> {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().map_err(|_| odd("not three parts"))
}

/// The claims of a token that nobody looks at.
pub(super) fn unverified(token: &str) -> Result<Object, AuthError> {
    strict(&decode(parts(token)?[1])?, false)
}

impl Party {
    /// The claims of an ID token that proves what it must.
    pub(super) async fn claims(&self, ctx: &Context, tokens: &Object, nonce: &Nonce) -> Result<Object, AuthError> {
        let token = text(tokens, "id_token");
        let found = match self.signed(ctx, &token).await {
            Err(AuthError::Protocol(_)) if self.slips(Slip::AsksUserinfoInstead) && parts(&token).is_err() => {
                let url = text(&self.document(ctx).await?, "userinfo_endpoint");
                return self.get(ctx, &url, Some(&text(tokens, "access_token"))).await;
            }
            found => found?,
        };
        self.check_names(&found)?;
        self.check_times(&found)?;
        let expected = match nonce {
            Nonce::NoneOr(_) if !there(&found, "nonce") => None,
            Nonce::Is(nonce) | Nonce::NoneOr(nonce) => Some(nonce),
        };
        let unasked = self.slips(Slip::IgnoresTheNonce) || self.slips(Slip::SendsNoNonce);
        if !unasked && expected.is_some_and(|nonce| found.get("nonce").and_then(Value::as_str) != Some(nonce)) {
            return Err(odd("the nonce of another trip"));
        }
        let hash = digest(&SHA256, text(tokens, "access_token").as_bytes());
        let half = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]);
        if found.get("at_hash").is_some_and(|found| *found != half.as_str()) && !self.slips(Slip::IgnoresAtHash) {
            return Err(odd("at_hash"));
        }
        Ok(found)
    }

    async fn signed(&self, ctx: &Context, token: &str) -> Result<Object, AuthError> {
        if token.len() > TOKEN_MAX {
            return Err(odd("too long"));
        }
        let [header, payload, signature] = parts(token)?;
        let (head, signature) = (strict(&decode(header)?, false)?, decode(signature)?);
        let typ = text(&head, "typ");
        if !typ.is_empty() && !typ.eq_ignore_ascii_case("jwt") && !self.slips(Slip::IgnoresTheUse) {
            return Err(odd("a token for another use"));
        }
        if head.contains_key("crit") && !self.slips(Slip::IgnoresDemands) {
            return Err(odd("unknown demands"));
        }
        let message = format!("{header}.{payload}");
        let good = match text(&head, "alg").as_str() {
            _ if self.slips(Slip::IgnoresSignatures) => true,
            "HS256" if self.slips(Slip::TakesSharedSecrets) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
                hmac::verify(&key, message.as_bytes(), &signature).is_ok()
            }
            "RS256" | "ES256" => self.is_signed(ctx, &head, &message, &signature).await?,
            other => other.eq_ignore_ascii_case("none") && self.slips(Slip::TakesNone),
        };
        if good { strict(&decode(payload)?, self.slips(Slip::TakesTheLastOfTwo)) } else { Err(odd("the signature")) }
    }

    async fn is_signed(
        &self,
        ctx: &Context,
        head: &Object,
        message: &str,
        signature: &[u8],
    ) -> Result<bool, AuthError> {
        let kid = head.get("kid").and_then(Value::as_str);
        let mut keys = self.keys(ctx, kid).await?["keys"].as_array().cloned().unwrap_or_default();
        keys.retain(|key| kid.is_none() || key["kid"].as_str() == kid);
        if let Some(brought) = head.get("jwk").filter(|_| self.slips(Slip::TrustsTheKeyOfAToken)) {
            keys.push(brought.clone());
        }
        let algorithm = text(head, "alg");
        let meant = |key: &&Value| {
            let signs = key.get("use").is_none_or(|purpose| purpose == "sig") || self.slips(Slip::IgnoresThePurpose);
            signs && key.get("alg").is_none_or(|alg| *alg == algorithm.as_str())
        };
        let part = |key: &Value, name: &str| decode(key[name].as_str().unwrap_or_default()).unwrap_or_default();
        let fits = |key: &Value| match (algorithm.as_str(), key["kty"].as_str()) {
            ("RS256", Some("RSA")) => RsaPublicKeyComponents { n: part(key, "n"), e: part(key, "e") }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), signature)
                .is_ok(),
            ("ES256", Some("EC")) => {
                let point = [&[4][..], &part(key, "x"), &part(key, "y")].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message.as_bytes(), signature).is_ok()
            }
            _ => false,
        };
        Ok(keys.iter().filter(meant).any(fits))
    }

    fn check_names(&self, claims: &Object) -> Result<(), AuthError> {
        if text(claims, "iss") != self.issuer && !self.slips(Slip::IgnoresTheIssuer) {
            return Err(odd("of another issuer"));
        }
        let audience: Vec<&str> = match claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) if !self.slips(Slip::KnowsOneAudience) => {
                all.iter().map(|one| one.as_str().unwrap_or_default()).collect()
            }
            _ => Vec::new(),
        };
        let ours =
            audience.contains(&self.client.as_str()) && (audience.len() == 1 || self.slips(Slip::IgnoresTheParty));
        if !ours && !self.slips(Slip::IgnoresTheAudience) {
            return Err(odd("for somebody else"));
        }
        if claims.get("azp").is_some_and(|party| *party != self.client.as_str()) && !self.slips(Slip::IgnoresTheParty) {
            return Err(odd("of another party"));
        }
        let sub = text(claims, "sub");
        if sub.is_empty() && !self.slips(Slip::TakesNobody) {
            return Err(odd("about nobody"));
        }
        Ok(())
    }

    fn check_times(&self, claims: &Object) -> Result<(), AuthError> {
        let now = self.now();
        let lenient = self.slips(Slip::TakesTimesAsText);
        let at = |name: &str| match claims.get(name) {
            Some(Value::Number(number)) => number.as_f64().map(|seconds| seconds as i64),
            Some(Value::String(text)) if lenient => text.parse().ok(),
            _ => None,
        };
        let end = at("exp").ok_or_else(|| odd("no end"));
        if end? <= now - SKEW && !self.slips(Slip::IgnoresTheEnd) {
            return Err(odd("over"));
        }
        if self.slips(Slip::IgnoresTheBeginning) {
            return Ok(());
        }
        if claims.contains_key("nbf") && at("nbf").ok_or_else(|| odd("no beginning"))? > now + SKEW {
            return Err(odd("not yet"));
        }
        let made = at("iat").ok_or_else(|| odd("never made"))?;
        if made > now + SKEW || made < now - SKEW - FRESH { Err(odd("made at another time")) } else { Ok(()) }
    }
}
