//! What anybody may know about a provider before logging in.

use schemars::JsonSchema;
use serde::Serialize;

use crate::InstanceId;

/// The public face of a provider instance, served without a login.
///
/// It is made from public facts and not from the configuration, so that no secret can slip in with a new setting.
///
/// ```
/// use auth_core::{LoginForm, PublicProvider};
///
/// let public = PublicProvider::new("corp".parse()?, "ldap", "Corporate directory", [LoginForm::Password]);
/// assert_eq!(
///     serde_json::to_string(&public).unwrap(),
///     r#"{"id":"corp","kind":"ldap","displayName":"Corporate directory","login":["password"]}"#
/// );
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicProvider {
    /// Which instance.
    #[schemars(with = "String")]
    pub id: InstanceId,
    /// Which kind: the name that its [`ProviderKind`](crate::ProviderKind) goes by.
    pub kind: &'static str,
    /// What a login page calls it.
    pub display_name: String,
    /// The ways to log in. What is not here is refused before the provider is asked. None, where only tokens of an
    /// outside issuer are believed.
    pub login: Vec<LoginForm>,
}

impl PublicProvider {
    /// Describes an instance.
    pub fn new(
        id: InstanceId,
        kind: &'static str,
        display_name: impl Into<String>,
        login: impl IntoIterator<Item = LoginForm>,
    ) -> Self {
        Self { id, kind, display_name: display_name.into(), login: login.into_iter().collect() }
    }
}

/// A way to log in.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoginForm {
    /// A login name and a password: [`LoginInput::Password`](crate::LoginInput::Password).
    Password,
    /// A trip of the browser to the identity system and back: [`Redirect`](crate::Redirect), then
    /// [`LoginInput::Redirect`](crate::LoginInput::Redirect).
    Redirect,
}
