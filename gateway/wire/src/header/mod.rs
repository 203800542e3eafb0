//! The names and codecs of the headers that carry identity.
//!
//! Everything is read on bytes. `HeaderValue::to_str` refuses what is not ASCII, and a filter that skips what it
//! cannot read lets it through; the API server reads the bytes all the same.

mod extra;
mod nested;
pub mod websocket;

use http::HeaderName;

pub use extra::{escape_extra_key, extra_header, unescape_extra_key};
pub use nested::{ImpersonationFault, NestedTarget, nested_target};

/// The user to act as. At most one.
pub const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
/// A group to act in. Any number.
pub const IMPERSONATE_GROUP: HeaderName = HeaderName::from_static("impersonate-group");
/// The uid to act with. At most one.
pub const IMPERSONATE_UID: HeaderName = HeaderName::from_static("impersonate-uid");
/// What an extra header's name begins with; the escaped key follows.
pub const IMPERSONATE_EXTRA_PREFIX: &str = "impersonate-extra-";
/// The id that joins audit records of several servers.
pub const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

const IMPERSONATE_PREFIX: &str = "impersonate-";

/// Tells whether a header asks for impersonation, known by name or not.
///
/// By prefix, because a list of names lets the next one that Kubernetes invents slip by.
pub fn is_impersonation(name: &HeaderName) -> bool {
    name.as_str().starts_with(IMPERSONATE_PREFIX)
}
