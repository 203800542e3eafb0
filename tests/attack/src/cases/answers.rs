//! B13–B15, F14–F19: what a cluster answers, also wrongly.

use crate::exchange::Header::{Is, None as No, Once};
use crate::exchange::{Answer, Ask, Exchange, Header, Http2, Then, Told};

/// An answer over HTTP/1.1 alone, after which the connection goes on.
const fn http1(http1: &'static str) -> Answer {
    Answer { http1, before: ("", 0), http2: None, then: Then::Goes }
}

const fn cut(text: &'static str, http2: Option<Http2>) -> Answer {
    Answer { http2, then: Then::Closes, ..http1(text) }
}

const fn get(id: &'static str, what: &'static str, answer: Answer, told: Told) -> Exchange {
    Exchange { id, what, ask: Ask::Plain("GET"), answer, told }
}

/// The same answer over HTTP/2, without a body of its own where `body` is `None`.
const fn both(http1_text: &'static str, status: u16, fields: crate::Fields, body: Option<&'static str>) -> Answer {
    Answer { http2: Some(Http2 { status, fields, body }), ..http1(http1_text) }
}

/// What a cluster tells its clients, and what it tells the hop before it.
const KEPT: &[Header] = &[
    Is("warning", "299 - \"old\""),
    Is("x-kubernetes-pf-flowschema-uid", "u"),
    Once("audit-id"),
    No("keep-alive"),
    No("proxy-connection"),
    No("set-cookie"),
];

pub(crate) const EXCHANGES: &[Exchange] = &[
    get(
        "B13",
        "what a cluster tells one hop goes no further, the rest does",
        Answer {
            http2: Some(Http2 {
                status: 200,
                fields: &[("warning", "299 - \"old\""), ("x-kubernetes-pf-flowschema-uid", "u"), ("set-cookie", "a=b")],
                body: Some("{}"),
            }),
            ..http1(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
                 Proxy-Connection: keep-alive\r\nSet-Cookie: a=b\r\nWarning: 299 - \"old\"\r\n\
                 X-Kubernetes-Pf-Flowschema-Uid: u\r\n\r\n{}",
            )
        },
        Told::Whole(200, KEPT, "{}"),
    ),
    get(
        "B15",
        "a cluster's Connection takes no header of ours away",
        http1("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Audit-Id, X-Hop\r\nX-Hop: 1\r\n\r\n{}"),
        Told::Whole(200, &[Once("audit-id"), No("x-hop")], "{}"),
    ),
    get(
        "E7",
        "a switch that nobody asked for",
        both("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 101, &[], None),
        Told::Refused(502),
    ),
    get(
        "F17",
        "two lengths that differ",
        both(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
            200,
            &[("content-length", "2"), ("content-length", "3")],
            Some("{}"),
        ),
        Told::Refused(502),
    ),
    get(
        "F17",
        "a length that is no number",
        both("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}", 200, &[("content-length", "+2")], Some("{}")),
        Told::Refused(502),
    ),
    get(
        "F17",
        "a list of lengths",
        both("HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{} ", 200, &[("content-length", "2, 3")], Some("{}")),
        Told::Refused(502),
    ),
    get(
        "F17",
        "a line break and a second answer within a value",
        http1("HTTP/1.1 200 OK\r\nX-A: 1\r\n\tHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        Told::Refused(502),
    ),
    get(
        "F17",
        "a second answer behind the first",
        http1("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfoe"),
        Told::Whole(200, &[], "{}"),
    ),
    get(
        "F17",
        "a length and chunks",
        http1("HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        Told::Refused(502),
    ),
    get("F17", "a status that is no number", http1("HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"), Told::Refused(502)),
    get("F17", "a status of two digits", http1("HTTP/1.1 99 OK\r\nContent-Length: 0\r\n\r\n"), Told::Refused(502)),
    get("F17", "no status line at all", http1("{\"kind\":\"Pod\"}\r\n\r\n"), Told::Refused(502)),
    get(
        "F17",
        "a hundred early hints and then the answer",
        Answer {
            before: ("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 100),
            ..http1("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        },
        Told::Whole(200, &[No("link")], "{}"),
    ),
    get(
        "F17",
        "a head that is larger than anybody reads",
        both("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{300K}\r\n{}", 200, &[("x-large", "{150K}")], Some("{}")),
        Told::Refused(502),
    ),
    Exchange {
        ask: Ask::Plain("HEAD"),
        ..get(
            "F18",
            "HEAD has the length of what it does not carry",
            Answer {
                http2: Some(Http2 { status: 200, fields: &[("content-length", "5")], body: None }),
                ..http1("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            },
            Told::Whole(200, &[Is("content-length", "5")], ""),
        )
    },
    get(
        "F18",
        "no content",
        Answer {
            http2: Some(Http2 { status: 204, fields: &[], body: None }),
            ..http1("HTTP/1.1 204 No Content\r\n\r\n")
        },
        Told::Whole(204, &[No("transfer-encoding")], ""),
    ),
    get(
        "F18",
        "not modified",
        Answer {
            http2: Some(Http2 { status: 304, fields: &[("etag", "\"1\"")], body: None }),
            ..http1("HTTP/1.1 304 Not Modified\r\nEtag: \"1\"\r\n\r\n")
        },
        Told::Whole(304, &[Is("etag", "\"1\"")], ""),
    ),
    get(
        "F19",
        "a body that ends before its length",
        cut(
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
            Some(Http2 { status: 200, fields: &[("content-length", "10")], body: Some("{}") }),
        ),
        Told::Cut(200),
    ),
    get(
        "F19",
        "a body that ends between two chunks",
        cut(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
            Some(Http2 { status: 200, fields: &[], body: Some("{}") }),
        ),
        Told::Cut(200),
    ),
    get(
        "F19",
        "a body that ends inside a chunk",
        cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}", None),
        Told::Cut(200),
    ),
];
