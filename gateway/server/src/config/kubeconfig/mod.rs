//! Kubeconfig files that the configuration names.
//!
//! Only what says *where* and *as whom* is taken. What would run a program, send credentials through a third party
//! or switch verification off is refused by name: a file that somebody else writes must not gain such powers here.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gatewarden_proxy::Account;
use http::Uri;
use serde::Deserialize;

use super::sections::KubeconfigRef;
use super::sources::Sources;

/// Where a context's cluster is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) endpoints: Vec<Uri>,
    pub(super) ca_pem: Vec<u8>,
    pub(super) tls_server_name: Option<String>,
}

/// Bytes that were read, or why not.
type Read = Result<Vec<u8>, String>;

/// A kubeconfig file that was read, and the context that was chosen.
#[derive(Debug)]
pub(super) struct Kubeconfig {
    folder: PathBuf,
    cluster: ClusterPart,
    user: Option<UserPart>,
}

impl Kubeconfig {
    /// Reads the file and chooses the context.
    pub(super) fn open(reference: &KubeconfigRef, sources: &mut Sources) -> Result<Self, String> {
        let name = reference.file.display();
        let text = sources.text(&reference.file)?;
        let file: File = serde_saphyr::from_str_with_options(&text, serde_saphyr::options! { with_snippet: false })
            .map_err(|error| {
                let line = error.location().map_or(1, |location| location.line().max(1));
                format!("{name}:{line}: this is no kubeconfig: {}", plain(error.without_snippet()))
            })?;
        file.choose(reference)
    }

    /// Where the cluster is, or everything that keeps it from being used.
    pub(super) fn place(&self, sources: &mut Sources) -> Result<Place, Vec<String>> {
        let mut faults = Vec::new();
        if self.cluster.insecure_skip_tls_verify {
            faults.push("it sets insecure-skip-tls-verify, so anybody could answer in the cluster's place; give it the CA instead".to_owned());
        }
        if self.cluster.proxy_url.is_some() {
            faults.push("it sets proxy-url; the gateway connects to clusters directly, so remove it".to_owned());
        }
        let endpoint = super::sections::clusters::endpoint(&self.cluster.server);
        if endpoint.is_none() {
            faults.push(format!("its server `{}` must read https://host:port, without a path", self.cluster.server));
        }
        let ca =
            self.data("certificate-authority", self.cluster.ca_data.as_deref(), self.cluster.ca.as_deref(), sources);
        let ca = ca.unwrap_or_else(|| {
            Err("it names no certificate-authority; the gateway trusts only the CA that it is given".to_owned())
        });
        match (endpoint, ca) {
            (Some(endpoint), Ok(ca_pem)) if faults.is_empty() => {
                Ok(Place { endpoints: vec![endpoint], ca_pem, tls_server_name: self.cluster.tls_server_name.clone() })
            }
            (_, ca) => {
                faults.extend(ca.err());
                Err(faults)
            }
        }
    }

    /// As whom to speak to it, or everything that keeps its user from being used.
    pub(super) fn account(&self, sources: &mut Sources) -> Result<Account, Vec<String>> {
        let Some(user) = &self.user else { return Err(vec!["its context names no user".to_owned()]) };
        let mut faults = user.refused();
        let certificate =
            self.data("client-certificate", user.certificate_data.as_deref(), user.certificate.as_deref(), sources);
        let key = self.data("client-key", user.key_data.as_deref(), user.key.as_deref(), sources);
        let account = match (certificate, key) {
            (Some(Ok(cert_pem)), Some(Ok(key))) => match String::from_utf8(key) {
                Ok(key) => Ok(Account::ClientCertificate { cert_pem, key_pem: key.into() }),
                Err(_) => Err("its client-key is no PEM".to_owned()),
            },
            (Some(Err(fault)), _) | (_, Some(Err(fault))) => Err(fault),
            (Some(_), None) => Err("it has a client certificate without its key".to_owned()),
            (None, Some(_)) => Err("it has a client key without its certificate".to_owned()),
            (None, None) => match (&user.token_file, &user.token) {
                (Some(file), _) => Ok(Account::TokenFile(self.folder.join(file))),
                (None, Some(token)) if !token.is_empty() => Ok(Account::Token(token.clone().into())),
                _ => Err("its user has no token and no client certificate".to_owned()),
            },
        };
        match account {
            Ok(account) if faults.is_empty() => Ok(account),
            Ok(_) => Err(faults),
            Err(_) if !faults.is_empty() => Err(faults),
            Err(fault) => {
                faults.push(fault);
                Err(faults)
            }
        }
    }

    /// Inline data wins over a file, as in kubectl.
    fn data(&self, what: &str, inline: Option<&str>, file: Option<&Path>, sources: &mut Sources) -> Option<Read> {
        if let Some(inline) = inline.filter(|inline| !inline.is_empty()) {
            let text: String = inline.split_ascii_whitespace().collect();
            return Some(STANDARD.decode(text).map_err(|_| format!("its {what}-data is not base64")));
        }
        file.map(|file| sources.bytes(&self.folder.join(file)))
    }
}

// Inline secrets are plain text here for a moment; the types hold no `Debug` that shows them.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "current-context")]
    current_context: Option<String>,
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    users: Vec<NamedUser>,
}

impl File {
    fn choose(self, reference: &KubeconfigRef) -> Result<Kubeconfig, String> {
        let name = reference.file.display();
        let wanted = reference.context.clone().or(self.current_context).filter(|context| !context.is_empty());
        let Some(wanted) = wanted else {
            return Err(format!("{name} has no current-context; write `context:` beside `file:`"));
        };
        let known: Vec<&str> = self.contexts.iter().map(|context| context.name.as_str()).collect();
        let known = known.join(", ");
        let Some(context) = self.contexts.into_iter().find(|context| context.name == wanted) else {
            return Err(format!("{name} has no context `{wanted}`; it has: {known}"));
        };
        let Some(cluster) = self.clusters.into_iter().find(|cluster| cluster.name == context.context.cluster) else {
            return Err(format!(
                "{name} has no cluster `{}`, which its context `{wanted}` names",
                context.context.cluster
            ));
        };
        let user =
            self.users.into_iter().find(|user| Some(&user.name) == context.context.user.as_ref()).map(|user| user.user);
        let folder = reference.file.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        Ok(Kubeconfig { folder, cluster: cluster.cluster, user })
    }
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: ClusterPart,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ClusterPart {
    server: String,
    #[serde(rename = "certificate-authority")]
    ca: Option<PathBuf>,
    #[serde(rename = "certificate-authority-data")]
    ca_data: Option<String>,
    tls_server_name: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    proxy_url: Option<String>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: ContextPart,
}

#[derive(Deserialize)]
struct ContextPart {
    cluster: String,
    user: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: UserPart,
}

#[derive(Deserialize)]
struct UserPart {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    #[serde(rename = "client-certificate")]
    certificate: Option<PathBuf>,
    #[serde(rename = "client-certificate-data")]
    certificate_data: Option<String>,
    #[serde(rename = "client-key")]
    key: Option<PathBuf>,
    #[serde(rename = "client-key-data")]
    key_data: Option<String>,
    username: Option<serde::de::IgnoredAny>,
    exec: Option<serde::de::IgnoredAny>,
    #[serde(rename = "auth-provider")]
    auth_provider: Option<serde::de::IgnoredAny>,
    #[serde(rename = "as")]
    acts_as: Option<serde::de::IgnoredAny>,
}

impl UserPart {
    fn refused(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut refuse = |present: bool, why: &str| {
            if present {
                faults.push(why.to_owned());
            }
        };
        refuse(
            self.exec.is_some(),
            "its user has an exec plugin; the gateway runs no programs for a credential, so use tokenFile or a client certificate",
        );
        refuse(self.auth_provider.is_some(), "its user has an auth-provider; use tokenFile or a client certificate");
        refuse(
            self.username.is_some(),
            "its user has a password; Kubernetes accepts none, so use tokenFile or a client certificate",
        );
        refuse(self.acts_as.is_some(), "its user sets `as`; the gateway sets identities itself, so remove it");
        faults
    }
}

impl std::fmt::Debug for UserPart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("UserPart(..)")
    }
}

/// The parser's message without its own place: the caller names file and line.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
