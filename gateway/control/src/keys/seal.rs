//! Secrets at rest: sealed, so that a copy of the store alone is worth nothing.

use std::fmt::{self, Debug};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{Key, KeyFault, Purpose, derived};

/// Seals and opens for one purpose: AES-256-GCM with a random nonce (NIST SP 800-38D §8.2.2: safe for 2³² messages of
/// one key, and a gateway seals some thousand a day).
#[derive(Clone)]
pub(crate) struct Seals {
    keys: Arc<[Seal]>,
}

struct Seal {
    id: u8,
    key: RandomizedNonceKey,
}

impl Seals {
    pub(super) fn derive(keys: &[Key], purpose: Purpose) -> Result<Self, KeyFault> {
        let key = |key: &Key| {
            let bytes = derived(key, purpose)?;
            let made = RandomizedNonceKey::new(&AES_256_GCM, &*bytes).map_err(|_| KeyFault::Crypto)?;
            Ok(Seal { id: key.id, key: made })
        };
        Ok(Self { keys: keys.iter().map(key).collect::<Result<_, KeyFault>>()? })
    }

    /// Seals with the first key: its id, the nonce, the sealed bytes and their tag. It opens only for the same `about`,
    /// so that what was sealed for one row is worth nothing in another.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn seal(&self, about: &str, plain: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let Seal { id, key } = self.keys.first().ok_or(KeyFault::Crypto)?;
        let mut sealed = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(about.as_bytes()), &mut sealed);
        let nonce = nonce.map_err(|_| KeyFault::Crypto)?;
        Ok([&[*id][..], nonce.as_ref(), &sealed].concat())
    }

    /// Opens what [`Self::seal`] made. `None`: not of these keys, not about this, or altered.
    pub(crate) fn open(&self, about: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (id, rest) = sealed.split_first()?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN)?;
        let Seal { key, .. } = self.keys.iter().find(|seal| seal.id == *id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let length = key.open_in_place(nonce, Aad::from(about.as_bytes()), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seals").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}
