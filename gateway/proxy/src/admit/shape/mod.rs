//! Has this request exactly one meaning?

use std::borrow::Cow;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use crate::boundary::RequestLimits;
use crate::refusal::Refusal;

/// Refuses a request line that has no one meaning; returns the host name in lower case, without its port.
///
/// It is all that routing needs, so what else is refused can be told in the words of the place it was meant for.
pub(super) fn check_target<'a>(head: &'a Parts, limits: &RequestLimits) -> Result<Cow<'a, str>, Refusal> {
    if beyond(head.uri.path_and_query().map_or(0, |path| path.as_str().len()), limits.uri_bytes) {
        return Err(Refusal::UriTooLong);
    }
    method(&head.method)?;
    target(head)?;
    host(head)
}

/// Refuses headers that two servers could read differently.
pub(super) fn check_headers(head: &Parts, limits: &RequestLimits) -> Result<(), Refusal> {
    size(head, limits)?;
    framing(head)?;
    names(&head.headers)
}

fn size(head: &Parts, limits: &RequestLimits) -> Result<(), Refusal> {
    let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if beyond(head.headers.len(), limits.header_lines) || beyond(bytes, limits.header_bytes) {
        return Err(Refusal::HeadersTooLarge);
    }
    Ok(())
}

fn beyond(size: usize, limit: u32) -> bool {
    u32::try_from(size).map_or(true, |size| size > limit)
}

fn method(method: &Method) -> Result<(), Refusal> {
    match method.as_str() {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => Ok(()),
        // CONNECT would make us an open proxy, TRACE would show a client the headers of others.
        _ => Err(Refusal::MethodNotAllowed),
    }
}

fn target(head: &Parts) -> Result<(), Refusal> {
    if !head.uri.path().starts_with('/') {
        return Err(Refusal::bad_request("the target must be a path"));
    }
    match head.uri.scheme_str() {
        None | Some("http" | "https") => Ok(()),
        Some(_) => Err(Refusal::bad_request("the target has a foreign scheme")),
    }
}

// RFC 9112 §6.1: a message with both Transfer-Encoding and Content-Length "might indicate an attempt to perform request
// smuggling". hyper settles these before we look: it reads the message as chunked, takes the length away, and closes the
// connection behind the answer; of two equal lengths it keeps one. What it leaves to us, such as two encodings, is
// refused, and the refusal closes the connection too.
fn framing(head: &Parts) -> Result<(), Refusal> {
    let lengths = head.headers.get_all(CONTENT_LENGTH).iter().count();
    let mut encodings = head.headers.get_all(TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next(), lengths) {
        (None, _, 0 | 1) => {}
        (Some(one), None, 0) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => {}
        _ => return Err(Refusal::bad_request("the length of the body is not told in one way")),
    }
    if head.headers.get_all(EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::bad_request("only 100-continue may be expected"));
    }
    // Each option is looked for among all headers: with thousands of them, one request would cost as much as many.
    let options = |line: &HeaderValue| line.as_bytes().split(|byte| *byte == b',').count();
    if head.headers.get_all(CONNECTION).iter().map(options).sum::<usize>() > MAX_CONNECTION_OPTIONS {
        return Err(Refusal::bad_request("too many connection options"));
    }
    // RFC 9113 §8.2.2: such a request is malformed.
    let hop_by_hop = [CONNECTION, UPGRADE, TRANSFER_ENCODING, KEEP_ALIVE, PROXY_CONNECTION];
    if head.version == Version::HTTP_2 && hop_by_hop.iter().any(|name| head.headers.contains_key(name)) {
        return Err(Refusal::bad_request("HTTP/2 has no connection headers"));
    }
    Ok(())
}

// `Impersonate_User` is no impersonation header here, and one again behind a server that folds `_` into `-`. Dropping it
// would run the call as somebody else than the client may have meant, so it is refused.
fn names(headers: &HeaderMap) -> Result<(), Refusal> {
    let misspelt = |name: &HeaderName| {
        name.as_str().strip_prefix("impersonate").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('-'))
    };
    if headers.keys().any(misspelt) {
        return Err(Refusal::bad_request("a header looks like Impersonate-… and is not"));
    }
    Ok(())
}

// RFC 9112 §3.2: a request without Host, with two, or with one that differs from an absolute target gets a 400. The same
// holds for `:authority` and `host` in HTTP/2 (RFC 9113 §8.3.1). hyper leaves all of it to us.
fn host(head: &Parts) -> Result<Cow<'_, str>, Refusal> {
    let mut lines = head.headers.get_all(HOST).iter();
    let line = match (lines.next(), lines.next()) {
        (line, None) => line.map(|line| line.to_str()).transpose().map_err(|_| bad_host())?,
        (_, Some(_)) => return Err(Refusal::bad_request("more than one Host header")),
    };
    let authority = match (head.uri.authority().map(Authority::as_str), line) {
        (Some(target), Some(line)) if !target.eq_ignore_ascii_case(line) => {
            return Err(Refusal::bad_request("the target and the Host header name different servers"));
        }
        (Some(_), None) if head.version != Version::HTTP_2 => return Err(Refusal::bad_request("no Host header")),
        (Some(target), _) => target,
        (None, Some(line)) => line,
        (None, None) => return Err(Refusal::bad_request("no Host header")),
    };
    let name = host_name(authority).ok_or_else(bad_host)?;
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(Cow::Owned(name.to_ascii_lowercase()));
    }
    Ok(Cow::Borrowed(name))
}

/// The name in `name[:port]`; an address in brackets keeps them.
fn host_name(authority: &str) -> Option<&str> {
    let end = match authority.strip_prefix('[') {
        Some(inside) => inside.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (name, port) = authority.split_at_checked(end)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let address = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
    let legal = match name.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')) {
        Some(inside) => !inside.is_empty() && inside.bytes().all(address),
        None => !name.is_empty() && name.bytes().all(plain),
    };
    let port_legal = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok() && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    (legal && port_legal).then_some(name)
}

fn bad_host() -> Refusal {
    Refusal::bad_request("the Host header is not a host name")
}

const MAX_CONNECTION_OPTIONS: usize = 32;
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

#[cfg(test)]
mod tests;
