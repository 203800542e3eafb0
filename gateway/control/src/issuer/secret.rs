//! Secrets that the issuer hands out once and recognizes by their hash: codes, device codes, a browser's cookie.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::keys::KeyFault;

/// 256 random bits as base64url. Nobody guesses it, so a fast hash of it is enough at rest.
#[derive(Debug, Clone)] // SecretString prints nothing of itself
pub(crate) struct Random(SecretString);

const LENGTH: usize = 43;

impl Random {
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn new() -> Result<Self, KeyFault> {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| KeyFault::Crypto)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(*bytes).into()))
    }

    /// One that somebody presents, if it has the form.
    pub(crate) fn presented(text: &str) -> Option<Self> {
        let legal = text.len() == LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        legal.then(|| Self(text.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> Vec<u8> {
        sha256(self.expose())
    }

    pub(crate) fn is(&self, stored: &[u8]) -> bool {
        verify_slices_are_equal(&self.hash(), stored).is_ok()
    }
}

/// Whether a verifier is the one whose challenge was sent before (RFC 7636 §4.6, S256).
pub(crate) fn is_verifier_of(verifier: &str, challenge: &str) -> bool {
    let legal = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    legal && verify_slices_are_equal(URL_SAFE_NO_PAD.encode(sha256(verifier)).as_bytes(), challenge.as_bytes()).is_ok()
}

/// Whether it is what S256 makes: the base64url of 32 bytes.
pub(crate) fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

pub(crate) fn sha256(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636() {
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(challenge) && is_verifier_of(verifier, challenge));
        assert!(!is_verifier_of(challenge, challenge), "the method `plain`");
        assert!(!is_verifier_of(&verifier[..42], challenge) && !is_verifier_of("", ""));
        assert!(!is_challenge(&challenge[..42]) && !is_challenge("plain"));
    }

    #[test]
    fn a_secret_is_known_by_its_hash_and_printed_nowhere() {
        let secret = Random::new().expect("random");
        assert!(Random::presented(secret.expose()).expect("its form").is(&secret.hash()));
        assert!(!Random::new().expect("random").is(&secret.hash()));
        assert!(Random::presented("x").is_none() && Random::presented(&"!".repeat(43)).is_none());
        assert!(!format!("{secret:?}").contains(secret.expose()));
    }
}
