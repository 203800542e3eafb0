//! F: one message that two readers could cut in two ways. E10–E12: upgrades that are none.

use crate::Expected::{OneOf, RefusedOrBroken, Status};
use crate::Seen::{Count, Lacks};
use crate::Stimulus::{Bulk, Raw};
use crate::Upstream::{Alice, AtMostAlice, Nothing};
use crate::case::Case;

macro_rules! post {
    ($head:literal, $body:literal) => {
        Raw(concat!(
            "POST /k8s/clusters/one/api/v1/namespaces/dev/pods HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n",
            $head,
            "\r\n\r\n",
            $body
        ))
    };
}

macro_rules! get {
    ($head:literal) => {
        Raw(concat!(
            "GET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n",
            $head,
            "\r\n\r\n"
        ))
    };
}

const fn refused(id: &'static str, what: &'static str, stimulus: crate::Stimulus) -> Case {
    Case { id, what, stimulus, expected: RefusedOrBroken, upstream: Nothing }
}

pub(crate) const CASES: &[Case] = &[
    Case {
        id: "F1",
        what: "Content-Length and Transfer-Encoding",
        stimulus: post!("Content-Length: 6\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n"),
        expected: OneOf(&[200, 400]),
        upstream: AtMostAlice,
    },
    Case {
        id: "F1",
        what: "a request hidden behind the shorter reading",
        stimulus: post!(
            "Content-Length: 61\r\nTransfer-Encoding: chunked",
            "0\r\n\r\nGET /k8s/clusters/one/api HTTP/1.1\r\nHost: x\r\nX-Smuggled: 1\r\n\r\n"
        ),
        expected: OneOf(&[200, 400]),
        upstream: AtMostAlice,
    },
    Case {
        id: "F1",
        what: "the connection does not outlive a refused framing",
        stimulus: post!(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "2\r\n{}\r\n0\r\n\r\nGET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n"
        ),
        expected: Status(400),
        upstream: Nothing,
    },
    Case {
        id: "F1",
        what: "nor one that no route was found for",
        stimulus: Raw(
            "POST /nowhere HTTP/1.1\r\nHost: {H}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n",
        ),
        expected: Status(404),
        upstream: Nothing,
    },
    Case {
        id: "F14",
        what: "a broken chunk is the client's fault",
        stimulus: post!("Transfer-Encoding: chunked", "2\r\n{}\r\nzz\r\n\r\n"),
        expected: Status(400),
        upstream: AtMostAlice,
    },
    refused("F2", "two lengths that differ", post!("Content-Length: 2\r\nContent-Length: 3", "{} ")),
    Case {
        id: "F3",
        what: "two equal lengths",
        stimulus: post!("Content-Length: 2\r\nContent-Length: 2", "{}"),
        expected: OneOf(&[200, 400]),
        upstream: AtMostAlice,
    },
    refused("F4", "an empty length", post!("Content-Length: ", "{}")),
    refused("F4", "a length twice in one line", post!("Content-Length: 2, 2", "{}")),
    refused("F4", "a length with a sign", post!("Content-Length: +2", "{}")),
    refused("F4", "a negative length", post!("Content-Length: -2", "{}")),
    refused("F4", "a list of lengths", post!("Content-Length: 2, 3", "{}")),
    refused("F4", "a length with a space inside", post!("Content-Length: 2 2", "{}")),
    refused("F4", "a hexadecimal length", post!("Content-Length: 0x2", "{}")),
    refused("F4", "a length of thirty digits", post!("Content-Length: 222222222222222222222222222222", "{}")),
    refused("F5", "an unknown transfer coding", post!("Transfer-Encoding: xchunked", "2\r\n{}\r\n0\r\n\r\n")),
    refused("F5", "chunked, and then another", post!("Transfer-Encoding: chunked, identity", "2\r\n{}\r\n0\r\n\r\n")),
    refused("F5", "another, and then chunked", post!("Transfer-Encoding: gzip, chunked", "2\r\n{}\r\n0\r\n\r\n")),
    refused(
        "F5",
        "chunked twice",
        post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n"),
    ),
    refused("F5", "a vertical tab before chunked", post!("Transfer-Encoding: \u{b}chunked", "2\r\n{}\r\n0\r\n\r\n")),
    refused(
        "F5",
        "chunks in HTTP/1.0",
        Raw("POST /k8s/clusters/one/api/v1/namespaces/dev/pods HTTP/1.0\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\
             Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ),
    refused("F6", "a chunk size with a sign", post!("Transfer-Encoding: chunked", "+2\r\n{}\r\n0\r\n\r\n")),
    refused("F6", "a chunk size with a prefix", post!("Transfer-Encoding: chunked", "0x2\r\n{}\r\n0\r\n\r\n")),
    refused("F6", "a space inside a chunk size", post!("Transfer-Encoding: chunked", "0 2\r\n{}\r\n0\r\n\r\n")),
    refused("F6", "a bare line feed behind a chunk size", post!("Transfer-Encoding: chunked", "2\n{}\r\n0\r\n\r\n")),
    refused("F6", "a bare line feed in an extension", post!("Transfer-Encoding: chunked", "2;a\n{}\r\n0\r\n\r\n")),
    refused("F6", "a bare line feed behind a chunk", post!("Transfer-Encoding: chunked", "2\r\n{}\n0\r\n\r\n")),
    refused("F6", "more behind a chunk than its size", post!("Transfer-Encoding: chunked", "2\r\n{}}\r\n0\r\n\r\n")),
    refused(
        "F6",
        "a chunk size of twenty digits",
        post!("Transfer-Encoding: chunked", "11111111111111111111\r\n{}\r\n0\r\n\r\n"),
    ),
    refused("F7", "a space before the colon", get!("X-A : 1")),
    refused("F7", "a line without a name", get!(": 1")),
    refused("F7", "a line without a colon", get!("Impersonate-User root")),
    refused("F8", "a folded line", get!("X-A: 1\r\n X-B: 2")),
    refused("F9", "a bare carriage return", get!("X-A: 1\rImpersonate-User: root")),
    Case {
        id: "F9",
        what: "a bare line feed ends a line, for us as for others",
        stimulus: get!("X-A: 1\nImpersonate-User: root"),
        expected: Status(403),
        upstream: Nothing,
    },
    refused("F10", "a NUL in a value", get!("X-A: 1\u{0}2")),
    refused(
        "F11",
        "extra words in the request line",
        Raw("GET /k8s/clusters/one/api x HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n"),
    ),
    refused(
        "F11",
        "a tab in the request line",
        Raw("GET /k8s/clusters/one/api\tHTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n"),
    ),
    refused("F11", "no version", Raw("GET /k8s/clusters/one/api\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n")),
    refused(
        "F11",
        "a version that is none",
        Raw("GET /k8s/clusters/one/api HTTP/1.2\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n"),
    ),
    refused("F12", "no Host", Raw("GET /k8s/clusters/one/api HTTP/1.1\r\nAuthorization: Bearer {T}\r\n\r\n")),
    refused("F12", "two Hosts", get!("Host: other")),
    refused(
        "F12",
        "an empty Host",
        Raw("GET /k8s/clusters/one/api HTTP/1.1\r\nHost:\r\nAuthorization: Bearer {T}\r\n\r\n"),
    ),
    Case {
        id: "F13",
        what: "a GET with a body",
        stimulus: Raw(
            "GET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\nContent-Length: 2\r\n\r\n{}",
        ),
        expected: OneOf(&[200, 400]),
        upstream: AtMostAlice,
    },
    Case {
        id: "F16",
        what: "a second request behind one that is refused",
        stimulus: Raw(
            "POST /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nContent-Length: 2\r\n\r\n{}GET /k8s/clusters/one/api \
             HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n",
        ),
        expected: Status(401),
        upstream: AtMostAlice,
    },
    refused(
        "F21",
        "an absolute target of another host",
        Raw("GET http://other/k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n"),
    ),
    refused("F22", "OPTIONS *", Raw("OPTIONS * HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n")),
    refused(
        "E23",
        "CONNECT",
        Raw("CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\nAuthorization: Bearer {T}\r\n\r\n"),
    ),
    refused(
        "E23",
        "TRACE",
        Raw("TRACE /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\n\r\n"),
    ),
    Case {
        id: "E10",
        what: "upgrade to clear-text HTTP/2",
        stimulus: get!(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
        ),
        expected: Status(200),
        upstream: Alice(&[Lacks("upgrade"), Lacks("http2-settings"), Lacks("connection")]),
    },
    Case {
        id: "E10",
        what: "upgrade to something unknown",
        stimulus: get!("Connection: Upgrade\r\nUpgrade: foo"),
        expected: Status(200),
        upstream: Alice(&[Lacks("upgrade"), Lacks("connection")]),
    },
    Case {
        id: "E11",
        what: "upgrade to one of two",
        stimulus: get!("Connection: Upgrade\r\nUpgrade: websocket, h2c"),
        expected: Status(400),
        upstream: Nothing,
    },
    Case {
        id: "E9",
        what: "a body in front of the switch",
        stimulus: get!("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5"),
        expected: Status(400),
        upstream: Nothing,
    },
    Case {
        id: "E11",
        what: "two wishes in two lines",
        stimulus: get!("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: spdy/3.1"),
        expected: Status(400),
        upstream: Nothing,
    },
    Case {
        id: "E12",
        what: "upgrade without Connection",
        stimulus: get!("Upgrade: websocket"),
        expected: Status(200),
        upstream: Alice(&[Lacks("upgrade"), Count("impersonate-user", 1)]),
    },
    Case {
        id: "F14",
        what: "a client that waits for leave to send its body",
        stimulus: post!("Expect: 100-continue\r\nContent-Length: 2", "{}"),
        expected: OneOf(&[100, 200]),
        upstream: Alice(&[Count("content-length", 1)]),
    },
    Case {
        id: "F15",
        what: "a body that nobody reads: the connection does not wait for it",
        stimulus: Raw("POST /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nContent-Length: 1000000\r\n\r\n{}"),
        expected: Status(401),
        upstream: Nothing,
    },
    Case {
        id: "F20",
        what: "three hundred headers",
        stimulus: Bulk(300, 10),
        expected: Status(431),
        upstream: Nothing,
    },
    Case {
        id: "F20",
        what: "more headers than a connection reads",
        stimulus: Bulk(2_000, 10),
        expected: RefusedOrBroken,
        upstream: Nothing,
    },
    Case {
        id: "F20",
        what: "headers of a hundred kilobytes",
        stimulus: Bulk(2, 50_000),
        expected: Status(431),
        upstream: Nothing,
    },
];
