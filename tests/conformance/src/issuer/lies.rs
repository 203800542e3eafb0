//! What an issuer does of what none may: forged tokens, answers that are wrong, and answers that are none.

use serde_json::{Value, json};

use super::keys::{self, Whose, encode};

/// What happens to a token about to be made.
pub type Forging = fn(&mut Forge);
/// What becomes of the body of an answer.
pub type Retell = fn(Value) -> String;
/// What becomes of a token that is made.
pub type Remake = fn(String) -> String;

/// One thing that it does wrong from now on.
#[derive(Debug, Clone, Copy)]
pub enum Lie {
    /// ID tokens are made otherwise.
    Token(Forging),
    /// An endpoint answers this, in place of what it would.
    Body(Endpoint, Retell),
    /// An endpoint does this, in place of answering.
    Answer(Endpoint, Answer),
}

/// What is asked at an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// What it says of itself.
    Document,
    /// Its public keys.
    Keys,
    /// The page that people log in at.
    Authorize,
    /// Where codes and refresh tokens become tokens.
    Token,
    /// What it says of a person.
    Userinfo,
    /// Where a redirect leads: nobody is asked there by mistake.
    Elsewhere,
}

/// What comes in place of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// A status, its kind of content, and a text.
    Says(u16, &'static str, &'static str),
    /// 200 and more than two million bytes.
    Huge,
    /// 307 to [`Endpoint::Elsewhere`], where whoever follows is given what they asked for.
    Redirect,
    /// The connection ends in the middle.
    Cut,
    /// Nothing, for as long as anybody waits.
    Silence,
    /// One byte after the other, for as long as anybody reads.
    Endless,
}

/// An ID token about to be made, as it would be right.
#[derive(Debug)]
pub struct Forge {
    /// The first part.
    pub header: Value,
    /// The second part.
    pub claims: Value,
    /// In place of the claims, letter for letter.
    pub payload: Option<String>,
    /// How it is signed.
    pub sign: Sign,
    /// In place of the whole, made of the true one.
    pub whole: Option<Remake>,
}

/// How a token is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// By the issuer's RSA key: `RS256`.
    Rsa,
    /// By the issuer's other key: `ES256`.
    Ec,
    /// By a key that the issuer never had: `RS256`.
    Stranger,
    /// By the client's secret, as one that both know: `HS256`.
    Secret,
    /// By the issuer's public key in place of a secret: `HS256`.
    Public,
    /// With these bytes.
    Bytes(Vec<u8>),
}

impl Forge {
    pub(super) fn new(whose: Whose, claims: Value) -> Self {
        let header = json!({ "alg": "RS256", "kid": whose.names().0, "typ": "JWT" });
        Self { header, claims, payload: None, sign: Sign::Rsa, whole: None }
    }

    /// Gives a claim another value.
    pub fn set(&mut self, claim: &str, value: Value) {
        put(&mut self.claims, claim, value);
    }

    /// Leaves a claim out.
    pub fn without(&mut self, claim: &str) {
        take(&mut self.claims, claim);
    }

    /// Gives a claim that holds a number another, that much later.
    pub fn shift(&mut self, claim: &str, by: i64) {
        let now = self.claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
        put(&mut self.claims, claim, json!(now.saturating_add(by)));
    }

    /// Gives a field of the header another value.
    pub fn head(&mut self, field: &str, value: Value) {
        put(&mut self.header, field, value);
    }

    /// Leaves a field of the header out.
    pub fn headless(&mut self, field: &str) {
        take(&mut self.header, field);
    }

    /// Puts text behind the last claim: what JSON can say and a table cannot.
    pub fn append(&mut self, text: &str) {
        let claims = self.claims.to_string();
        let open = claims.strip_suffix('}').unwrap_or(&claims);
        self.payload = Some(format!("{open},{text}}}"));
    }

    /// Signs with the other key, and says so.
    pub fn by_the_other_key(&mut self) {
        let kid = self.header.get("kid").and_then(Value::as_str).unwrap_or_default().replace("rsa", "ec");
        self.head("alg", json!("ES256"));
        self.head("kid", json!(kid));
        self.sign = Sign::Ec;
    }

    /// Puts a stranger's key into the header (CVE-2018-0114).
    pub fn bring_a_key(&mut self) {
        let kid = self.header.get("kid").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.head("jwk", Whose::Stranger.pair().rsa_jwk(&kid));
        self.sign = Sign::Stranger;
    }

    pub(super) fn mint(self, whose: Whose, secret: &str) -> String {
        let payload = self.payload.unwrap_or_else(|| self.claims.to_string());
        let signed = format!("{}.{}", encode(self.header.to_string()), encode(payload));
        let signature = match self.sign {
            Sign::Rsa => whose.pair().rs256(&signed),
            Sign::Ec => whose.pair().es256(&signed),
            Sign::Stranger => Whose::Stranger.pair().rs256(&signed),
            Sign::Secret => keys::hs256(secret.as_bytes(), &signed),
            Sign::Public => keys::hs256(whose.pair().public(), &signed),
            Sign::Bytes(bytes) => bytes,
        };
        let token = format!("{signed}.{}", encode(signature));
        self.whole.map_or_else(|| token.clone(), |made| made(token.clone()))
    }
}

fn put(of: &mut Value, name: &str, value: Value) {
    if let Some(object) = of.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn take(of: &mut Value, name: &str) {
    if let Some(object) = of.as_object_mut() {
        object.remove(name);
    }
}
