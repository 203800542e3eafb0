//! The identity of a caller in Kubernetes' own shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A caller as `authentication.k8s.io/v1` writes one.
///
/// The same shape stands in audit events, in TokenReviews and in what `kubectl auth whoami` shows, so one type
/// serves them all and the names cannot drift apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInfo {
    /// The name that RBAC binds to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// The id that outlives a change of name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The groups that RBAC binds to, in the order in which they are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Further facts by key; a key may hold several values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// Names a caller who has no uid, group or extra yet.
    ///
    /// ```
    /// let user = kube_wire::UserInfo::named("corp:alice");
    /// assert_eq!(serde_json::to_string(&user).unwrap(), r#"{"username":"corp:alice"}"#);
    /// ```
    pub fn named(username: impl Into<String>) -> Self {
        Self { username: username.into(), ..Self::default() }
    }
}
