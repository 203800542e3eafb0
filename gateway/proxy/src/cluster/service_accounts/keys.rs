//! The public keys by which a cluster signs its service-account tokens (RFC 7517), as it publishes them itself.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::token::{Algorithm, Token};

/// A cluster has one, and two or three while it changes them.
const MOST: usize = 64;

/// All keys that can verify something.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: String,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point, as SEC 1 §2.3.3 writes one uncompressed, and the one algorithm of its curve.
    Ec {
        algorithm: Algorithm,
        point: Vec<u8>,
    },
}

impl KeySet {
    /// Reads what `/openid/v1/jwks` answered. Keys that verify nothing are left out; without any it is no set of keys.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(json).ok()?;
        let keys: Vec<Key> = document.keys.into_iter().take(MOST).filter_map(Jwk::key).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Whether a key of this name is among them.
    pub(super) fn knows(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid == kid)
    }

    /// Whether the key that the token names has signed it, in the way that is that key's.
    pub(super) fn verify(&self, token: &Token<'_>) -> bool {
        self.0.iter().any(|key| key.kid == token.kid && key.material.verify(token))
    }
}

impl Material {
    /// RSA keys of less than 2048 bits verify nothing.
    fn verify(&self, token: &Token<'_>) -> bool {
        let (signed, signature) = (token.signed.as_bytes(), token.signature.as_slice());
        match self {
            Self::Rsa { n, e } if token.algorithm == Algorithm::Rs256 => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            Self::Ec { algorithm, point } if *algorithm == token.algorithm => curve(*algorithm)
                .is_some_and(|curve| UnparsedPublicKey::new(curve, point).verify(signed, signature).is_ok()),
            Self::Rsa { .. } | Self::Ec { .. } => false,
        }
    }
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::Rs256 => None,
        Algorithm::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&ECDSA_P384_SHA384_FIXED),
        Algorithm::Es512 => Some(&ECDSA_P521_SHA512_FIXED),
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Jwk {
    kid: String,
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: String,
    n: String,
    e: String,
    x: String,
    y: String,
}

impl Jwk {
    fn key(self) -> Option<Key> {
        if self.kid.is_empty() || self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| !bytes.is_empty());
        let point = |algorithm, size: usize| {
            let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
            let point = (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())?;
            Some(Material::Ec { algorithm, point })
        };
        let material = match (self.kty.as_str(), self.crv.as_str()) {
            ("RSA", _) => Material::Rsa { n: bytes(&self.n)?, e: bytes(&self.e)? },
            ("EC", "P-256") => point(Algorithm::Es256, 32)?,
            ("EC", "P-384") => point(Algorithm::Es384, 48)?,
            ("EC", "P-521") => point(Algorithm::Es512, 66)?,
            _ => return None,
        };
        Some(Key { kid: self.kid, material })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    };
    use serde_json::{Value, json};

    use super::*;

    fn text(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn signed_by(alg: &str, kid: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let signed = format!("{}.{}", text(json!({"alg": alg, "kid": kid}).to_string()), text("{}"));
        format!("{signed}.{}", text(sign(signed.as_bytes())))
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn verifies(keys: &KeySet, token: &str) -> bool {
        keys.verify(&Token::parse(token).unwrap())
    }

    /// A key, its public half, and what it signs.
    type Curve = (&'static str, &'static str, &'static EcdsaSigningAlgorithm);

    #[test]
    fn each_curve_verifies_what_it_signed_and_nothing_else() {
        let curves: [Curve; 3] = [
            ("ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            ("ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            ("ES512", "P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
        ];
        for (alg, crv, algorithm) in curves {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            let keys = set(&[json!({"kid": "one", "kty": "EC", "crv": crv, "x": text(x), "y": text(y)})]);
            let sign = |bytes: &[u8]| pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec();
            let token = signed_by(alg, "one", sign);
            assert!(verifies(&keys, &token), "{alg}");
            assert!(!verifies(&keys, &signed_by(alg, "two", sign)), "{alg}: a key that is not there");
            assert!(!verifies(&keys, &signed_by("RS256", "one", sign)), "{alg}: read as another algorithm");
            assert!(!verifies(&keys, &token.replace("e30", "e31")), "{alg}: other claims");
            assert!(!verifies(&keys, &signed_by(alg, "one", |_| Vec::new())), "{alg}: no signature");
        }
    }

    #[test]
    fn an_rsa_key_verifies_as_clusters_sign_by_default() {
        for size in [KeySize::Rsa2048, KeySize::Rsa3072] {
            let pair = RsaKeyPair::generate(size).unwrap();
            // PKCS #1: a sequence of the modulus and the exponent 65537.
            let der = pair.public_key().as_ref();
            let (n, e) = (text(&der[der.len() - 5 - pair.public_modulus_len()..der.len() - 5]), "AQAB");
            let keys = set(&[json!({"use": "sig", "kid": "one", "kty": "RSA", "alg": "RS256", "n": n, "e": e})]);
            let token = signed_by("RS256", "one", |bytes| {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).unwrap();
                signature
            });
            assert!(verifies(&keys, &token));
            let other = set(&[json!({"kid": "one", "kty": "RSA", "n": text([0xc3; 256]), "e": e})]);
            assert!(!verifies(&other, &token), "another key of that name");
        }
    }

    #[test]
    fn what_is_no_key_for_signatures_is_left_out() {
        for (document, left) in [
            (json!({"keys": []}), false),
            (json!({"keys": [{"kid": "one", "kty": "oct", "k": "c2VjcmV0"}]}), false),
            (json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}), false),
            (json!({"keys": [{"kid": "one", "use": "enc", "kty": "RSA", "n": "AQAB", "e": "AQAB"}]}), false),
            (json!({"keys": [{"kid": "one", "kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"}]}), false),
            (json!({"kind": "Status"}), false),
            (json!({"keys": [{"kid": "one", "kty": "RSA", "n": "AQAB", "e": "AQAB"}]}), true),
        ] {
            assert_eq!(KeySet::read(document.to_string().as_bytes()).is_some(), left, "{document}");
        }
        assert!(KeySet::read(b"<html>").is_none());
    }
}
