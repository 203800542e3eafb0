//! A cluster's answer on its way to the client.

use http::header::{CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::boundary::Life;

/// Takes out what belongs to the hop behind us, and ends the body with the session.
///
/// hyper's HTTP/2 server deletes every header that a `Connection` header names, so that one goes before hyper sees it;
/// what it names goes too, because that is what the API server asked for.
pub(crate) fn run(response: Response<Body>, life: Life) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let upgraded = head.status == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = head.headers.get(UPGRADE).filter(|_| upgraded).cloned();
    strip_hop_by_hop(&mut head.headers);
    if let Some(protocol) = protocol {
        head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        head.headers.insert(UPGRADE, protocol);
    }
    Response::from_parts(head, body.until(life))
}

/// Removes the headers of one hop: the known ones and those that `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The header names in all `Connection` headers, read on bytes: one that is not text hides none behind it.
pub(crate) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let options = headers.get_all(CONNECTION).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    options.filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok()).collect()
}

const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

#[cfg(test)]
mod tests {
    use super::*;

    type Line = (&'static str, &'static [u8]);

    fn stripped(lines: &[Line]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        strip_hop_by_hop(&mut headers);
        headers
    }

    #[test]
    fn what_connection_names_goes_and_the_rest_stays() {
        let left = stripped(&[
            ("connection", b""),
            ("connection", b"\xff,\tX-Hop , close"),
            ("x-hop", b"1"),
            ("keep-alive", b"timeout=5"),
            ("warning", b"299 - \"old\""),
            ("x-kubernetes-pf-flowschema-uid", b"u"),
        ]);
        let names: Vec<&str> = left.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["warning", "x-kubernetes-pf-flowschema-uid"]);
    }
}
