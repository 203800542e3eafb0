//! The id of a user or group: `<instance>_<type>://<external id>`.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::{InstanceId, InvalidId};

const MAX_EXTERNAL: usize = 512;

/// RFC 3986 §2.3: only the unreserved characters stand for themselves in a path segment of ours.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What kind of thing a principal is. A closed set: a policy must know every kind there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalType {
    /// One person, or one account that logs in.
    User,
    /// A group of people.
    Group,
    /// An organization; counts as a group.
    Org,
    /// A team within an organization; counts as a group.
    Team,
}

impl PrincipalType {
    /// The word that stands in an id.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Org => "org",
            Self::Team => "team",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Group, Self::Org, Self::Team].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for PrincipalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The id of a principal: which instance, which type, and the id that never changes over there.
///
/// Written `<instance>_<type>://<external id>`; people that Gatewarden keeps itself are `local://<id>` and their
/// groups `local_group://<id>`. There is one spelling per principal, so two ids are the same principal exactly when
/// they are equal byte for byte. The external id is anything the directory calls its own, a DN included: 1 to 512
/// bytes, no control character, no white space at either end.
///
/// ```
/// use auth_core::{PrincipalId, PrincipalType};
///
/// let id: PrincipalId = "corp_group://cn=dev,ou=groups,dc=example".parse()?;
/// assert_eq!((id.instance().as_str(), id.kind()), ("corp", PrincipalType::Group));
/// assert_eq!(id.path_segment(), "corp_group%3A%2F%2Fcn%3Ddev%2Cou%3Dgroups%2Cdc%3Dexample");
/// assert_eq!(PrincipalId::from_path_segment(&id.path_segment())?, id);
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrincipalId {
    instance: InstanceId,
    kind: PrincipalType,
    external: String,
}

impl PrincipalId {
    /// Makes the id of one principal of an instance.
    ///
    /// # Errors
    /// When the external id is empty, longer than 512 bytes, holds a control character or has white space at an end;
    /// and when an organization or team is claimed for `local`, which has neither.
    pub fn new(instance: &InstanceId, kind: PrincipalType, external: &str) -> Result<Self, InvalidId> {
        let refused = |why| Err(InvalidId::new("principal id", why));
        if external.is_empty() {
            return refused("the external id is empty");
        }
        if external.len() > MAX_EXTERNAL {
            return refused("the external id is longer than 512 bytes");
        }
        if external.contains(char::is_control) {
            return refused("the external id holds a control character");
        }
        if external.starts_with(char::is_whitespace) || external.ends_with(char::is_whitespace) {
            return refused("the external id starts or ends with white space");
        }
        if instance.is_local() && matches!(kind, PrincipalType::Org | PrincipalType::Team) {
            return refused("`local` has users and groups only");
        }
        Ok(Self { instance: instance.clone(), kind, external: external.to_owned() })
    }

    /// The provider instance that knows this principal. Calls are routed by it.
    #[must_use]
    pub const fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// User, group, organization or team.
    #[must_use]
    pub const fn kind(&self) -> PrincipalType {
        self.kind
    }

    /// What the identity system itself calls the principal.
    #[must_use]
    pub fn external_id(&self) -> &str {
        &self.external
    }

    /// The id as one segment of a URL path: everything but unreserved characters is percent-encoded.
    #[must_use]
    pub fn path_segment(&self) -> String {
        utf8_percent_encode(&self.to_string(), SEGMENT).to_string()
    }

    /// Reads a path segment back.
    ///
    /// # Errors
    /// When an escape is broken, the bytes are not UTF-8, or what they spell is no principal id.
    pub fn from_path_segment(segment: &str) -> Result<Self, InvalidId> {
        let broken = InvalidId::new("principal id", "a percent escape is broken or not UTF-8");
        if !escapes_are_whole(segment) {
            return Err(broken);
        }
        percent_decode_str(segment).decode_utf8().map_err(|_| broken)?.parse()
    }
}

impl FromStr for PrincipalId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refused = |why| Err(InvalidId::new("principal id", why));
        let Some((scheme, external)) = text.split_once("://") else {
            return refused("no :// in it");
        };
        if scheme == "local" {
            return Self::new(&scheme.parse()?, PrincipalType::User, external);
        }
        let Some((instance, kind)) = scheme.split_once('_') else {
            return refused("no type before ://");
        };
        let Some(kind) = PrincipalType::parse(kind) else {
            return refused("the type is none of user, group, org and team");
        };
        if instance == "local" && kind == PrincipalType::User {
            return refused("a local user is written local://<id>");
        }
        Self::new(&instance.parse()?, kind, external)
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, kind, external } = self;
        if instance.is_local() && *kind == PrincipalType::User {
            return write!(f, "local://{external}");
        }
        write!(f, "{instance}_{kind}://{external}")
    }
}

impl TryFrom<String> for PrincipalId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<PrincipalId> for String {
    fn from(id: PrincipalId) -> Self {
        id.to_string()
    }
}

/// The decoder passes a lone `%` through as itself, which would give one id two spellings.
fn escapes_are_whole(segment: &str) -> bool {
    segment.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes();
        let hex = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_hexdigit());
        hex(digits.next()) && hex(digits.next())
    })
}

#[cfg(test)]
mod tests;
