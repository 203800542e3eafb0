//! Whom a grant names.
//!
//! A user and a group may carry the same name, and RBAC tells them apart by their kind. A grant has to as well: else
//! whoever gets a user named like a granted group has what the group was granted.

use std::fmt;
use std::str::FromStr;

use auth_core::PrincipalId;

/// One that a grant names: a principal by its id, or a user or group by the name that clusters see.
///
/// ```
/// use gatewarden_control::Subject;
///
/// let [user, group] = ["user:corp:dev".parse::<Subject>()?, "group:corp:dev".parse()?];
/// assert_ne!(user, group);
/// assert_eq!(group.to_string(), "group:corp:dev");
/// assert!("corp_group://4f2c".parse::<Subject>().is_ok(), "an id says its kind itself");
/// assert!("corp:dev".parse::<Subject>().is_err(), "a name alone may be either");
/// # Ok::<(), gatewarden_control::InvalidSubject>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `<instance>_<type>://<external id>`.
    Principal(PrincipalId),
    /// `user:<name>`.
    User(String),
    /// `group:<name>`.
    Group(String),
}

const USER: &str = "user:";
const GROUP: &str = "group:";

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(id) => write!(f, "{id}"),
            Self::User(name) => write!(f, "{USER}{name}"),
            Self::Group(name) => write!(f, "{GROUP}{name}"),
        }
    }
}

/// A text that names neither a principal, nor a user, nor a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} does not say whether it is a user or a group")]
pub struct InvalidSubject(String);

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        // No id begins like this: an instance has no colon in its name.
        let named = |kind, make: fn(String) -> Self| {
            text.strip_prefix(kind).filter(|name| !name.is_empty()).map(|name| make(name.to_owned()))
        };
        named(USER, Self::User)
            .or_else(|| named(GROUP, Self::Group))
            .or_else(|| text.parse().ok().map(Self::Principal))
            .ok_or_else(|| InvalidSubject(text.to_owned()))
    }
}
