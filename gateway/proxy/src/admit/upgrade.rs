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

impl Protocol {
    /// Whether these headers of an answer switch to it, and to nothing else.
    pub(crate) fn is_named_by(self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(UPGRADE).iter();
        match (lines.next(), lines.next()) {
            (Some(line), None) => line.as_bytes().eq_ignore_ascii_case(self.header().as_bytes()),
            _ => false,
        }
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

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn wanted_by(lines: &[(&'static str, &'static str)], method: &str) -> Result<Option<Protocol>, ()> {
        let request = lines
            .iter()
            .fold(Request::builder().method(method), |request, (name, value)| request.header(*name, *value));
        let mut request = request.body(()).unwrap();
        let client = hyper::upgrade::on(&mut request);
        wanted(&request.into_parts().0, Some(client))
            .map(|upgrade| upgrade.map(|upgrade| upgrade.protocol))
            .map_err(|_| ())
    }

    #[test]
    fn the_two_protocols_of_kubernetes_are_upgraded_to() {
        let spdy = [("connection", "Upgrade"), ("upgrade", "SPDY/3.1"), ("content-length", "0")];
        assert_eq!(wanted_by(&spdy, "POST"), Ok(Some(Protocol::Spdy)));
        let websocket = [("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
        assert_eq!(wanted_by(&websocket, "GET"), Ok(Some(Protocol::WebSocket)));
    }

    #[test]
    fn other_protocols_and_a_wish_of_half_a_pair_are_plain_requests() {
        for protocol in ["h2c", "TLS/1.0", "foo", "spdy/3", "websocket/13"] {
            assert_eq!(wanted_by(&[("connection", "upgrade"), ("upgrade", protocol)], "GET"), Ok(None), "{protocol}");
        }
        assert_eq!(wanted_by(&[("upgrade", "websocket")], "GET"), Ok(None));
        assert_eq!(wanted_by(&[("connection", "upgradex"), ("upgrade", "websocket")], "GET"), Ok(None));
    }

    #[test]
    fn what_could_be_two_things_is_refused() {
        let connection = ("connection", "upgrade");
        for (lines, method) in [
            (vec![connection, ("upgrade", "websocket, h2c")], "GET"),
            (vec![connection, ("upgrade", "websocket"), ("upgrade", "h2c")], "GET"),
            (vec![connection, ("upgrade", "websocket")], "POST"),
            (vec![connection, ("upgrade", "websocket"), ("content-length", "5")], "GET"),
            (vec![connection, ("upgrade", "spdy/3.1"), ("transfer-encoding", "chunked")], "POST"),
        ] {
            assert_eq!(wanted_by(&lines, method), Err(()), "{lines:?}");
        }
    }
}
