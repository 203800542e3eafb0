//! Takes the one credential out of a request and says which kind it is.

use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use kube_wire::header::websocket::{BearerProtocol, BearerProtocolFault};
use secrecy::SecretString;

use crate::admit::{Protocol, Upgrade};
use crate::boundary::{Credential, Rejected};

/// A credential, and the WebSocket protocols that are left when it is taken from among them.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) credential: Credential,
    pub(super) protocols: Option<HeaderValue>,
}

/// Finds the credential in the `Authorization` header or among the WebSocket protocols, never in both.
///
/// Cookies and the query are not looked at: a browser sends the one by itself, and logs keep the other.
pub(super) fn find(head: &Parts, upgrade: Option<&Upgrade>) -> Result<Found, Rejected> {
    let from_header = authorization(&head.headers)?;
    match (from_header, protocol(&head.headers)?) {
        (Some(_), Some(_)) => Err(Rejected::Several),
        (Some(token), None) => Ok(Found { credential: parse(token)?, protocols: None }),
        (None, Some(offer)) => {
            if !upgrade.is_some_and(|upgrade| upgrade.protocol == Protocol::WebSocket) {
                return Err(Rejected::Malformed);
            }
            let protocols = Some(offer.protocols().clone());
            Ok(Found { credential: parse(&offer.into_token())?, protocols })
        }
        (None, None) => Err(Rejected::Missing),
    }
}

const LONGEST: usize = 16 * 1024;

fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Rejected> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Ok(None),
        (Some(line), None) => line,
        (Some(_), Some(_)) => return Err(Rejected::Several),
    };
    // Exactly one space: kube-apiserver refuses more. A token holds none, so that no third word is read by some servers
    // and not by others.
    let text = line.to_str().map_err(|_| Rejected::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Rejected::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Rejected::Malformed);
    }
    Ok(Some(token))
}

fn protocol(headers: &HeaderMap) -> Result<Option<BearerProtocol>, Rejected> {
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    BearerProtocol::find(headers).map_err(|fault| match fault {
        BearerProtocolFault::Repeated => Rejected::Several,
        BearerProtocolFault::Malformed | BearerProtocolFault::Alone => Rejected::Malformed,
    })
}

/// The form names the kind, and the kind its one verifier. What has no form that we know is refused here.
fn parse(token: &str) -> Result<Credential, Rejected> {
    let legal = token.len() <= LONGEST && token.bytes().all(|byte| byte.is_ascii_graphic());
    if legal && is_signed(token) {
        return Ok(Credential::Signed(SecretString::from(token)));
    }
    match token.strip_prefix("gwt-").and_then(|rest| rest.split_once(':')) {
        Some((name, secret)) if legal && !name.is_empty() && !secret.is_empty() => {
            Ok(Credential::ApiToken(SecretString::from(token)))
        }
        _ => Err(Rejected::Malformed),
    }
}

/// Three parts of base64url, the first of which begins a JSON object.
fn is_signed(token: &str) -> bool {
    let parts = || token.split('.');
    let is_base64url = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    token.starts_with("eyJ") && parts().count() == 3 && parts().all(|part| !part.is_empty() && is_base64url(part))
}
