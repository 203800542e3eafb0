//! The key file: the root of every secret that the gateway makes itself.
//!
//! It holds several keys. The first makes new things, all of them recognize old ones, so that adding a key in front
//! kills no token. No key is used directly: each purpose has its own, derived by HKDF-SHA256 (RFC 5869), so that a
//! weakness in one use says nothing about another.

mod file;
mod seal;

pub use file::KeyFault;
pub(crate) use seal::Seals;

use std::fmt::{self, Debug};
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

/// The length of a message authentication code. 128 bits: nobody can try them out against a server.
pub(crate) const MAC_LENGTH: usize = 16;

/// The keys of a gateway, derived for each purpose; what the file holds is forgotten once it was read.
///
/// ```no_run
/// let keys = gatewarden_control::KeyFile::open_or_create("/var/lib/gatewarden/key".as_ref())?;
/// # Ok::<(), gatewarden_control::KeyFault>(())
/// ```
#[derive(Debug)] // Macs and Seals print nothing of their keys
pub struct KeyFile {
    tokens: Macs,
    refreshes: Macs,
    forms: Macs,
    signing: Seals,
    secrets: Seals,
}

/// A key as it lies in the file. The first makes, all recognize.
struct Key {
    id: u8,
    bytes: Zeroizing<[u8; 32]>,
}

impl KeyFile {
    /// Reads the file, and makes one with a single key where there is none.
    ///
    /// # Errors
    /// When others may read the file, when it is not a key file, and when it cannot be read or made.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyFault> {
        let keys = file::open_or_create(path)?;
        Ok(Self {
            tokens: Macs::derive(&keys, Purpose::TokenMac)?,
            refreshes: Macs::derive(&keys, Purpose::RefreshMac)?,
            forms: Macs::derive(&keys, Purpose::FormMac)?,
            signing: Seals::derive(&keys, Purpose::SigningSeal)?,
            secrets: Seals::derive(&keys, Purpose::SecretSeal)?,
        })
    }

    /// The codes of API tokens.
    #[must_use]
    pub(crate) const fn tokens(&self) -> &Macs {
        &self.tokens
    }

    /// The codes of refresh tokens.
    #[must_use]
    pub(crate) const fn refreshes(&self) -> &Macs {
        &self.refreshes
    }

    /// The codes in forms.
    #[must_use]
    pub(crate) const fn forms(&self) -> &Macs {
        &self.forms
    }

    /// What the secrets of providers are sealed by.
    #[must_use]
    pub(crate) const fn secrets(&self) -> &Seals {
        &self.secrets
    }

    /// What signing keys are sealed by.
    #[must_use]
    pub(crate) const fn signing(&self) -> &Seals {
        &self.signing
    }
}

/// What a derived key is for. A text is never used for two things, and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The end of an API token.
    TokenMac,
    /// The end of a refresh token.
    RefreshMac,
    /// What ties a form to the browser that it was shown to.
    FormMac,
    /// The private keys by which the issuer signs.
    SigningSeal,
    /// What providers leave with us for their next visit.
    SecretSeal,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::TokenMac => b"gatewarden/v1/token-mac",
            Self::RefreshMac => b"gatewarden/v1/refresh-mac",
            Self::FormMac => b"gatewarden/v1/form-mac",
            Self::SigningSeal => b"gatewarden/v1/signing-seal",
            Self::SecretSeal => b"gatewarden/v1/secret-seal",
        }
    }
}

/// Makes and checks codes for one purpose.
#[derive(Clone)]
pub(crate) struct Macs {
    keys: Vec<(u8, hmac::Key)>,
}

impl Macs {
    fn derive(keys: &[Key], purpose: Purpose) -> Result<Self, KeyFault> {
        let keys = keys.iter().map(|key| Ok((key.id, mac_key(key, purpose)?)));
        Ok(Self { keys: keys.collect::<Result<_, KeyFault>>()? })
    }

    /// The code for a message, by the first key.
    #[must_use]
    pub(crate) fn make(&self, message: &[&[u8]]) -> Option<Mac> {
        let (id, key) = self.keys.first()?;
        Some(Mac { key: *id, code: code(key, message) })
    }

    /// Whether `found` is the code for the message by the key `id`. Takes as long for a wrong code as for a right one.
    #[must_use]
    pub(crate) fn verify(&self, id: u8, message: &[&[u8]], found: &[u8]) -> bool {
        let Some((_, key)) = self.keys.iter().find(|(known, _)| *known == id) else { return false };
        verify_slices_are_equal(&code(key, message), found).is_ok()
    }
}

/// A message authentication code, and which key made it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mac {
    /// The id of the key.
    pub(crate) key: u8,
    /// The code.
    pub(crate) code: [u8; MAC_LENGTH],
}

impl Debug for Macs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u8> = self.keys.iter().map(|(id, _)| *id).collect();
        f.debug_struct("Macs").field("ids", &ids).finish_non_exhaustive()
    }
}

/// Each part goes in behind its length: moving a byte from one part to the next is another message.
fn code(key: &hmac::Key, message: &[&[u8]]) -> [u8; MAC_LENGTH] {
    let mut context = hmac::Context::with_key(key);
    for part in message {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let tag = context.sign();
    let mut short = [0; MAC_LENGTH];
    short.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    short
}

fn mac_key(key: &Key, purpose: Purpose) -> Result<hmac::Key, KeyFault> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*derived(key, purpose)?))
}

fn derived(key: &Key, purpose: Purpose) -> Result<Zeroizing<[u8; 32]>, KeyFault> {
    let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"gatewarden").extract(&*key.bytes);
    let mut derived = Zeroizing::new([0; 32]);
    root.expand(&[purpose.label()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *derived))
        .map_err(|_| KeyFault::Crypto)?;
    Ok(derived)
}

#[cfg(test)]
mod tests;
