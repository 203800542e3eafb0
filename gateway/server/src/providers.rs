//! The one table of provider kinds. A new kind is one line here and one feature in `Cargo.toml`.
//!
//! `local` has no feature: every gateway keeps the accounts that work when every directory is down.

use auth_core::{BoxError, Password, PasswordHash, ProviderKind};
use auth_local::LocalConfig;

const KINDS: &[&dyn ProviderKind] = &[
    &auth_local::LocalKind,
    #[cfg(feature = "ldap")]
    &auth_ldap::LdapKind,
    #[cfg(feature = "oidc")]
    &auth_oidc::OidcKind,
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

/// Hashes the password of a local account, at the cost that the provider's own configuration asks for.
///
/// # Errors
/// The password is not fit, or an instance would not be built from the configuration.
pub fn hash_local_password(password: &Password, config: Option<serde_json::Value>) -> Result<PasswordHash, BoxError> {
    let config = LocalConfig::read(config.unwrap_or_default()).map_err(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the configuration of the local provider cannot be used: {}", told.join("; "))
    })?;
    Ok(auth_local::hash_password(password, config.argon2)?)
}
