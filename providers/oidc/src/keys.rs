//! The public keys of an issuer (RFC 7517).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::json::Object;
use crate::jws::Jws;

const MAX: usize = 100;

/// The keys that can verify something. Secrets, keys for encryption and unknown kinds are left out.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl KeySet {
    pub(crate) fn read(document: &Object) -> Result<Self, String> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or("the keys are not a list")?;
        let keys: Vec<Key> = keys.iter().take(MAX).filter_map(Key::read).collect();
        if keys.is_empty() { Err("there is no key that can verify a signature".to_owned()) } else { Ok(Self(keys)) }
    }

    /// Whether any key could have made this signature, by what it says of itself.
    pub(crate) fn knows(&self, jws: &Jws<'_>) -> bool {
        self.fitting(jws).next().is_some()
    }

    /// Whether one of the keys made this signature. Without a `kid`, and where two keys share one, each that fits is
    /// tried.
    pub(crate) fn verify(&self, jws: &Jws<'_>) -> bool {
        self.fitting(jws).any(|key| key.material.verify(jws))
    }

    fn fitting<'a>(&'a self, jws: &'a Jws<'_>) -> impl Iterator<Item = &'a Key> {
        let named = move |key: &&Key| jws.kid.is_none() || key.kid == jws.kid;
        let meant = move |key: &&Key| key.algorithm.as_deref().is_none_or(|name| name == jws.algorithm.name());
        self.0.iter().filter(named).filter(meant).filter(|key| key.material.fits(jws.algorithm))
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let text = |name| value.get(name).and_then(Value::as_str);
        let bytes = |name| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let point = |size: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            // SEC 1 §2.3.3: an uncompressed point.
            (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::Rsa { n: bytes("n")?, e: bytes("e")? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x")?),
            _ => return None,
        };
        Some(Self { kid: text("kid").map(str::to_owned), algorithm: text("alg").map(str::to_owned), material })
    }
}

impl Material {
    const fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => !matches!(algorithm, Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA),
            Self::P256(_) => matches!(algorithm, Algorithm::ES256),
            Self::P384(_) => matches!(algorithm, Algorithm::ES384),
            Self::Ed25519(_) => matches!(algorithm, Algorithm::EdDSA),
        }
    }

    /// RSA keys of less than 2048 bits verify nothing.
    fn verify(&self, jws: &Jws<'_>) -> bool {
        let with = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(jws.signed.as_bytes(), &jws.signature).is_ok()
        };
        match self {
            Self::Rsa { n, e } => rsa(jws.algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, jws.signed.as_bytes(), &jws.signature).is_ok()
            }),
            Self::P256(point) => with(&ECDSA_P256_SHA256_FIXED, point),
            Self::P384(point) => with(&ECDSA_P384_SHA384_FIXED, point),
            Self::Ed25519(point) => with(&ED25519, point),
        }
    }
}

const fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => return None,
    })
}
