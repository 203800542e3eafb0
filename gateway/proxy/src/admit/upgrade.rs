//! Does the client want another protocol on this connection?

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use hyper::upgrade::OnUpgrade;

use crate::refusal::Refusal;

/// A wish to leave HTTP for a protocol that we tunnel.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) protocol: Protocol,
    /// The client's side of the tunnel, ready once the 101 is out.
    pub(crate) client: OnUpgrade,
}

/// What Kubernetes' streams speak. Everything else is not upgraded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    WebSocket,
    Spdy,
}

impl Protocol {
    /// The value of the `Upgrade` header.
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::WebSocket => "websocket",
            Self::Spdy => "SPDY/3.1",
        })
    }
}

/// Reads the wish; without `Connection: upgrade`, or for a protocol that we do not know, there is none.
pub(super) fn wanted(head: &Parts, client: Option<OnUpgrade>) -> Result<Option<Upgrade>, Refusal> {
    let (Some(client), true) = (client, connection_says_upgrade(&head.headers)) else { return Ok(None) };
    let mut lines = head.headers.get_all(UPGRADE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(Refusal::bad_request("more than one Upgrade header"));
    };
    let protocol = match line.as_bytes() {
        name if name.eq_ignore_ascii_case(b"websocket") => Protocol::WebSocket,
        name if name.eq_ignore_ascii_case(b"spdy/3.1") => Protocol::Spdy,
        list if list.contains(&b',') => return Err(Refusal::bad_request("more than one protocol to upgrade to")),
        _ => return Ok(None),
    };
    if protocol == Protocol::WebSocket && head.method != Method::GET {
        return Err(Refusal::bad_request("a WebSocket begins with GET"));
    }
    // Bytes behind the head would be a body to one reader and the start of the new protocol to another.
    let empty = head.headers.get(CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0");
    if !empty || head.headers.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal::bad_request("a request to upgrade has no body"));
    }
    Ok(Some(Upgrade { protocol, client }))
}

fn connection_says_upgrade(headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
}
