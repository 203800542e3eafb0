//! A private key in place of a secret: what proves who asks never leaves this machine (RFC 7523).

use std::fmt;

use auth_core::{AuthError, Fault};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use crate::random::token;

/// An assertion is used at once; what is left of its time is a thief's.
const LASTS: i64 = 60;

/// The key of this client, and how the issuer finds its public half.
pub(crate) struct ClientKey {
    pair: Pair,
    kid: Option<String>,
    thumbprint: Option<String>,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl ClientKey {
    /// Reads a key; `kid` and the certificate are what the issuer may know it by.
    pub(crate) fn read(key: &str, kid: Option<String>, certificate: Option<&str>) -> Result<Self, Vec<Fault>> {
        let pair = Pair::read(key).map_err(|message| vec![Fault::new("clientKey.key", message)])?;
        let thumbprint = match certificate {
            None => None,
            Some(pem) => {
                let of_key = leaf(pem).and_then(|leaf| if pair.is_in(&leaf) { Ok(leaf) } else { Err(STRANGE) });
                let leaf = of_key.map_err(|message| vec![Fault::new("clientKey.certificate", message)])?;
                // RFC 7515 §4.1.8.
                Some(URL_SAFE_NO_PAD.encode(digest(&SHA256, &leaf)))
            }
        };
        Ok(Self { pair, kid, thumbprint })
    }

    /// A statement for this issuer alone, good once and for a minute.
    pub(crate) fn assertion(&self, client: &str, issuer: &str, now: Timestamp) -> Result<String, AuthError> {
        let mut header = json!({"alg": self.pair.algorithm(), "typ": "JWT"});
        for (name, value) in [("kid", &self.kid), ("x5t#S256", &self.thumbprint)] {
            if let (Some(value), Some(header)) = (value, header.as_object_mut()) {
                header.insert(name.to_owned(), value.as_str().into());
            }
        }
        let now = now.as_second();
        // One audience, and the issuer's name: a token endpoint is an address that a false issuer could have copied
        // from the true one, and what we sign for it would be good there (CVE-2025-27370).
        let claims = json!({
            "iss": client, "sub": client, "aud": issuer, "jti": token()?, "iat": now, "exp": now.saturating_add(LASTS),
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.pair.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Looks at a certificate and its key before the first handshake does.
pub(crate) fn check_pair(certificate: &str, key: &str) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    let pair = Pair::read(key).map_err(|message| faults.push(Fault::new("clientCertificate.key", message)));
    let leaf = leaf(certificate).map_err(|message| faults.push(Fault::new("clientCertificate.certificate", message)));
    if let (Ok(pair), Ok(leaf)) = (pair, leaf)
        && !pair.is_in(&leaf)
    {
        faults.push(Fault::new("clientCertificate.certificate", STRANGE));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

const STRANGE: &str = "is not the certificate of this key; write the pair that belongs together";

fn leaf(pem: &str) -> Result<CertificateDer<'static>, &'static str> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "holds no certificate; write the PEM file that begins with BEGIN CERTIFICATE")
}

impl Pair {
    fn read(pem: &str) -> Result<Self, &'static str> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "holds no private key; write a PEM file without a password, of an EC P-256 or an RSA key")?;
        let der = key.secret_der();
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            return Ok(Self::Es256(pair));
        }
        // RFC 7518 §3.3: shorter keys are not read.
        let rsa = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
        rsa.map(Self::Rs256)
            .map_err(|_| "is neither an EC P-256 nor an RSA key of 2048 bits or more; make one of these")
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::Rs256(_) => "RS256",
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthError> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => pair.sign(&random, message).map(|made| made.as_ref().to_vec()),
            Self::Rs256(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut made).map(|()| made)
            }
        }
        .map_err(|_| AuthError::unavailable("the system gives no randomness"))
    }

    /// A certificate holds the public half as it is.
    fn is_in(&self, certificate: &CertificateDer<'_>) -> bool {
        let public = match self {
            Self::Es256(pair) => pair.public_key().as_ref(),
            Self::Rs256(pair) => pair.public_key().as_ref(),
        };
        certificate.windows(public.len()).any(|window| window == public)
    }
}
