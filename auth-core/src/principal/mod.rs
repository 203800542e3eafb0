//! People and groups as a provider knows them.

mod id;
mod instance;

pub use id::{PrincipalId, PrincipalType};
pub use instance::InstanceId;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A user or a group, as the identity system behind a provider describes it.
///
/// ```
/// use auth_core::{InstanceId, Principal, PrincipalId, PrincipalType};
///
/// let corp: InstanceId = "corp".parse()?;
/// let id = PrincipalId::new(&corp, PrincipalType::User, "0f6a0c3e")?;
/// let alice = Principal::new(id, "alice").with_display_name("Alice Liddell").with_attribute("mail", ["alice@corp"]);
/// assert_eq!(alice.id.to_string(), "corp_user://0f6a0c3e");
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// What identity rests on: never a name, a mail address or a DN, because those change hands.
    pub id: PrincipalId,
    /// What the person types to log in; `None` for groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// What a mapping calls `{name}`: the login of a user, the plain name of a group.
    pub name: String,
    /// What a page shows to people. Never used for a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Further facts that a mapping may ask for as `{attr:key}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Vec<String>>,
}

impl Principal {
    /// Makes a principal. A user's login is its name until [`Principal::with_login`] says otherwise.
    pub fn new(id: PrincipalId, name: impl Into<String>) -> Self {
        let name = name.into();
        let login = (id.kind() == PrincipalType::User).then(|| name.clone());
        Self { id, login, name, display_name: None, attributes: BTreeMap::new() }
    }

    /// Whether this is what the person types to log in.
    #[must_use]
    pub fn goes_by(&self, login: &str) -> bool {
        self.login.as_deref().unwrap_or(&self.name) == login
    }

    /// Sets what the person types to log in, where it differs from the name.
    #[must_use]
    pub fn with_login(mut self, login: impl Into<String>) -> Self {
        self.login = Some(login.into());
        self
    }

    /// Sets what pages show.
    #[must_use]
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Adds an attribute; one of the same key is replaced.
    #[must_use]
    pub fn with_attribute<V: Into<String>>(
        mut self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.attributes.insert(key.into(), values.into_iter().map(Into::into).collect());
        self
    }
}

/// A text that is not an id. The text itself is not repeated: it may come from an attacker and end in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: {why}")]
pub struct InvalidId {
    what: &'static str,
    why: &'static str,
}

impl InvalidId {
    pub(crate) const fn new(what: &'static str, why: &'static str) -> Self {
        Self { what, why }
    }
}
