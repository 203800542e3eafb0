//! What differs between the products that speak OpenID Connect.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::json::Object;

/// A product whose habits are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Preset {
    /// As the specifications say.
    #[default]
    Generic,
    /// Keycloak.
    Keycloak,
    /// Microsoft Entra ID, one tenant.
    Entra,
    /// Okta.
    Okta,
    /// Google Workspace.
    Google,
    /// GitLab.
    Gitlab,
    /// Dex.
    Dex,
}

impl Preset {
    /// Where the stable id is. Entra makes another `sub` for each client; `oid` is the person.
    pub(crate) const fn id(self) -> &'static str {
        if matches!(self, Self::Entra) { "/oid" } else { "/sub" }
    }

    pub(crate) const fn login(self) -> &'static str {
        if matches!(self, Self::Google | Self::Dex) { "/email" } else { "/preferred_username" }
    }

    /// Where the groups are; Google has none to tell.
    pub(crate) const fn groups(self) -> Option<&'static str> {
        if matches!(self, Self::Google) { None } else { Some("/groups") }
    }

    pub(crate) const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Keycloak | Self::Google | Self::Gitlab => &["openid", "profile", "email"],
            Self::Generic | Self::Entra => &["openid", "profile", "email", "offline_access"],
            Self::Okta | Self::Dex => &["openid", "profile", "email", "groups", "offline_access"],
        }
    }

    /// What a refresh token takes beside a scope. OIDC Core §11: `offline_access` is ignored without the consent.
    pub(crate) const fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Google => &[("access_type", "offline"), ("prompt", "consent")],
            Self::Generic => &[("prompt", "consent")],
            Self::Keycloak | Self::Entra | Self::Okta | Self::Gitlab | Self::Dex => &[],
        }
    }

    /// Okta cuts its list at a hundred and does not say so.
    pub(crate) const fn may_be_cut(self, groups: usize) -> bool {
        matches!(self, Self::Okta) && groups >= 100
    }

    /// Why a refresh token is refused, where the product says so. Most do not: then only the person can tell.
    pub(crate) fn account(self, answer: &Object) -> Account {
        let says = |text: &str| answer.get("error_description").and_then(Value::as_str) == Some(text);
        let codes = answer.get("error_codes").and_then(Value::as_array);
        let code = |code: u64| codes.is_some_and(|codes| codes.iter().any(|one| one.as_u64() == Some(code)));
        match self {
            Self::Keycloak if says("User disabled") => Account::Disabled,
            Self::Entra if code(50_057) => Account::Disabled,
            Self::Entra if code(50_034) => Account::Gone,
            _ => Account::Unknown,
        }
    }
}

/// What a refusal says of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    Disabled,
    Gone,
    Unknown,
}
