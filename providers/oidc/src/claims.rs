//! What an ID token has to prove beside its signature (OIDC Core §3.1.3.7 and §12.2).

use std::time::Duration;

use aws_lc_rs::digest::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::json::Object;

/// How old a token may be that comes right from the token endpoint.
pub(crate) const FRESH: Duration = Duration::from_secs(3_600);
const SUBJECT_MAX: usize = 255;

/// What the token must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: Audience<'a>,
    pub(crate) nonce: Nonce<'a>,
    /// How long ago it may have been made.
    pub(crate) oldest: Duration,
    pub(crate) now: Timestamp,
    pub(crate) skew: Duration,
}

/// Whom a token is for.
#[derive(Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// This client, which asked for it (OIDC Core §3.1.3.7), and no others but those who are trusted beside.
    Client { id: &'a str, trusted: &'a [String] },
    /// This client, which is told of something (Back-Channel Logout 1.0 §2.6): nobody asked, so there is no party.
    Told { id: &'a str, trusted: &'a [String] },
    /// At least one of these, as kube-apiserver has it: whoever presents it did not get it from us.
    OneOf(&'a [String]),
}

/// The value that binds a token to the trip of one browser.
#[derive(Clone, Copy)]
pub(crate) enum Nonce<'a> {
    /// After a login: this one.
    Is(&'a str),
    /// After a refresh: none, or the one of the login (OIDC Core §12.2).
    NoneOr(&'a str),
    /// None: what has one is an ID token (Back-Channel Logout 1.0 §2.6).
    Never,
    /// Any: it is that of somebody else's trip.
    Any,
}

impl Expected<'_> {
    /// Checks claims whose signature is good.
    pub(crate) fn check(&self, claims: &Object) -> Result<(), String> {
        // Byte for byte: two issuers that differ in a slash are two issuers.
        if text(claims, "iss")? != self.issuer {
            return Err("iss is another issuer".to_owned());
        }
        self.check_audience(claims)?;
        self.check_times(claims)?;
        self.check_nonce(claims)?;
        // A logout may be that of a login alone, and says of whom where it says so.
        if matches!(self.audience, Audience::Told { .. }) { Ok(()) } else { check_subject(claims).map(drop) }
    }

    fn check_audience(&self, claims: &Object) -> Result<(), String> {
        let audience: Option<Vec<&str>> = match claims.get("aud") {
            Some(Value::String(one)) => Some(vec![one.as_str()]),
            Some(Value::Array(all)) => all.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let audience = audience.ok_or("aud is missing or not text")?;
        let (client, trusted) = match self.audience {
            Audience::Client { id, trusted } | Audience::Told { id, trusted } => (id, trusted),
            Audience::OneOf(names) if names.iter().any(|name| audience.contains(&name.as_str())) => return Ok(()),
            Audience::OneOf(_) => return Err("aud names none of bearer.audiences".to_owned()),
        };
        if !audience.contains(&client) {
            return Err("aud does not name this client".to_owned());
        }
        let strange = |name: &&str| *name != client && !trusted.iter().any(|trusted| trusted == name);
        if audience.iter().any(strange) {
            return Err("aud names others, who are not in trustedAudiences".to_owned());
        }
        if matches!(self.audience, Audience::Told { .. }) {
            return Ok(());
        }
        match claims.get("azp") {
            None if audience.len() > 1 => Err("aud names several and there is no azp".to_owned()),
            None => Ok(()),
            Some(Value::String(party)) if party == client => Ok(()),
            Some(_) => Err("azp is another client".to_owned()),
        }
    }

    fn check_times(&self, claims: &Object) -> Result<(), String> {
        let (now, skew) = (self.now.as_second(), i64::try_from(self.skew.as_secs()).unwrap_or(i64::MAX));
        if seconds(claims, "exp")? <= now.saturating_sub(skew) {
            return Err("exp is over".to_owned());
        }
        if claims.contains_key("nbf") && seconds(claims, "nbf")? > now.saturating_add(skew) {
            return Err("nbf is still to come".to_owned());
        }
        let issued = seconds(claims, "iat")?;
        if issued > now.saturating_add(skew) {
            return Err("iat is still to come".to_owned());
        }
        let oldest = i64::try_from(self.oldest.as_secs()).unwrap_or(i64::MAX);
        if issued < now.saturating_sub(skew).saturating_sub(oldest) {
            return Err("iat is long ago".to_owned());
        }
        Ok(())
    }

    fn check_nonce(&self, claims: &Object) -> Result<(), String> {
        let same = match (self.nonce, claims.get("nonce")) {
            (Nonce::NoneOr(_) | Nonce::Never, None) | (Nonce::Any, _) => true,
            (Nonce::Is(nonce) | Nonce::NoneOr(nonce), Some(Value::String(found))) => found == nonce,
            _ => false,
        };
        if same { Ok(()) } else { Err("nonce is that of another login, or has no place here".to_owned()) }
    }
}

/// OIDC Core §3.1.3.6: the left half of the hash of the access token that came along.
pub(crate) fn check_at_hash(claims: &Object, algorithm: Algorithm, access_token: &str) -> Result<(), String> {
    let Some(found) = claims.get("at_hash") else { return Ok(()) };
    let hash = digest(algorithm.digest(), access_token.as_bytes());
    let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    let same = found.as_str() == Some(URL_SAFE_NO_PAD.encode(half).as_str());
    if same { Ok(()) } else { Err("at_hash is of another access token".to_owned()) }
}

/// OIDC Core §2: whom a token is about.
pub(crate) fn check_subject(claims: &Object) -> Result<&str, String> {
    let sub = text(claims, "sub")?;
    if sub.is_empty() || sub.len() > SUBJECT_MAX || !sub.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err("sub is empty, longer than 255 or not ASCII".to_owned());
    }
    Ok(sub)
}

/// A claim that is text.
pub(crate) fn text<'a>(claims: &'a Object, name: &str) -> Result<&'a str, String> {
    claims.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing or not text"))
}

/// A NumericDate (RFC 7519 §2): a number, and nothing that looks like one (CVE-2026-25537).
pub(crate) fn seconds(claims: &Object, name: &str) -> Result<i64, String> {
    let value = claims.get(name).and_then(Value::as_number);
    let whole = value.and_then(|number| number.as_i64().or_else(|| number.as_f64().and_then(floor)));
    whole.ok_or_else(|| format!("{name} is missing or not a time"))
}

fn floor(seconds: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds of exact numbers")]
    let whole = (seconds.abs() < 9e15).then(|| seconds.floor() as i64);
    whole
}
