//! A kind of provider: its configuration, and how an instance is made from it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{AuthProvider, InstanceId, Ports};

/// A kind of provider, such as `ldap`: one line in the gateway's table makes it usable in a configuration.
///
/// The schema and every fault can be had without an instance, so `gatewarden check` needs no directory to be up.
pub trait ProviderKind: Send + Sync {
    /// The name in the configuration: `kind: ldap`.
    fn kind(&self) -> &'static str;

    /// The JSON schema of the configuration, generated from the type that reads it.
    fn schema(&self) -> Value;

    /// Adds what a form needs and the type cannot say: titles, order, which fields are secret.
    ///
    /// It changes how a schema is shown, never what [`ProviderKind::build`] accepts.
    fn customize_schema(&self, schema: &mut Value);

    /// Makes an instance. Opens no connection: a directory that is down must not keep the gateway from starting.
    ///
    /// References to secrets (`{file: …}`) have been replaced by their text before.
    ///
    /// # Errors
    /// Every fault of the configuration at once, so that an operator mends it in one go.
    fn build(&self, instance: InstanceId, config: Value, ports: &Ports) -> Built;
}

/// An instance, or everything that is wrong with its configuration.
pub type Built = Result<Arc<dyn AuthProvider>, Vec<Fault>>;

/// Something wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, relative to the part that was read: `servers[0].url`; empty for the whole.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Fault {
    /// Names a place and what to write there instead.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Reads a provider's configuration into its type. A left-out `config:` reads as an empty one.
///
/// # Errors
/// One fault with the words of the reader, when keys are unknown, missing or of the wrong type.
pub fn read_config<T: DeserializeOwned>(config: Value) -> Result<T, Vec<Fault>> {
    let config = if config.is_null() { Value::Object(serde_json::Map::new()) } else { config };
    serde_json::from_value(config).map_err(|error| vec![Fault::new("", without_values(&error.to_string()))])
}

/// A reader's message quotes the text that has the wrong type, and that may be a password in the wrong place.
fn without_values(message: &str) -> String {
    match (message.split_once("string \""), message.rsplit_once("\", expected")) {
        (Some((before, _)), Some((_, after))) => format!("{before}text, expected{after}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        port: Option<u16>,
    }

    #[test]
    fn a_left_out_configuration_is_an_empty_one() {
        assert_eq!(read_config::<Config>(Value::Null).unwrap().port, None);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let faults = read_config::<Config>(json!({ "prot": 1 })).unwrap_err();
        assert!(faults[0].to_string().contains("unknown field `prot`, expected `port`"), "{}", faults[0]);
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let faults = read_config::<Config>(json!({ "port": "hunter2\", expected x" })).unwrap_err();
        assert_eq!(faults[0].to_string(), "invalid type: text, expected u16");
    }
}
