//! A cluster's answer on its way to the client.

use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::boundary::{Cluster, Life};
use crate::refusal::Refusal;

/// What is known of the request that an answer belongs to.
#[derive(Debug)]
pub(crate) struct WayBack {
    pub(crate) cluster: Arc<Cluster>,
    /// The answer may be a pod's, a service's or a node's own.
    pub(crate) proxied: bool,
    pub(crate) life: Life,
}

/// Takes out what belongs to the hop behind us, and ends the body with the session.
///
/// hyper's HTTP/2 server deletes every header that a `Connection` header names, so that one goes before hyper sees it;
/// what it names goes too, because that is what the API server asked for.
pub(crate) fn run(response: Response<Body>, back: WayBack) -> Result<Response<Body>, Refusal> {
    let (mut head, body) = response.into_parts();
    // The credential that the API server saw is ours. Told 401, the client would throw its own away and log in again.
    if head.status == StatusCode::UNAUTHORIZED && !back.proxied {
        let why = "it refused the gateway's own credential".into();
        return Err(Refusal::BadGateway { cluster: back.cluster.id().into(), why });
    }
    if head.headers.contains_key(TRANSFER_ENCODING) && head.headers.contains_key(CONTENT_LENGTH) {
        // RFC 9112 §6.3: a sign of response splitting. Whoever is behind us may read it by the other of the two.
        let why = "its answer has a length and a transfer coding".into();
        return Err(Refusal::BadGateway { cluster: back.cluster.id().into(), why });
    }
    let upgraded = head.status == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = head.headers.get(UPGRADE).filter(|_| upgraded).cloned();
    strip_hop_by_hop(&mut head.headers);
    // No cookie ever reaches a cluster; one that a pod sets would only lie on the origin of everything else here.
    head.headers.remove(SET_COOKIE);
    if let Some(protocol) = protocol {
        head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        head.headers.insert(UPGRADE, protocol);
    }
    Ok(Response::from_parts(head, body.until(back.life)))
}

/// Ends the client's connection behind an answer to a switch that did not come about: what the client sent for the other
/// protocol must not be read as its next request.
pub(crate) fn close_unless_switched(response: &mut Response<Body>) {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
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
    use crate::boundary::Revoked;
    use crate::testing::{TestTime, World, alice};

    type Line = (&'static str, &'static [u8]);

    fn stripped(lines: &[Line]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        strip_hop_by_hop(&mut headers);
        headers
    }

    fn relayed(proxied: bool, response: http::response::Builder) -> Result<Response<Body>, Refusal> {
        let world = World::new();
        let cluster = Arc::clone(world.gate.common.snapshot.load().cluster("east").unwrap());
        run(response.body(Body::empty()).unwrap(), WayBack { cluster, proxied, life: life() })
    }

    fn life() -> Life {
        let (_, revoked) = Revoked::new(Arc::new(TestTime::new()));
        revoked.enroll(&alice("gwt-alice"), 0).unwrap()
    }

    #[test]
    fn a_cluster_that_refuses_our_credential_does_not_cost_the_client_its_own() {
        let refused = relayed(false, Response::builder().status(401));
        assert!(matches!(refused, Err(Refusal::BadGateway { .. })));
        assert_eq!(relayed(true, Response::builder().status(401)).unwrap().status(), 401, "a pod's own");
    }

    #[test]
    fn an_answer_that_two_readers_could_cut_in_two_ways_is_refused() {
        let response = Response::builder().header("content-length", "9").header("transfer-encoding", "chunked");
        assert!(matches!(relayed(true, response), Err(Refusal::BadGateway { .. })));
    }

    #[test]
    fn an_upgrade_keeps_its_two_headers_and_others_none() {
        let answer = |status: u16| {
            let response =
                Response::builder().status(status).header("connection", "Upgrade, x-hop").header("x-hop", "1");
            relayed(false, response.header("upgrade", "SPDY/3.1").header("set-cookie", "a=b")).unwrap()
        };
        let names = |response: Response<Body>| response.headers().keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(answer(101)), ["connection", "upgrade"]);
        assert_eq!(names(answer(200)), [""; 0]);
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
