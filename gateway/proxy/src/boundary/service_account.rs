//! A service account of a cluster, and how a cluster's own tokens come in.

use std::fmt;

/// How a cluster lets its own service-account tokens in. They reach that cluster and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountTokens {
    /// The `iss` of its tokens, byte for byte: the first `--service-account-issuer` of its API server.
    pub issuer: String,
    /// What a token must be meant for, one of these: what its API server takes (`--api-audiences`).
    pub audiences: Vec<String>,
}

/// A service account: a namespace and a name, as Kubernetes allows them.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    username: String,
    namespace: String,
    name: String,
}

impl ServiceAccount {
    /// Reads `system:serviceaccount:<namespace>:<name>`.
    ///
    /// ```
    /// use gatewarden_proxy::ServiceAccount;
    ///
    /// let account = ServiceAccount::parse("system:serviceaccount:ci:deployer").unwrap();
    /// assert_eq!((account.namespace(), account.name()), ("ci", "deployer"));
    /// assert!(ServiceAccount::parse("system:serviceaccount:ci:a:b").is_none());
    /// ```
    #[must_use]
    pub fn parse(username: &str) -> Option<Self> {
        let (namespace, name) = service_account(username)?;
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Some(Self { username: username.to_owned(), namespace, name })
    }

    /// The name that RBAC binds to.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name there.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The groups that the API server gives it, beside `system:authenticated`.
    #[must_use]
    pub fn groups(&self) -> [String; 2] {
        groups_of_service_accounts(&self.namespace)
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.username)
    }
}

/// The namespace and name in `system:serviceaccount:<namespace>:<name>`, where Kubernetes allows both. Anything else that
/// begins so is no service account, and a reserved name.
pub(crate) fn service_account(username: &str) -> Option<(&str, &str)> {
    let (namespace, name) = username.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (is_label(namespace) && namespace.len() <= 63 && name.len() <= 253 && name.split('.').all(is_label))
        .then_some((namespace, name))
}

/// The groups that come with the name.
pub(crate) fn groups_of_service_accounts(namespace: &str) -> [String; 2] {
    ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
}

/// RFC 1123 as Kubernetes reads it: lower-case letters, digits and hyphens, no hyphen at an end.
fn is_label(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inside) && !text.starts_with('-') && !text.ends_with('-')
}
