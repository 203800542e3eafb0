//! Opaque tokens: `gwt-<12 base32>:<base64url(32 random bytes ‖ key id ‖ 16 byte MAC)>`; `gwr-…` refreshes others.
//!
//! The secret ends in a code over the name and the random bytes, so that a guess is refused by arithmetic: whoever
//! floods us with garbage never reaches the store. At rest there is only a SHA-256.

mod name;
pub(crate) mod rows;

pub use name::{InvalidTokenName, TokenName};
pub use rows::TokenInfo;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::keys::{KeyFault, KeyFile, MAC_LENGTH, Macs};

const RANDOM: usize = 32;
const SECRET: usize = RANDOM + 1 + MAC_LENGTH;
/// `gwt-` and 12, a colon, and 49 bytes as base64url.
const LENGTH: usize = 16 + 1 + 66;

/// Makes tokens and recognizes its own.
#[derive(Debug)]
pub(crate) struct Tokens {
    prefix: &'static str,
    macs: Macs,
}

impl Tokens {
    /// Makes and recognizes API tokens.
    #[must_use]
    pub(crate) fn api(keys: &KeyFile) -> Self {
        Self { prefix: name::API, macs: keys.tokens().clone() }
    }

    /// Makes and recognizes refresh tokens. Their codes are of another key, so that neither passes for the other.
    #[must_use]
    pub(crate) fn refresh(keys: &KeyFile) -> Self {
        Self { prefix: name::REFRESH, macs: keys.refreshes().clone() }
    }

    /// Makes a new token. It is shown to its owner once and can never be read back.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn mint(&self) -> Result<Minted, KeyFault> {
        let mut seed = [0; 8];
        let mut random = Zeroizing::new([0; RANDOM]);
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| KeyFault::Crypto)?;
        aws_lc_rs::rand::fill(&mut *random).map_err(|_| KeyFault::Crypto)?;
        let name = TokenName::from_random(self.prefix, seed);
        let mac = self.macs.make(&[name.as_str().as_bytes(), &*random]).ok_or(KeyFault::Crypto)?;
        let secret = Zeroizing::new([&*random, &[mac.key][..], &mac.code[..]].concat());
        let plain = format!("{name}:{}", *Zeroizing::new(URL_SAFE_NO_PAD.encode(&*secret)));
        let hash = TokenHash::of(&plain);
        Ok(Minted { name, plain: PlainToken(plain.into()), hash })
    }

    /// Recognizes a token that this gateway made, without asking anybody.
    ///
    /// Whether it still holds is for the store to say. `None`: it was never ours.
    #[must_use]
    pub(crate) fn parse(&self, presented: &str) -> Option<Presented> {
        if presented.len() != LENGTH || !presented.starts_with(self.prefix) {
            return None;
        }
        let (name, secret) = presented.split_once(':')?;
        let name: TokenName = name.parse().ok()?;
        let mut bytes = Zeroizing::new([0; SECRET]);
        // One text per secret: base64url with stray bits at its end is refused.
        if URL_SAFE_NO_PAD.decode_slice(secret, &mut *bytes).ok()? != SECRET {
            return None;
        }
        let (random, rest) = bytes.split_at_checked(RANDOM)?;
        let (key, mac) = rest.split_first()?;
        let ours = self.macs.verify(*key, &[name.as_str().as_bytes(), random], mac);
        ours.then(|| Presented { name, hash: TokenHash::of(presented) })
    }
}

/// A token just made.
#[derive(Debug)]
pub(crate) struct Minted {
    /// Its public half.
    pub(crate) name: TokenName,
    /// What its owner gets.
    pub(crate) plain: PlainToken,
    pub(crate) hash: TokenHash,
}

/// A token in plain text. Printed nowhere.
#[derive(Debug)] // SecretString prints nothing of itself
pub struct PlainToken(SecretString);

impl PlainToken {
    /// Hands the text to the one answer that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A token with a right code: ours, but perhaps long over.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) name: TokenName,
    pub(crate) hash: TokenHash,
}

/// What is kept of a token. The secret has 256 random bits, so a fast hash is enough.
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    fn of(plain: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(digest(&SHA256, plain.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        verify_slices_are_equal(&self.0, stored).is_ok()
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// What a token may be used for; a narrowing of what its user may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenScope {
    /// The clusters and upstreams that it may enter; all that its user may when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstreams: Option<Vec<String>>,
    /// Whether it may only look.
    #[serde(default)]
    pub read_only: bool,
    /// Whether the gateway's own API is not among what it reaches.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clusters_only: bool,
}

impl TokenScope {
    /// One cluster, and nothing else.
    pub(crate) fn only_cluster(id: &str) -> Self {
        Self { upstreams: Some(vec![id.to_owned()]), read_only: false, clusters_only: true }
    }
}

#[cfg(test)]
mod tests;
