//! `kubectl --as`: whom a client asks to act as, read from its own impersonation headers.
//!
//! The headers are read whole or refused. Ignoring a part would run the call as somebody else than the client
//! named, and "the first wins" or "the last wins" lets two readers disagree.

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    IMPERSONATE_EXTRA_PREFIX, IMPERSONATE_GROUP, IMPERSONATE_UID, IMPERSONATE_USER, is_impersonation,
    unescape_extra_key,
};
use crate::UserInfo;

/// Whom the client asks to act as. Nobody has allowed it yet.
pub type NestedTarget = UserInfo;

/// Why impersonation headers cannot be read. The gateway answers 400 and calls nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImpersonationFault {
    /// Groups, uid or extra, and no user to go with them.
    #[error("requested {header} without impersonating a user")]
    WithoutUser {
        /// One of the headers that need a user.
        header: HeaderName,
    },
    /// Two lines of a header that may stand once.
    #[error("more than one {header} header")]
    Repeated {
        /// The header.
        header: HeaderName,
    },
    /// A value without a character in it.
    #[error("empty {header} header")]
    Empty {
        /// The header.
        header: HeaderName,
    },
    /// A value that is not UTF-8, holds a control character, or begins or ends with a space.
    #[error("{header} is not a plain name")]
    Malformed {
        /// The header.
        header: HeaderName,
    },
    /// A header of the family that nobody knows.
    #[error("unknown impersonation header {header}")]
    Unknown {
        /// The header.
        header: HeaderName,
    },
}

/// Reads the client's impersonation headers; `None` when there are none.
///
/// ```
/// # use http::{HeaderMap, HeaderValue};
/// use kube_wire::header::{IMPERSONATE_USER, nested_target};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(nested_target(&headers), Ok(None));
/// headers.insert(IMPERSONATE_USER, HeaderValue::from_static("jane"));
/// assert_eq!(nested_target(&headers)?.unwrap().username, "jane");
/// # Ok::<(), kube_wire::header::ImpersonationFault>(())
/// ```
///
/// # Errors
///
/// When they are incomplete, repeated, empty, malformed, or of an unknown name.
pub fn nested_target(headers: &HeaderMap) -> Result<Option<NestedTarget>, ImpersonationFault> {
    let mut target = NestedTarget::default();
    let mut needs_user = None;
    for header in headers.keys().filter(|name| is_impersonation(name)) {
        match header {
            name if *name == IMPERSONATE_USER => target.username = only(headers, name)?,
            name if *name == IMPERSONATE_UID => target.uid = Some(only(headers, name)?),
            name if *name == IMPERSONATE_GROUP => target.groups = all(headers, name)?,
            name => target.extra.entry(extra_key(name)?).or_default().extend(all(headers, name)?),
        }
        if *header != IMPERSONATE_USER {
            needs_user = Some(header);
        }
    }
    match (target.username.is_empty(), needs_user) {
        (false, _) => Ok(Some(target)),
        (true, None) => Ok(None),
        (true, Some(header)) => Err(ImpersonationFault::WithoutUser { header: header.clone() }),
    }
}

fn extra_key(header: &HeaderName) -> Result<String, ImpersonationFault> {
    let Some(escaped) = header.as_str().strip_prefix(IMPERSONATE_EXTRA_PREFIX).filter(|key| !key.is_empty()) else {
        return Err(ImpersonationFault::Unknown { header: header.clone() });
    };
    unescape_extra_key(escaped)
        .filter(|key| is_plain(key))
        .ok_or_else(|| ImpersonationFault::Malformed { header: header.clone() })
}

fn only(headers: &HeaderMap, header: &HeaderName) -> Result<String, ImpersonationFault> {
    let mut values = headers.get_all(header).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => text(header, value),
        (Some(_), Some(_)) => Err(ImpersonationFault::Repeated { header: header.clone() }),
        (None, _) => Err(ImpersonationFault::Empty { header: header.clone() }),
    }
}

fn all(headers: &HeaderMap, header: &HeaderName) -> Result<Vec<String>, ImpersonationFault> {
    headers.get_all(header).iter().map(|value| text(header, value)).collect()
}

fn text(header: &HeaderName, value: &HeaderValue) -> Result<String, ImpersonationFault> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok("") => Err(ImpersonationFault::Empty { header: header.clone() }),
        Ok(text) if is_plain(text) => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(ImpersonationFault::Malformed { header: header.clone() }),
    }
}

/// HTTP/1.1 trims what surrounds a value and HTTP/2 does not: a name with a space at its end would be two people.
fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control) && text.trim() == text && !text.is_empty()
}
