//! Which of a client's headers a cluster may see.

use http::{HeaderMap, HeaderName};
use kube_wire::header::is_impersonation;

use crate::impersonate::put;
use crate::refusal::Refusal;
use crate::relay::named_by_connection;
use crate::spill;

/// Copies what is neither identity, nor about one hop, nor a way to be read as either by a later server.
///
/// Names are compared as bytes and values are not read at all: a value that is not text is copied or left like any
/// other, and hides nothing.
pub(super) fn client_headers(from: &HeaderMap, to: &mut HeaderMap) -> Result<(), Refusal> {
    let named = named_by_connection(from);
    for (name, value) in from {
        if is_identity_or_hop(name) || named.contains(name) {
            continue;
        }
        put(to, name, value.clone())?;
    }
    Ok(())
}

/// Refuses a request that would tell a cluster, or a log, a token of ours.
pub(super) fn refuse_tokens(from: &HeaderMap) -> Result<(), Refusal> {
    let told = |name: &HeaderName| !is_identity_or_hop(name) || is_impersonation(name);
    if from.iter().any(|(name, value)| told(name) && spill::holds_token(value.as_bytes())) {
        return Err(Refusal::bad_request(spill::WHERE_IT_BELONGS));
    }
    Ok(())
}

/// Whether a header is never copied.
pub(crate) fn is_identity_or_hop(name: &HeaderName) -> bool {
    let name = name.as_str();
    // `_` and others become `-` behind some servers: `X_Remote_User` would be `X-Remote-User` again.
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    !plain || EXACT.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Credentials, framing and hop, the audit id (ours goes instead), and what claims another address, method or path.
const EXACT: [&str; 24] = [
    "authorization",
    "cookie",
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "content-length",
    "upgrade",
    "http2-settings",
    "expect",
    "audit-id",
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-envoy-external-address",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Whole families, so that a name that is invented tomorrow is left out today.
const PREFIXES: [&str; 7] =
    ["impersonate", "x-remote-", "x-forwarded-", "x-original-", "x-rewrite-", "proxy-", "x-gatewarden-"];
