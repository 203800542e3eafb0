//! The forms that only HTTP/2 has, of what the other files try in HTTP/1.1; F23–F25, and E22.
//!
//! HTTP/2 says where a message ends without any header, so whoever writes it to HTTP/1.1 must not believe headers that
//! say it too (RFC 9113 §8.2.2, §8.1.1).

use crate::End::{Here, Never, Trailers};
use crate::Expected::{RefusedOrBroken, Status};
use crate::Seen::{Count, Lacks, Target};
use crate::Stimulus::Frames;
use crate::Upstream::{Alice, Nothing};
use crate::case::Case;
use crate::{Fields, Stimulus, Upstream};

const fn refused(id: &'static str, what: &'static str, stimulus: Stimulus) -> Case {
    Case { id, what, stimulus, expected: RefusedOrBroken, upstream: Nothing }
}

/// A good request with one field that is not.
const fn odd(id: &'static str, what: &'static str, field: Fields) -> Case {
    refused(id, what, Frames(field, &[], Here))
}

/// The same with two bytes of content.
const fn odd_post(id: &'static str, what: &'static str, fields: Fields) -> Case {
    refused(id, what, Frames(fields, &["{}"], Here))
}

const fn answered(id: &'static str, what: &'static str, stimulus: Stimulus, status: u16, upstream: Upstream) -> Case {
    Case { id, what, stimulus, expected: Status(status), upstream }
}

const POST: (&str, &str) = (":method", "POST");

pub(crate) const CASES: &[Case] = &[
    answered("A13", "lower case in HTTP/2", Frames(&[("impersonate-user", "root")], &[], Here), 403, Nothing),
    odd("A14", "upper case in HTTP/2", &[("Impersonate-User", "root")]),
    odd("A14", "upper case within, in HTTP/2", &[("impersonate-uSer", "root")]),
    odd("A16", "a look-alike in HTTP/2", &[("impersonate\u{2010}user", "root")]),
    answered(
        "A27",
        "an identity in HTTP/2 trailers",
        Frames(&[POST, ("trailer", "impersonate-user")], &["{}"], Trailers(&[("impersonate-user", "root")])),
        200,
        Alice(&[Lacks("trailer")]),
    ),
    answered(
        "A28",
        "an identity on the gateway's own API, in HTTP/2",
        Frames(&[(":path", "/api/v1/me"), ("impersonate-user", "root")], &[], Here),
        400,
        Nothing,
    ),
    answered(
        "A28",
        "an identity on the way to log in, in HTTP/2",
        Frames(&[POST, (":path", "/api/v1/providers/corp/login"), ("impersonate-user", "root")], &["{}"], Here),
        400,
        Nothing,
    ),
    answered(
        "B11",
        "headers of one hop do not cross, in HTTP/2",
        Frames(&[("te", "trailers"), ("proxy-authorization", "Basic eDp5")], &[], Here),
        200,
        Alice(&[Lacks("te"), Lacks("proxy-authorization")]),
    ),
    odd("B12", "a connection header in HTTP/2", &[("connection", "impersonate-user")]),
    odd("B12", "a keep-alive header in HTTP/2", &[("keep-alive", "timeout=5")]),
    odd("B12", "a proxy-connection header in HTTP/2", &[("proxy-connection", "keep-alive")]),
    odd("B12", "another TE than trailers in HTTP/2", &[("te", "gzip")]),
    odd("E10", "an upgrade header in HTTP/2", &[("upgrade", "websocket")]),
    odd("E22", "a WebSocket by CONNECT, which is not offered", &[(":method", "CONNECT"), (":protocol", "websocket")]),
    refused(
        "E23",
        "CONNECT in HTTP/2",
        Stimulus::Fields(&[(":method", "CONNECT"), (":authority", "other:443"), ("authorization", "Bearer {T}")]),
    ),
    odd("E23", "TRACE in HTTP/2", &[(":method", "TRACE")]),
    odd_post("F1", "a transfer coding in HTTP/2", &[POST, ("transfer-encoding", "chunked")]),
    odd_post(
        "F1",
        "a length and a transfer coding",
        &[POST, ("content-length", "2"), ("transfer-encoding", "chunked")],
    ),
    odd_post("F2", "two lengths that differ, in HTTP/2", &[POST, ("content-length", "2"), ("content-length", "3")]),
    odd_post("F3", "two equal lengths, in HTTP/2", &[POST, ("content-length", "2"), ("content-length", "2")]),
    odd_post("F4", "an empty length, in HTTP/2", &[POST, ("content-length", "")]),
    odd_post("F4", "a length twice in one field", &[POST, ("content-length", "2, 2")]),
    odd_post("F4", "a length with a sign, in HTTP/2", &[POST, ("content-length", "+2")]),
    odd_post("F4", "a hexadecimal length, in HTTP/2", &[POST, ("content-length", "0x2")]),
    odd_post(
        "F4",
        "a length of thirty digits, in HTTP/2",
        &[POST, ("content-length", "222222222222222222222222222222")],
    ),
    odd("F7", "a space in a name, in HTTP/2", &[("x-a ", "1")]),
    odd("F7", "a colon in a name, in HTTP/2", &[("impersonate-user:root", "1")]),
    odd("F7", "a name that is empty, in HTTP/2", &[("", "1")]),
    odd("F7", "a line break in a name, in HTTP/2", &[("x-a: 1\r\nimpersonate-user", "root")]),
    odd("F8", "a folded value, in HTTP/2", &[("x-a", "1\r\n 2")]),
    odd("F9", "a bare carriage return, in HTTP/2", &[("x-a", "1\rImpersonate-User: root")]),
    odd("F10", "a NUL in a value, in HTTP/2", &[("x-a", "1\0")]),
    odd("F11", "a space in the HTTP/2 method", &[(":method", "GET /api")]),
    odd("F11", "a line break in the HTTP/2 method", &[(":method", "GET / HTTP/1.1\r\nX-A: 1\r\n\r\nGET")]),
    refused(
        "F12",
        "no authority",
        Stimulus::Fields(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/k8s/clusters/one/api"),
            ("authorization", "Bearer {T}"),
        ]),
    ),
    odd("F12", "an empty authority", &[(":authority", "")]),
    odd("F12", "two hosts beside the authority", &[("host", "{H}"), ("host", "other")]),
    answered("F13", "a GET with a body, in HTTP/2", Frames(&[], &["{}"], Here), 200, Alice(&[])),
    answered(
        "F14",
        "a client that waits for leave, in HTTP/2",
        Frames(&[POST, ("expect", "100-continue"), ("content-length", "2")], &["{}"], Here),
        200,
        Alice(&[Count("content-length", 1)]),
    ),
    answered(
        "F15",
        "a body that nobody reads, in HTTP/2",
        Frames(&[POST, ("authorization", "Bearer x"), ("content-length", "1000000")], &["{}"], Never),
        401,
        Nothing,
    ),
    odd("F21", "an absolute target of another host, in HTTP/2", &[(":path", "http://other/k8s/clusters/one/api")]),
    odd("F21", "a target without a slash", &[(":path", "k8s/clusters/one/api")]),
    odd("F22", "OPTIONS * in HTTP/2", &[(":method", "OPTIONS"), (":path", "*")]),
    odd("F23", "a space in the HTTP/2 path", &[(":path", "/k8s/clusters/one/api x")]),
    odd("F23", "a line break in the HTTP/2 path", &[(":path", "/k8s/clusters/one/api\r\nImpersonate-User: root")]),
    odd("F23", "a line break in an HTTP/2 value", &[("x-a", "1\r\nImpersonate-User: root")]),
    odd("F23", "an authority with a user", &[(":authority", "alice@other")]),
    odd("F23", "an authority with a path", &[(":authority", "other/x")]),
    odd("F23", "an authority with a line break", &[(":authority", "other\r\nImpersonate-User: root")]),
    odd("F23", "a length, and no DATA at all", &[("content-length", "5")]),
    odd_post("F23", "a length that is more than the DATA", &[POST, ("content-length", "5")]),
    odd_post("F23", "a length that is less than the DATA", &[POST, ("content-length", "1")]),
    refused(
        "F23",
        "a length of nothing, and a request as DATA",
        Frames(&[POST, ("content-length", "0")], &["GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n"], Here),
    ),
    odd("F24", "authority and host differ", &[("host", "other")]),
    odd("F25", "an unknown pseudo-header field", &[(":status", "200")]),
    odd("F25", "two paths", &[(":path", "/k8s/clusters/one/api"), (":path", "/k8s/clusters/one/apis")]),
    odd("F25", "two methods", &[(":method", "GET"), (":method", "DELETE")]),
    odd("F25", "two authorities", &[(":authority", "{H}"), (":authority", "other")]),
    odd("F25", "an empty path", &[(":path", "")]),
    refused(
        "F25",
        "no path",
        Stimulus::Fields(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "{H}"),
            ("authorization", "Bearer {T}"),
        ]),
    ),
    refused(
        "F25",
        "a pseudo-header field behind the others",
        Stimulus::Fields(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "{H}"),
            ("authorization", "Bearer {T}"),
            (":path", "/k8s/clusters/one/api"),
        ]),
    ),
    answered(
        "F25",
        "a pseudo-header field in trailers is none",
        Frames(&[POST], &["{}"], Trailers(&[(":path", "/api/v1/secrets")])),
        200,
        Alice(&[Lacks(":path"), Target("/api/v1/namespaces/dev/pods")]),
    ),
];
