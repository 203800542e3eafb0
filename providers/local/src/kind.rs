//! The kind `local` in a configuration.

use std::sync::Arc;

use auth_core::{AuthProvider, Fault, InstanceId, Ports, ProviderKind, read_config};
use serde_json::{Value, json};

use crate::LocalConfig;
use crate::hashing::{Argon2id, Hashing};
use crate::provider::Local;

/// People and groups in the gateway's own store. There is exactly one instance, and it is called `local`.
#[derive(Debug, Clone, Copy)]
pub struct LocalKind;

impl ProviderKind for LocalKind {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn schema(&self) -> Value {
        schemars::schema_for!(LocalConfig).into()
    }

    fn customize_schema(&self, schema: &mut Value) {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("title".to_owned(), json!("Local users"));
        }
    }

    fn build(&self, instance: InstanceId, config: Value, ports: &Ports) -> Result<Arc<dyn AuthProvider>, Vec<Fault>> {
        let config: LocalConfig = read_config(config)?;
        let mut faults = config.faults();
        // `local://` ids carry no instance name, so a second instance would speak of the same people.
        if instance.as_str() != KIND {
            faults.push(Fault::new("", "a provider of kind local must have the id local"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let hashing = Hashing::new(ports.clone(), Arc::new(Argon2id), config.argon2, config.max_concurrent_checks)
            .ok_or_else(|| vec![Fault::new("", "this machine gives no randomness; local users need it")])?;
        Ok(Arc::new(Local::new(instance, config.display_name, ports.clone(), hashing)))
    }
}

pub(crate) const KIND: &str = "local";

#[cfg(test)]
mod tests {
    use auth_core::testing;

    use super::*;

    fn faults(instance: &str, config: Value) -> Vec<String> {
        let built = LocalKind.build(instance.parse().unwrap(), config, &testing::ports());
        built.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_has_to_be_configured() {
        assert!(faults("local", Value::Null).is_empty());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let config = json!({ "argon2": { "memoryKib": 8, "iterations": 99 }, "maxConcurrentChecks": 0 });
        assert_eq!(
            faults("people", config),
            [
                "argon2.memoryKib: is 8; write a number from 19456 to 1048576",
                "argon2.iterations: is 99; write a number from 2 to 16",
                "maxConcurrentChecks: must be between 1 and 4096; 64 is the default",
                "a provider of kind local must have the id local",
            ]
        );
    }

    #[test]
    fn a_misspelt_key_is_an_error_not_a_default() {
        let told = faults("local", json!({ "argon": {} }));
        assert!(told.first().is_some_and(|fault| fault.contains("argon")), "{told:?}");
    }
}
