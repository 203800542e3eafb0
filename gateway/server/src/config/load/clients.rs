//! The secrets of the issuer's clients.

use gatewarden_control::ClientSecret;

use super::Loading;
use crate::config::yaml::Value;
use crate::config::{Config, secret};

/// Fetches each, and gives it to its client.
pub(super) fn load(loading: &mut Loading<'_>, config: &mut Config) {
    let Some(issuer) = &mut config.issuer else { return };
    for kept in &config.client_secrets {
        let field = loading.root.at(&kept.node, kept.path.clone());
        let before = field.count_of_faults();
        let found = secret::resolve(&field, loading.sources);
        if field.count_of_faults() > before {
            continue;
        }
        // Never the value in a fault: what stands there in plain text is a secret that somebody wrote down.
        let plain = found.as_str().filter(|_| matches!(kept.node.value, Value::Map(_)));
        let Some(plain) = plain else {
            field.fault("a secret stands in a file or a variable of its own", "write `{ file: … }` or `{ env: … }`");
            continue;
        };
        let Some(secret) = ClientSecret::new(plain) else {
            field.fault(
                "the secret is shorter than 32 characters, longer than 512, or holds white space",
                "make one with `openssl rand -hex 32`",
            );
            continue;
        };
        let client = issuer.clients.iter_mut().find(|client| client.id == kept.client);
        if let Some(client) = client {
            client.secret = Some(secret);
        }
    }
}
