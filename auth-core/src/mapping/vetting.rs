//! What no identity may hold, whatever rule made it.

use super::pattern::Pattern;
use super::{Identity, MappingError, MappingLimits};

/// Domains whose extra keys have a meaning of their own in a Kubernetes API server, and the gateway's own.
const EXTRA_DOMAINS: [&str; 3] = ["kubernetes.io", "k8s.io", "gatewarden"];

const EXTRA_KEY_MAX: usize = 253;

/// Names that no provider may give to anybody: `system:`, `kubeadm:` and `eks:` always, and the operator's patterns.
///
/// Compared without regard to ASCII case, because somebody downstream may do the same.
#[derive(Debug, Clone, Default)]
pub struct Reserved(Vec<Pattern>);

impl Reserved {
    /// Prefixes of names that mean something to Kubernetes itself or to those who run clusters, in lower case.
    pub const PREFIXES: [&'static str; 3] = ["system:", "kubeadm:", "eks:"];

    /// Reserves further names. In a pattern `*` stands for any text.
    pub fn new<P: Into<String>>(patterns: impl IntoIterator<Item = P>) -> Self {
        Self(patterns.into_iter().map(|pattern| Pattern::new(pattern.into().to_ascii_lowercase())).collect())
    }

    /// Whether a name is reserved.
    ///
    /// ```
    /// use auth_core::Reserved;
    ///
    /// let reserved = Reserved::new(["corp:root", "*-admin"]);
    /// assert!(reserved.holds("system:masters") && reserved.holds("eu-admin"));
    /// assert!(!reserved.holds("corp:alice"));
    /// ```
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        let name = name.trim_start().to_ascii_lowercase();
        Self::PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || self.0.iter().any(|pattern| pattern.fits(&name))
    }
}

/// The checks that every identity passes.
#[derive(Debug, Clone)]
pub(super) struct Vetting {
    pub(super) reserved: Reserved,
    pub(super) limits: MappingLimits,
}

impl Vetting {
    pub(super) fn name(&self, what: &'static str, name: &str) -> Result<(), MappingError> {
        bytes(what, name)?;
        if self.reserved.holds(name) {
            return Err(MappingError::Reserved { what, name: name.to_owned() });
        }
        Ok(())
    }

    pub(super) fn size(&self, identity: Identity) -> Result<Identity, MappingError> {
        let (bytes, limit) = (identity.bytes(), self.limits.bytes);
        if bytes > limit {
            return Err(MappingError::TooLarge { bytes, limit });
        }
        Ok(identity)
    }
}

/// RFC 9110 §5.5: a field value holds no control character, and white space at its ends is not a part of it.
pub(super) fn bytes(what: &'static str, value: &str) -> Result<(), MappingError> {
    if value.is_empty() {
        return Err(MappingError::Empty { what });
    }
    let at_an_end = value.starts_with(char::is_whitespace) || value.ends_with(char::is_whitespace);
    if at_an_end || value.contains(char::is_control) {
        return Err(MappingError::Bytes { what });
    }
    Ok(())
}

/// Kubernetes wants extra keys in lower case, and with a domain so that two parties do not use one key.
pub(super) fn extra_key(key: &str) -> Result<(), MappingError> {
    let label = |text: &str| {
        let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        !text.is_empty() && text.bytes().all(inside)
    };
    let well_formed = key.len() <= EXTRA_KEY_MAX
        && key.split_once('/').is_some_and(|(domain, rest)| {
            let foreign = |own: &str| domain == own || domain.strip_suffix(own).is_some_and(|rest| rest.ends_with('.'));
            label(domain) && label(rest) && !EXTRA_DOMAINS.iter().any(|own| foreign(own))
        });
    if well_formed { Ok(()) } else { Err(MappingError::ExtraKey(key.to_owned())) }
}
