//! `kind: ldap` in a configuration.

use std::sync::Arc;

use auth_core::{AuthProvider, Fault, InstanceId, Ports, ProviderKind, read_config};
use serde_json::{Value, json};

use crate::config::{File, Settings};
use crate::connection::Security;
use crate::provider::LdapProvider;

pub(crate) const KIND: &str = "ldap";

/// The kind of provider that speaks LDAP.
///
/// It opens sockets, so the [`Tasks`](auth_core::Tasks) and the caller must be of a tokio runtime with I/O.
///
/// ```
/// use auth_core::{ProviderKind, testing};
/// use serde_json::json;
///
/// let config = json!({
///     "servers": ["ldap://127.0.0.1:389"],
///     "tls": { "mode": "dangerousNone" },
///     "bind": { "dn": "cn=gatewarden,dc=example,dc=org", "password": "secret" },
///     "users": { "base": "ou=people,dc=example,dc=org" },
///     "groups": { "base": "ou=groups,dc=example,dc=org", "strategy": "nested" },
/// });
/// let provider = auth_ldap::LdapKind.build("corp".parse()?, config, &testing::ports()).unwrap();
/// assert_eq!(provider.name().as_str(), "corp");
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct LdapKind;

impl ProviderKind for LdapKind {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn schema(&self) -> Value {
        schemars::schema_for!(File).to_value()
    }

    fn customize_schema(&self, schema: &mut Value) {
        if let Some(password) = schema.pointer_mut("/$defs/Bind/properties/password").and_then(Value::as_object_mut) {
            password.insert("format".to_owned(), json!("password"));
            password.insert("writeOnly".to_owned(), json!(true));
        }
    }

    fn build(&self, instance: InstanceId, config: Value, ports: &Ports) -> Result<Arc<dyn AuthProvider>, Vec<Fault>> {
        let settings = Settings::check(read_config::<File>(config)?)?;
        if matches!(settings.security, Security::DangerousNone) {
            tracing::warn!(%instance, "tls.mode is dangerousNone: passwords cross the network in plain text");
        }
        Ok(Arc::new(LdapProvider::new(instance, settings, ports)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_hides_the_password() {
        let mut schema = LdapKind.schema();
        LdapKind.customize_schema(&mut schema);
        let password = schema.pointer("/$defs/Bind/properties/password").unwrap();
        assert_eq!((&password["format"], &password["writeOnly"]), (&json!("password"), &json!(true)));
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
