//! One Kubernetes API, as the operator described it.

use std::fmt::{self, Debug};
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::Uri;
use kube_wire::is_dns1035_label;
use secrecy::{ExposeSecret, SecretString};

use crate::boundary::{Mint, ServiceAccountTokens};

/// How to reach a cluster, and as whom.
///
/// Two equal values share one pool: a reload that changes nothing about a cluster keeps its connections.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterConfig {
    /// The name in `/k8s/clusters/<id>`.
    pub id: String,
    /// `https://host:port`, one for each address of the API server.
    pub endpoints: Vec<Uri>,
    /// The certificates that may sign the API server's own, in PEM.
    pub ca_pem: Vec<u8>,
    /// The name to verify where it differs from the endpoint's host.
    pub tls_server_name: Option<String>,
    /// How it learns who asks.
    pub carrier: Carrier,
    /// Host names that lead to this cluster without a path prefix.
    pub hosts: Vec<String>,
    /// Opens the cluster although its impersonator may do more than impersonate.
    pub dangerous_privileged_account: bool,
    /// Names that no user and no group may have here, beside the built-in ones; `*` at the end matches any rest.
    pub reserved: Vec<String>,
    /// The domain of the extra keys that we add, such as `gatewarden`.
    pub extra_prefix: String,
    /// Tells the cluster which session asks. It defeats the API server's authorizer cache across sessions.
    pub send_session_extra: bool,
    /// Whether and how the cluster's own service-account tokens come in, to it alone. Not at all when `None`.
    pub service_accounts: Option<ServiceAccountTokens>,
}

impl ClusterConfig {
    /// Checks what can be checked without asking the cluster.
    ///
    /// # Errors
    /// Every fault that was found, in the operator's words.
    pub fn check(&self) -> Result<(), Vec<ClusterFault>> {
        let mut faults = Vec::new();
        faults.extend(Self::check_id(&self.id).err());
        if self.endpoints.is_empty() {
            faults.push(ClusterFault::NoEndpoint);
        }
        for endpoint in &self.endpoints {
            if endpoint.scheme_str() != Some("https") || endpoint.host().is_none() {
                faults.push(ClusterFault::Endpoint(endpoint.to_string()));
            }
        }
        if self.extra_prefix.is_empty() || !self.extra_prefix.bytes().all(is_prefix_byte) {
            faults.push(ClusterFault::ExtraPrefix(self.extra_prefix.clone()));
        }
        if let Some(on) = &self.service_accounts {
            if self.carrier.mint().is_some() {
                faults.push(ClusterFault::NoReviewer);
            }
            if on.issuer.is_empty() || on.audiences.is_empty() || on.audiences.iter().any(String::is_empty) {
                faults.push(ClusterFault::ServiceAccounts);
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Checks an id alone, for whoever reads one before there is a whole description.
    ///
    /// ```
    /// use gatewarden_proxy::ClusterConfig;
    ///
    /// assert!(ClusterConfig::check_id("east").is_ok());
    /// assert!(ClusterConfig::check_id("management").is_err());
    /// ```
    ///
    /// # Errors
    /// It does not fit into a path or a host name, or stands for something else in metrics.
    pub fn check_id(id: &str) -> Result<(), ClusterFault> {
        if !is_dns1035_label(id) {
            return Err(ClusterFault::Id(id.to_owned()));
        }
        if id == MANAGEMENT {
            return Err(ClusterFault::ReservedId(id.to_owned()));
        }
        Ok(())
    }
}

/// What metrics call the gateway's own API where they name a cluster.
pub(crate) const MANAGEMENT: &str = "management";

/// What is wrong with a cluster's description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterFault {
    /// The id does not fit into a path.
    #[error("cluster id {0:?} must match [a-z]([a-z0-9-]{{0,61}}[a-z0-9])?")]
    Id(String),
    /// The id is what metrics call the gateway itself.
    #[error("cluster id {0:?} is the gateway's own")]
    ReservedId(String),
    /// Nowhere to send a request.
    #[error("a cluster needs at least one endpoint, such as https://192.0.2.1:6443")]
    NoEndpoint,
    /// Not an address that we would send an identity to.
    #[error("endpoint {0:?} must read https://host:port")]
    Endpoint(String),
    /// The API server refuses extra keys that are not lower case.
    #[error("extra prefix {0:?} must be lower-case letters, digits, dots and dashes")]
    ExtraPrefix(String),
    /// Service-account tokens are to come in where nobody can ask about them.
    #[error("service-account tokens are checked by the reviewer, and the gateway has no account on this cluster")]
    NoReviewer,
    /// Whose tokens come in, and for what, is not said.
    #[error("service-account tokens need an issuer and at least one audience, none of them empty")]
    ServiceAccounts,
}

/// How a cluster learns who asks.
#[derive(Debug, Clone)]
pub enum Carrier {
    /// By impersonation headers on requests of an account of ours. Every cluster can.
    Impersonation {
        /// May impersonate and nothing else.
        impersonator: Account,
        /// May create SubjectAccessReviews.
        reviewer: Account,
    },
    /// By a token for each session. The cluster trusts our issuer, and has no account of ours.
    Bearer(Arc<dyn Mint>),
}

impl Carrier {
    /// The accounts that it takes, each with what operators call it.
    pub(crate) fn accounts(&self) -> Vec<(&'static str, &Account)> {
        match self {
            Self::Impersonation { impersonator, reviewer } => {
                vec![("impersonator", impersonator), ("reviewer", reviewer)]
            }
            Self::Bearer(_) => Vec::new(),
        }
    }

    /// Who signs, where it is a token.
    pub(crate) fn mint(&self) -> Option<&Arc<dyn Mint>> {
        match self {
            Self::Impersonation { .. } => None,
            Self::Bearer(mint) => Some(mint),
        }
    }
}

impl PartialEq for Carrier {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Impersonation { impersonator: a, reviewer: x },
                Self::Impersonation { impersonator: b, reviewer: y },
            ) => a == b && x == y,
            (Self::Bearer(a), Self::Bearer(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// Whom we are to a cluster.
pub enum Account {
    /// A token that somebody else renews in this file.
    TokenFile(PathBuf),
    /// A token that never changes.
    Token(SecretString),
    /// A certificate and its key, in PEM.
    ClientCertificate {
        /// The chain, leaf first.
        cert_pem: Vec<u8>,
        /// The key of the leaf.
        key_pem: SecretString,
    },
}

impl Account {
    /// When its certificate ends, in seconds since 1970, if it is one.
    pub(crate) fn end(&self) -> Option<i64> {
        match self {
            Self::TokenFile(_) | Self::Token(_) => None,
            Self::ClientCertificate { cert_pem, .. } => crate::tls::end_of(cert_pem),
        }
    }
}

impl Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenFile(path) => f.debug_tuple("TokenFile").field(path).finish(),
            Self::Token(_) => f.write_str("Token(..)"),
            Self::ClientCertificate { .. } => f.write_str("ClientCertificate(..)"),
        }
    }
}

impl Clone for Account {
    fn clone(&self) -> Self {
        match self {
            Self::TokenFile(path) => Self::TokenFile(path.clone()),
            Self::Token(token) => Self::Token(token.clone()),
            Self::ClientCertificate { cert_pem, key_pem } => {
                Self::ClientCertificate { cert_pem: cert_pem.clone(), key_pem: key_pem.clone() }
            }
        }
    }
}

// By hand, because a secret compares in constant time or not at all.
impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::TokenFile(a), Self::TokenFile(b)) => a == b,
            (Self::Token(a), Self::Token(b)) => same(a, b),
            (
                Self::ClientCertificate { cert_pem: a, key_pem: x },
                Self::ClientCertificate { cert_pem: b, key_pem: y },
            ) => a == b && same(x, y),
            _ => false,
        }
    }
}

fn same(a: &SecretString, b: &SecretString) -> bool {
    verify_slices_are_equal(a.expose_secret().as_bytes(), b.expose_secret().as_bytes()).is_ok()
}

fn is_prefix_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cluster_is_counted_as_the_gateway_itself() {
        let fault = ClusterFault::ReservedId("management".to_owned());
        assert_eq!(ClusterConfig::check_id("management"), Err(fault));
    }

    #[test]
    fn an_account_shows_no_secret() {
        let token = Account::Token("hunter2".into());
        let certificate = Account::ClientCertificate { cert_pem: Vec::new(), key_pem: "hunter2".into() };
        assert!(!format!("{token:?}{certificate:?}").contains("hunter2"));
    }

    #[test]
    fn accounts_with_other_secrets_differ() {
        assert_eq!(Account::Token("a".into()), Account::Token("a".into()));
        assert_ne!(Account::Token("a".into()), Account::Token("b".into()));
    }
}
