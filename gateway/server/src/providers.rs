//! The one table of provider kinds. A new kind is one line here and one feature in `Cargo.toml`.
//!
//! `local` has no feature: every gateway keeps the accounts that work when every directory is down.

use auth_core::ProviderKind;

const KINDS: &[&dyn ProviderKind] = &[
    &auth_local::LocalKind,
    #[cfg(feature = "ldap")]
    &auth_ldap::LdapKind,
];

/// Every kind that this program was built with.
pub fn kinds() -> impl Iterator<Item = &'static dyn ProviderKind> {
    KINDS.iter().copied()
}

/// The kind of this name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static dyn ProviderKind> {
    kinds().find(|kind| kind.kind() == name)
}
