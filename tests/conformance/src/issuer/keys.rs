//! The keys of an issuer, and those of a stranger. Made once for a process: an RSA key takes its time.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The bytes of a modulus of 2048 bits, and what follows it in PKCS #1: the exponent 65537.
const MODULUS: usize = 256;
const EXPONENT: usize = 5;

/// Keys for both algorithms that issuers sign with.
pub(super) struct Pair {
    rsa: Option<RsaKeyPair>,
    ec: Option<EcdsaKeyPair>,
}

fn made() -> Pair {
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
    Pair { rsa: RsaKeyPair::generate(KeySize::Rsa2048).ok(), ec: ec.ok() }
}

static FIRST: LazyLock<Pair> = LazyLock::new(made);
static SECOND: LazyLock<Pair> = LazyLock::new(made);
static STRANGER: LazyLock<Pair> = LazyLock::new(made);

/// Those that an issuer has at first, those that it has later, and those that it never had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    First,
    Second,
    Stranger,
}

impl Whose {
    pub(super) fn pair(self) -> &'static Pair {
        match self {
            Self::First => &FIRST,
            Self::Second => &SECOND,
            Self::Stranger => &STRANGER,
        }
    }

    /// The `kid` of the RSA key, and that of the other.
    pub(super) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::First => ("rsa-1", "ec-1"),
            Self::Second => ("rsa-2", "ec-2"),
            Self::Stranger => ("rsa-3", "ec-3"),
        }
    }

    /// A key set (RFC 7517).
    pub(super) fn published(self) -> Value {
        let (rsa, ec) = self.names();
        json!({ "keys": [self.pair().rsa_jwk(rsa), self.pair().ec_jwk(ec)] })
    }
}

impl Pair {
    pub(super) fn rs256(&self, message: &str) -> Vec<u8> {
        let mut signature = vec![0; MODULUS];
        let key = self.rsa.as_ref();
        let signed =
            key.map(|key| key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature));
        if matches!(signed, Some(Ok(()))) { signature } else { Vec::new() }
    }

    pub(super) fn es256(&self, message: &str) -> Vec<u8> {
        let signature = self.ec.as_ref().and_then(|key| key.sign(&SystemRandom::new(), message.as_bytes()).ok());
        signature.map(|signature| signature.as_ref().to_vec()).unwrap_or_default()
    }

    /// The public half in PKCS #1, which the oldest forgery takes for a secret (CVE-2016-5431).
    pub(super) fn public(&self) -> &[u8] {
        self.rsa.as_ref().map(|key| key.public_key().as_ref()).unwrap_or_default()
    }

    pub(super) fn rsa_jwk(&self, kid: &str) -> Value {
        let end = self.public().len().saturating_sub(EXPONENT);
        let modulus = self.public().get(end.saturating_sub(MODULUS)..end).unwrap_or_default();
        json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": encode(modulus), "e": "AQAB" })
    }

    fn ec_jwk(&self, kid: &str) -> Value {
        let point = self.ec.as_ref().map(|key| key.public_key().as_ref()).unwrap_or_default();
        let part = |from: usize| encode(point.get(from..from + 32).unwrap_or_default());
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": part(1), "y": part(33) })
    }
}

pub(super) fn hs256(secret: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes()).as_ref().to_vec()
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
