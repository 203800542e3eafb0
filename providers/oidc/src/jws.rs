//! A signed token in its compact form (RFC 7515 §7.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::json::{self, Object};

/// Longer than that of a person in a thousand groups, and far from what would hurt.
const MAX: usize = 128 * 1024;

/// What a token is for. One of another use says so in its header (RFC 8725 §3.11).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It says who somebody is.
    Identity,
    /// It says that somebody's login is over (Back-Channel Logout 1.0 §2.4).
    Logout,
}

/// A token whose signature has not been looked at.
pub(crate) struct Jws<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Jws<'a> {
    /// Takes a token apart. Whatever its header says of keys (`jku`, `jwk`, `x5u`) is not looked at: keys come from the
    /// issuer's document alone.
    pub(crate) fn parse(text: &'a str, allowed: &[Algorithm], purpose: Use) -> Result<Self, String> {
        if text.len() > MAX {
            return Err(format!("longer than {MAX} bytes"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or("not a signed token")?;
        let (header, payload) = signed.split_once('.').ok_or("not a signed token")?;
        let header = json::object(&decode(header)?).map_err(|why| format!("header: {why}"))?;
        let algorithm = algorithm(&header, allowed)?;
        // RFC 7515 §4.1.11: what is critical and not understood makes a token invalid, and we understand none.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err("the header asks for extensions".to_owned());
        }
        match header.get("typ") {
            None => {}
            Some(Value::String(typ)) if typ.eq_ignore_ascii_case("JWT") => {}
            Some(Value::String(typ)) if purpose == Use::Logout && typ.eq_ignore_ascii_case("logout+jwt") => {}
            Some(_) => return Err("the header's typ is that of another use".to_owned()),
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err("the header's kid is not text".to_owned()),
        };
        Ok(Self { algorithm, kid, signed, signature: decode(signature)?, payload })
    }

    /// The claims. Asked for after the signature was found good.
    pub(crate) fn claims(&self) -> Result<Object, String> {
        json::object(&decode(self.payload)?).map_err(|why| format!("claims: {why}"))
    }
}

fn algorithm(header: &Object, allowed: &[Algorithm]) -> Result<Algorithm, String> {
    let named = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
    named
        .filter(|algorithm| allowed.contains(algorithm))
        .ok_or_else(|| "signed in a way that is not allowed".to_owned())
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "not base64url".to_owned())
}
