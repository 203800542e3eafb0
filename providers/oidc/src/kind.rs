//! `kind: oidc` in a configuration.

use std::sync::Arc;

use auth_core::{Built, InstanceId, Ports, ProviderKind, read_config};
use serde_json::Value;

use crate::config::{File, Settings};
use crate::provider::OidcProvider;

pub(crate) const KIND: &str = "oidc";

/// The kind of provider that speaks OpenID Connect.
///
/// ```
/// use auth_core::{ProviderKind, testing};
/// use serde_json::json;
///
/// let config = json!({
///     "preset": "keycloak",
///     "issuer": "https://id.example.org/realms/staff",
///     "clientId": "gatewarden",
///     "clientSecret": "secret",
/// });
/// let provider = auth_oidc::OidcKind.build("sso".parse()?, config, &testing::ports()).unwrap();
/// assert!(provider.redirect().is_some());
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct OidcKind;

impl ProviderKind for OidcKind {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn schema(&self) -> Value {
        schemars::schema_for!(File).to_value()
    }

    fn customize_schema(&self, _schema: &mut Value) {}

    fn build(&self, instance: InstanceId, config: Value, ports: &Ports) -> Built {
        let settings = Settings::check(read_config::<File>(config)?)?;
        if settings.dangerous_plain_http {
            tracing::warn!(%instance, "dangerousPlainHttp: codes, secrets and tokens cross the network in plain text");
        }
        Ok(Arc::new(OidcProvider::new(instance, settings, ports)))
    }
}
