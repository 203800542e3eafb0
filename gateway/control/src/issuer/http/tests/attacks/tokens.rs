//! Forged tokens.

use aws_lc_rs::hmac;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::*;

/// A forged token, and how it is made.
pub(super) struct Case {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    pub(super) forge: fn(&Workshop<'_>) -> String,
}

/// What a forger has: a good token, all that is public, and for some cases even our key.
pub(super) struct Workshop<'a> {
    pub(super) site: &'a Site,
    pub(super) good: &'a str,
    pub(super) is_id: bool,
}

const fn case(id: &'static str, what: &'static str, forge: fn(&Workshop<'_>) -> String) -> Case {
    Case { id, what, forge }
}

pub(super) const CASES: &[Case] = &[
    case("C10", "a line break behind it", |shop| format!("{}\n", shop.good)),
    case("C10", "a NUL within", |shop| shop.good.replacen('.', "\0.", 1)),
    case("C10", "a letter that is not ASCII", |shop| shop.good.replacen('.', "é.", 1)),
    case("C11", "alg: none, unsigned", |shop| shop.with_header(r#"{"alg":"none","typ":"at+jwt"}"#, Some(""))),
    case("C11", "alg: None", |shop| shop.with_header(r#"{"alg":"None","typ":"at+jwt"}"#, Some(""))),
    case("C11", "alg: nOnE, with the signature", |shop| shop.with_header(r#"{"alg":"nOnE","typ":"at+jwt"}"#, None)),
    case("C11", "no signature", |shop| shop.parts(None, None, Some(""))),
    case("C12", "HS256 by the public key", |shop| shop.by_hmac(&shop.public_key())),
    case("C12", "HS256 by the public key as it is written", |shop| {
        shop.by_hmac(shop.jwk()["x"].as_str().expect("x").as_bytes())
    }),
    case("C12", "HS256 by the secret of a client", |shop| shop.by_hmac(SECRET.as_bytes())),
    case("CVE-2022-21449", "r and s are zero", |shop| shop.parts(None, None, Some(&URL_SAFE_NO_PAD.encode([0; 64])))),
    case("C13", "an unknown key", |shop| shop.header_with("kid", json!("nobody"))),
    case("C14", "a path for a key", |shop| shop.header_with("kid", json!("../../../../dev/null"))),
    case("C15", "a key set at an address of the forger's", |shop| {
        shop.header_with("jku", json!("https://evil.test/jwks"))
    }),
    case("C15", "a certificate at an address of the forger's", |shop| {
        shop.header_with("x5u", json!("https://evil.test/x"))
    }),
    case("CVE-2018-0114", "the forger's key in the header", |shop| shop.header_with("jwk", shop.jwk())),
    case("C16", "an extension that must be understood", |shop| shop.header_with("crit", json!(["exp"]))),
    case("C17", "five parts", |shop| format!("{}.AAAA.AAAA", shop.good)),
    case("C17", "two parts", |shop| shop.good.rsplit_once('.').expect("parts").0.to_owned()),
    case("-", "another kind of token in its header", |shop| {
        let typ = if shop.is_id { "at+jwt" } else { "JWT" };
        shop.header_with("typ", json!(typ))
    }),
    case("-", "spaces in the header", |shop| shop.with_header(&shop.header().replace(',', ", "), None)),
    case("-", "another person in the claims", |shop| shop.unsigned("sub", json!("u-aaaaaaaaaaaaaaaaaaaa"))),
    case("-", "an hour longer in the claims", |shop| shop.unsigned("exp", json!(i64::MAX))),
    // From here on by our own key: what a slip of ours could sign must be refused, too.
    // Short enough for the form in which some doors take it.
    case("C9", "eight thousand bytes of claims", |shop| shop.signed("jti", json!("A".repeat(8_000)))),
    case("C18", "a claim twice", |shop| shop.signed_twice("sub")),
    case("C20", "no end", |shop| shop.signed_without("exp")),
    case("CVE-2026-25537", "an end in quotes", |shop| shop.signed("exp", json!("9999999999"))),
    case("C21", "an end that is null", |shop| shop.signed("exp", json!(null))),
    case("C21", "an end with a fraction", |shop| shop.signed("exp", json!(9_999_999_999.5))),
    case("C21", "an end beyond all numbers", |shop| shop.signed("exp", json!(1e300))),
    case("C22", "the issuer with a slash behind it", |shop| shop.signed("iss", json!("https://console.test/oidc/"))),
    case("C22", "the issuer in upper case", |shop| shop.signed("iss", json!("https://CONSOLE.test/oidc"))),
    case("C26", "another issuer", |shop| shop.signed("iss", json!("https://evil.test/oidc"))),
    case("C23", "a list of audiences", |shop| shop.signed("aud", json!(["https://gw.test", "kubelogin"]))),
    case("C23", "no audience", |shop| shop.signed_without("aud")),
    case("C23", "an audience that is a number", |shop| shop.signed("aud", json!(1))),
];

impl Workshop<'_> {
    fn parts(&self, header: Option<&str>, claims: Option<&str>, signature: Option<&str>) -> String {
        let parts: Vec<&str> = self.good.split('.').collect();
        format!("{}.{}.{}", header.unwrap_or(parts[0]), claims.unwrap_or(parts[1]), signature.unwrap_or(parts[2]))
    }

    /// The header as it is written, since a key's own spelling is the only one that is taken.
    fn header(&self) -> String {
        let part = self.good.split('.').next().expect("a header");
        String::from_utf8(URL_SAFE_NO_PAD.decode(part).expect("b64")).expect("text")
    }

    fn with_header(&self, header: &str, signature: Option<&str>) -> String {
        self.parts(Some(&URL_SAFE_NO_PAD.encode(header)), None, signature)
    }

    /// The header with this alone changed, or added at its end.
    fn header_with(&self, name: &str, value: Value) -> String {
        let header = self.header();
        let read: Value = serde_json::from_str(&header).expect("JSON");
        let changed = match read.get(name) {
            Some(old) => header.replace(&format!(r#""{name}":{old}"#), &format!(r#""{name}":{value}"#)),
            None => format!(r#"{},"{name}":{value}}}"#, header.trim_end_matches('}')),
        };
        assert_ne!(changed, header);
        self.with_header(&changed, None)
    }

    fn jwk(&self) -> Value {
        let control = &self.site.control;
        control.issuer().expect("an issuer").keys().jwks(control.store().now())["keys"][0].clone()
    }

    fn public_key(&self) -> Vec<u8> {
        let part = |name: &str| URL_SAFE_NO_PAD.decode(self.jwk()[name].as_str().expect("a number")).expect("b64");
        [vec![4], part("x"), part("y")].concat()
    }

    fn by_hmac(&self, secret: &[u8]) -> String {
        let text = self.with_header(&self.header().replace("ES256", "HS256"), Some(""));
        let signed = text.trim_end_matches('.');
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn unsigned(&self, name: &str, value: Value) -> String {
        let mut changed = claims(self.good);
        changed[name] = value;
        self.parts(None, Some(&URL_SAFE_NO_PAD.encode(changed.to_string())), None)
    }

    pub(super) fn signed(&self, name: &str, value: Value) -> String {
        let mut changed = claims(self.good);
        changed[name] = value;
        self.sign(&changed)
    }

    fn signed_without(&self, name: &str) -> String {
        let mut changed = claims(self.good);
        changed.as_object_mut().expect("an object").remove(name);
        self.sign(&changed)
    }

    fn signed_twice(&self, name: &'static str) -> String {
        self.sign(&Twice(claims(self.good), name))
    }

    fn sign(&self, claims: &impl Serialize) -> String {
        let control = &self.site.control;
        crate::issuer::forged(control.issuer().expect("an issuer"), control.store().now(), self.is_id, claims)
    }
}

/// Claims with one of them twice, the second time in the victim's favor.
struct Twice(Value, &'static str);

impl Serialize for Twice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let claims = self.0.as_object().expect("an object");
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.1, "u-aaaaaaaaaaaaaaaaaaaa")?;
        for (name, value) in claims {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
