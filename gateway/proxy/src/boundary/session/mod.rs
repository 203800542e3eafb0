//! One login, with its identity rendered once into the bytes that every request reuses.

mod carried;
mod of_account;

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use kube_wire::UserInfo;
use kube_wire::header;

pub(crate) use carried::Carried;
pub(crate) use of_account::Home;

/// A login: who it is, and the header lines that say so.
///
/// Rendering happens here and never again. A request clones reference-counted bytes, so a user with a thousand groups
/// costs no more copying than one with two.
#[derive(Debug)]
pub struct Session {
    parts: SessionParts,
    lines: Vec<HeaderLine>,
    session_id: HeaderValue,
    provider: HeaderValue,
    principal: HeaderValue,
    carried: Carried,
    /// Of a service account alone.
    home: Option<Home>,
}

/// What a [`Session`] is made of.
#[derive(Debug, Clone)]
pub struct SessionParts {
    /// The session's id, `s-…`.
    pub id: String,
    /// The stable user id, `u-…`.
    pub user: String,
    /// The provider instance that the user logged in with.
    pub provider: String,
    /// The principal that the provider knows the user as.
    pub principal: String,
    /// What clusters see: mapped user name, uid, groups and extra.
    pub identity: UserInfo,
    /// All that a grant may name: principal ids and rendered names of the user and the groups.
    pub subjects: Vec<String>,
}

/// One header line of an identity.
pub(crate) type HeaderLine = (HeaderName, HeaderValue);

/// What a session says of itself beside the mapped identity; a cluster decides under which keys.
#[derive(Debug)]
pub(crate) struct Identity<'a> {
    /// User, uid, groups and mapped extra.
    pub(crate) lines: &'a [HeaderLine],
    pub(crate) session_id: &'a HeaderValue,
    pub(crate) provider: &'a HeaderValue,
    pub(crate) principal: &'a HeaderValue,
}

impl Session {
    /// Prefixes of names that belong to Kubernetes and its distributions, whatever a provider says.
    pub const RESERVED: [&'static str; 3] = ["system:", "kubeadm:", "eks:"];

    /// Checks the identity and renders it.
    ///
    /// ```
    /// use gatewarden_proxy::{RenderFault, Session, SessionParts};
    /// use kube_wire::UserInfo;
    ///
    /// let parts = |username: &str| SessionParts {
    ///     id: "s-1".to_owned(),
    ///     user: "u-1".to_owned(),
    ///     provider: "corp".to_owned(),
    ///     principal: "corp_user://42".to_owned(),
    ///     identity: UserInfo::named(username),
    ///     subjects: vec!["corp_user://42".to_owned(), username.to_owned()],
    /// };
    /// assert_eq!(Session::new(parts("corp:alice"))?.identity().username, "corp:alice");
    /// let fault = Session::new(parts("system:admin")).unwrap_err();
    /// assert_eq!(fault, RenderFault::Reserved("system:admin".to_owned()));
    /// # Ok::<(), RenderFault>(())
    /// ```
    ///
    /// # Errors
    /// When a name cannot travel in a header unchanged, claims a name that only Kubernetes may give, or when the whole
    /// is too large. Nothing is ever cut off: an identity with a group missing is another identity.
    pub fn new(parts: SessionParts) -> Result<Self, RenderFault> {
        let lines = render(&parts.identity)?;
        Ok(Self {
            session_id: value("session id", &parts.id)?,
            provider: value("provider", &parts.provider)?,
            principal: value("principal", &parts.principal)?,
            lines,
            parts,
            carried: Carried::default(),
            home: None,
        })
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.parts.id
    }

    /// The stable user id.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.parts.user
    }

    /// The provider instance that the user logged in with.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.parts.provider
    }

    /// The principal that the provider knows the user as.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.parts.principal
    }

    /// What clusters see.
    #[must_use]
    pub fn identity(&self) -> &UserInfo {
        &self.parts.identity
    }

    /// All that a grant may name.
    #[must_use]
    pub fn subjects(&self) -> &[String] {
        &self.parts.subjects
    }

    /// Its tokens at clusters that take such.
    pub(crate) fn carried(&self) -> &Carried {
        &self.carried
    }

    pub(crate) fn rendered(&self) -> Identity<'_> {
        Identity {
            lines: &self.lines,
            session_id: &self.session_id,
            provider: &self.provider,
            principal: &self.principal,
        }
    }
}

/// Why an identity cannot be sent to a cluster. The provider's mapping must change; the login is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderFault {
    /// A name is empty.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A name holds bytes that a header would lose or split at.
    #[error("the {0} holds control characters, or a space at its start or end")]
    Bytes(&'static str),
    /// A name that only Kubernetes gives.
    #[error("{0:?} is a reserved name")]
    Reserved(String),
    /// An extra key that an API server refuses.
    #[error("extra key {0:?} must be lower case and carry a domain of its own")]
    ExtraKey(String),
    /// More groups than the limit.
    #[error("{count} groups are more than the limit of {limit}")]
    TooManyGroups {
        /// How many there are.
        count: usize,
        /// How many may be.
        limit: usize,
    },
    /// More bytes than a header block may hold.
    #[error("the identity needs {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many may be.
        limit: usize,
    },
}

// What cluster paths can carry: half of the 32,768 lines that a header map holds would already be far over these.
const MAX_GROUPS: usize = 10_000;
const MAX_BYTES: usize = 512 * 1024;

/// Whether a name begins as Kubernetes' own do, in whatever case: what reads the name later may not see the difference.
pub(crate) fn is_reserved(name: &str) -> bool {
    Session::RESERVED
        .iter()
        .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

fn render(identity: &UserInfo) -> Result<Vec<HeaderLine>, RenderFault> {
    if identity.groups.len() > MAX_GROUPS {
        return Err(RenderFault::TooManyGroups { count: identity.groups.len(), limit: MAX_GROUPS });
    }
    let mut lines = Vec::with_capacity(2 + identity.groups.len() + identity.extra.len());
    lines.push((header::IMPERSONATE_USER, name("user name", &identity.username)?));
    if let Some(uid) = &identity.uid {
        lines.push((header::IMPERSONATE_UID, value("uid", uid)?));
    }
    let mut seen = HashSet::with_capacity(identity.groups.len());
    for group in identity.groups.iter().filter(|group| seen.insert(group.as_str())) {
        lines.push((header::IMPERSONATE_GROUP, name("group name", group)?));
    }
    for (key, values) in &identity.extra {
        let key = extra_name(key)?;
        for text in values {
            lines.push((key.clone(), value("extra value", text)?));
        }
    }
    let bytes = lines.iter().map(|(key, value)| key.as_str().len() + value.len() + 4).sum();
    if bytes > MAX_BYTES {
        return Err(RenderFault::TooLarge { bytes, limit: MAX_BYTES });
    }
    Ok(lines)
}

fn name(what: &'static str, text: &str) -> Result<HeaderValue, RenderFault> {
    if is_reserved(text) {
        return Err(RenderFault::Reserved(text.to_owned()));
    }
    value(what, text)
}

/// A value that a header carries unchanged: HTTP trims spaces at both ends, so ` admin` would arrive as `admin`.
fn value(what: &'static str, text: &str) -> Result<HeaderValue, RenderFault> {
    if text.is_empty() {
        return Err(RenderFault::Empty(what));
    }
    let trimmed = text.trim_matches(char::is_whitespace).len() != text.len();
    if trimmed || text.chars().any(char::is_control) {
        return Err(RenderFault::Bytes(what));
    }
    header_value(text).ok_or(RenderFault::Bytes(what))
}

/// A header value of these bytes, whatever their script; `to_str` would refuse what is not ASCII, Kubernetes does not.
pub(crate) fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(Bytes::copy_from_slice(text.as_bytes())).ok()
}

/// The header that carries an extra key.
pub(crate) fn extra_name(key: &str) -> Result<HeaderName, RenderFault> {
    let refused = || RenderFault::ExtraKey(key.to_owned());
    let (domain, rest) = key.split_once('/').ok_or_else(refused)?;
    let kubernetes = ["kubernetes.io", "k8s.io"]
        .iter()
        .any(|theirs| domain.strip_suffix(theirs).is_some_and(|before| before.is_empty() || before.ends_with('.')));
    if kubernetes || domain.is_empty() || rest.is_empty() || key != key.to_lowercase() {
        return Err(refused());
    }
    header::extra_header(key).ok_or_else(refused)
}

#[cfg(test)]
mod tests;
