//! The file by which an API server trusts the gateway's issuer: Kubernetes' structured authentication.
//!
//! What it maps is what the gateway writes into a token for the cluster, name for name, so that a cluster can move
//! between impersonation and tokens without touching its RBAC.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use gatewarden_control::CLUSTER_CLAIM;

use super::CommandError;
use super::cluster::{ca, unknown};
use super::output::Output;
use crate::config::{self, Loaded};
use crate::wiring::ProviderPorts;

/// `gatewarden cluster authentication-config`.
pub(super) fn run(path: &Path, id: &str, output: &Output) -> Result<ExitCode, CommandError> {
    let loaded = config::load(path, &ProviderPorts::default())?;
    let Some(cluster) = loaded.snapshot.cluster(id) else { return Err(unknown(&loaded.config, id)) };
    let Some(issuer) = &loaded.config.issuer else {
        let why = "there is no issuer that the cluster could trust; write `hosts: { console: login.example.org, … }`";
        return Err(CommandError::Input(why.to_owned()));
    };
    let contents = Contents {
        issuer: &issuer.url,
        audience: &issuer.audience_of(id),
        ca_pem: ca(&loaded.config)?.map(|pem| String::from_utf8_lossy(&pem).into_owned()),
        prefix: &cluster.config().extra_prefix,
        session: cluster.config().send_session_extra,
        mapped: mapped_keys(&loaded, &cluster.config().extra_prefix),
    };
    output.text(&contents.render())?;
    Ok(ExitCode::SUCCESS)
}

/// The extra keys that the providers' mappings make. Under the gateway's own keys stands what it says itself.
fn mapped_keys(loaded: &Loaded, own: &str) -> BTreeSet<String> {
    let keys = loaded.providers.iter().flat_map(|entry| entry.mapping.extra_keys());
    keys.filter(|key| key.split('/').next() != Some(own)).map(str::to_owned).collect()
}

struct Contents<'a> {
    issuer: &'a str,
    audience: &'a str,
    ca_pem: Option<String>,
    prefix: &'a str,
    session: bool,
    mapped: BTreeSet<String>,
}

impl Contents<'_> {
    fn render(&self) -> String {
        let mut text = format!(
            "# For kube-apiserver --authentication-config. It reads the file again by itself when it changes.\n\
             apiVersion: apiserver.config.k8s.io/v1\n\
             kind: AuthenticationConfiguration\n\
             jwt:\n\
             - issuer:\n    \
                 url: {}\n    \
                 audiences: [{}]\n",
            quoted(self.issuer),
            quoted(self.audience),
        );
        if let Some(pem) = &self.ca_pem {
            text.push_str("    certificateAuthority: |\n");
            pem.lines().for_each(|line| _ = writeln!(text, "      {line}"));
        }
        let claim = format!("claims.{CLUSTER_CLAIM}");
        _ = write!(
            text,
            "  claimValidationRules:\n\
             \x20 - expression: has({claim})\n    \
                 message: only tokens that the gateway itself shows to a cluster are good here\n  \
             claimMappings:\n    \
                 username: {{ expression: {claim}.username }}\n    \
                 groups: {{ expression: {claim}.groups }}\n    \
                 uid: {{ expression: {claim}.uid }}\n    \
                 extra:\n"
        );
        for name in ["provider", "principal"] {
            self.extra(&mut text, &format!("{}/{name}", self.prefix), &format!("{claim}.{name}"));
        }
        if self.session {
            self.extra(&mut text, &format!("{}/session-id", self.prefix), &format!("{claim}.session"));
        }
        for key in &self.mapped {
            let value = format!("'{key}' in {claim}.extra ? {claim}.extra['{key}'] : []");
            self.extra(&mut text, key, &value);
        }
        text.push_str(
            "  userValidationRules:\n\
             \x20 - expression: \"!user.username.startsWith('system:')\"\n    \
                 message: names that begin with system are never given by the gateway\n\
             \x20 - expression: \"user.groups.all(group, !group.startsWith('system:'))\"\n    \
                 message: groups that begin with system are never given by the gateway\n",
        );
        text
    }

    fn extra(&self, text: &mut String, key: &str, value: &str) {
        _ = writeln!(text, "    - {{ key: {}, valueExpression: {} }}", quoted(key), quoted(value));
    }
}

/// JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_a_token_tells_is_mapped() {
        let contents = Contents {
            issuer: "https://login.example.org/oidc",
            audience: "https://kube.example.org/k8s/clusters/east",
            ca_pem: Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()),
            prefix: "gatewarden",
            session: true,
            mapped: BTreeSet::from(["example.org/floor".to_owned()]),
        };
        let text = contents.render();
        let wanted = r#"# For kube-apiserver --authentication-config. It reads the file again by itself when it changes.
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: "https://login.example.org/oidc"
    audiences: ["https://kube.example.org/k8s/clusters/east"]
    certificateAuthority: |
      -----BEGIN CERTIFICATE-----
      AAAA
      -----END CERTIFICATE-----
  claimValidationRules:
  - expression: has(claims.gatewarden)
    message: only tokens that the gateway itself shows to a cluster are good here
  claimMappings:
    username: { expression: claims.gatewarden.username }
    groups: { expression: claims.gatewarden.groups }
    uid: { expression: claims.gatewarden.uid }
    extra:
    - { key: "gatewarden/provider", valueExpression: "claims.gatewarden.provider" }
    - { key: "gatewarden/principal", valueExpression: "claims.gatewarden.principal" }
    - { key: "gatewarden/session-id", valueExpression: "claims.gatewarden.session" }
    - { key: "example.org/floor", valueExpression: "'example.org/floor' in claims.gatewarden.extra ? claims.gatewarden.extra['example.org/floor'] : []" }
  userValidationRules:
  - expression: "!user.username.startsWith('system:')"
    message: names that begin with system are never given by the gateway
  - expression: "user.groups.all(group, !group.startsWith('system:'))"
    message: groups that begin with system are never given by the gateway
"#;
        assert_eq!(text, wanted);
        let without = Contents { ca_pem: None, session: false, mapped: BTreeSet::new(), ..contents }.render();
        for gone in ["certificateAuthority", "session-id", "floor"] {
            assert!(!without.contains(gone), "{without}");
        }
    }
}
