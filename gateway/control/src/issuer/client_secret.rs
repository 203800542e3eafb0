//! The secret of a client that can keep one (RFC 6749 §2.3.1).

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::secret::sha256;

/// A client's secret, kept as a hash: it is long, so nobody finds it from a fast one.
///
/// ```
/// let secret = gatewarden_control::ClientSecret::new("0123456789abcdef0123456789abcdef").expect("long enough");
/// assert_eq!(format!("{secret:?}"), "ClientSecret");
/// assert!(gatewarden_control::ClientSecret::new("hunter2").is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(Vec<u8>);

impl ClientSecret {
    /// The shortest that nobody guesses.
    pub const SHORTEST: usize = 32;
    const LONGEST: usize = 512;

    /// A secret of 32 to 512 visible characters; others are none.
    #[must_use]
    pub fn new(plain: &str) -> Option<Self> {
        let legal =
            (Self::SHORTEST..=Self::LONGEST).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_graphic());
        legal.then(|| Self(sha256(plain)))
    }

    /// Whether it is what somebody presents.
    pub(crate) fn is(&self, presented: &str) -> bool {
        verify_slices_are_equal(&self.0, &sha256(presented)).is_ok()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret")
    }
}
