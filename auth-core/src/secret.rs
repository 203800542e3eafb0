//! Values that must not be seen: passwords, their hashes, what a provider keeps for its next visit.
//!
//! Each is its own type, so that a function says which one it takes. None can be printed, compared, copied or
//! serialized; `expose` is the one door, and easy to search for.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// A password as somebody typed it.
///
/// ```
/// use auth_core::Password;
///
/// let password = Password::new("correct horse");
/// assert!(!format!("{password:?}").contains("horse"));
/// assert_eq!(password.expose(), "correct horse");
/// ```
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Password(SecretString);

impl Password {
    /// Takes a password into custody; its memory is wiped when it is dropped.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// Hands the plain text to the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl JsonSchema for Password {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    /// Text that may be written and is never shown: so a configuration type can hold a password as it is.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "password", "writeOnly": true })
    }
}

/// A password hash at rest, in PHC string form. Not the password, but worth stealing all the same.
#[derive(Debug)]
pub struct PasswordHash(SecretString);

impl PasswordHash {
    /// Takes a PHC string (`$argon2id$v=19$…`) into custody.
    pub fn new(phc: impl Into<String>) -> Self {
        Self(phc.into().into())
    }

    /// Hands out the PHC string, to verify against it or to store it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// What a provider wants to have again at the next refetch, such as a refresh token. Sealed at rest.
#[derive(Debug)]
pub struct ProviderSecret(SecretString);

impl ProviderSecret {
    /// Takes the secret into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// Hands out the plain text, to seal it or to present it upstream.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_type_can_hold_a_password() {
        #[derive(Deserialize, JsonSchema)]
        struct Config {
            bind: Password,
        }
        let schema = schemars::schema_for!(Config).to_value();
        assert_eq!(schema["properties"]["bind"]["type"], "string");
        assert_eq!(schema["properties"]["bind"]["writeOnly"], true);
        let config: Config = crate::read_config(serde_json::json!({ "bind": "hunter2" })).unwrap();
        assert_eq!(config.bind.expose(), "hunter2");
    }

    #[test]
    fn debug_shows_nothing_of_any_secret() {
        let shown = format!(
            "{:?} {:#?} {:?}",
            Password::new("hunter2"),
            PasswordHash::new("$argon2id$hunter2"),
            ProviderSecret::new("hunter2")
        );
        assert!(!shown.contains("hunter2") && !shown.contains("argon2id"), "{shown}");
    }
}
