//! A pair of keys of one algorithm, and how the world sees its public half.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::keys::KeyFault;

/// How a token is signed (RFC 7518 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alg {
    /// ECDSA on P-256, for all that can.
    Es256,
    /// RSA with PKCS #1 v1.5, for ID tokens of clients that know nothing else.
    Rs256,
}

impl Alg {
    pub(crate) const ALL: [Self; 2] = [Self::Es256, Self::Rs256];

    /// The name in headers and configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// Both halves.
pub(crate) enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

/// A new pair, and its private half as it is sealed (PKCS #8).
pub(crate) struct Made {
    pub(crate) pair: Pair,
    pub(crate) pkcs8: Zeroizing<Vec<u8>>,
}

impl Pair {
    /// Makes a new one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn make(alg: Alg) -> Result<Made, KeyFault> {
        let pkcs8 = Zeroizing::new(match alg {
            Alg::Es256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
                made.map_err(|_| KeyFault::Crypto)?.as_ref().to_vec()
            }
            Alg::Rs256 => {
                let made = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyFault::Crypto)?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&made).map_err(|_| KeyFault::Crypto)?.as_ref().to_vec()
            }
        });
        Ok(Made { pair: Self::open(alg, &pkcs8).ok_or(KeyFault::Crypto)?, pkcs8 })
    }

    pub(crate) fn open(alg: Alg, pkcs8: &[u8]) -> Option<Self> {
        match alg {
            Alg::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok().map(Self::Es256),
            Alg::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).ok().map(Self::Rs256),
        }
    }

    pub(crate) const fn alg(&self) -> Alg {
        match self {
            Self::Es256(_) => Alg::Es256,
            Self::Rs256(_) => Alg::Rs256,
        }
    }

    /// The signature as JOSE has it: r and s, 32 bytes each (RFC 7518 §3.4), or one number (§3.3).
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => pair.sign(&random, message).map(|made| made.as_ref().to_vec()),
            Self::Rs256(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut made).map(|()| made)
            }
        }
        .map_err(|_| KeyFault::Crypto)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(pair) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                .verify(message, signature)
                .is_ok(),
            Self::Rs256(pair) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
                .verify(message, signature)
                .is_ok(),
        }
    }

    /// The public half (RFC 7517).
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Es256(pair) => {
                let (x, y) = coordinates(pair);
                json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y })
            }
            Self::Rs256(pair) => {
                let (n, e) = numbers(pair);
                json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": n, "e": e })
            }
        }
    }

    /// The name of a key follows from the key (RFC 7638 §3).
    pub(crate) fn thumbprint(&self) -> String {
        let text = match self {
            Self::Es256(pair) => {
                let (x, y) = coordinates(pair);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Rs256(pair) => {
                let (n, e) = numbers(pair);
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
        };
        URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
    }
}

/// x and y as base64url, out of `04 ‖ x ‖ y` (SEC 1 §2.3.3).
fn coordinates(pair: &EcdsaKeyPair) -> (String, String) {
    let point = pair.public_key().as_ref();
    let part = |range| URL_SAFE_NO_PAD.encode(point.get(range).unwrap_or_default());
    (part(1..33), part(33..65))
}

/// Modulus and exponent as base64url, without leading zeros (RFC 7518 §6.3.1), out of `30 82 ll ll ‖ 02 82 01 01 00 ‖ n ‖
/// 02 03 ‖ e` (RFC 8017 §A.1.1). Each length is known: the pairs are ours, of 2048 bits.
fn numbers(pair: &RsaKeyPair) -> (String, String) {
    let der = pair.public_key().as_ref();
    let part = |range| URL_SAFE_NO_PAD.encode(der.get(range).unwrap_or_default());
    (part(9..265), part(267..270))
}
