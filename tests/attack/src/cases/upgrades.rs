//! E1–E13: leaving HTTP, and what must not follow when the cluster does not agree.

use crate::exchange::{Answer, Ask, Exchange, Then, Told};

const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n";
const SPDY: &str = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n";
const PORT_FORWARD: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n";
/// What would be a second request if it reached a cluster that did not switch.
const HIDDEN: &str = "GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nImpersonate-User: root\r\n\r\n";

const fn switches(http1: &'static str) -> Answer {
    Answer { http1, before: ("", 0), http2: None, then: Then::Tunnels }
}

const fn refuses(http1: &'static str) -> Answer {
    Answer { then: Then::Goes, ..switches(http1) }
}

/// An answer of the cluster's that is none of a switch goes to the client as it is, and nothing follows it.
const fn relayed(what: &'static str, answer: &'static str, status: u16) -> Exchange {
    Exchange {
        id: "E4",
        what,
        ask: Ask::Upgrade("GET", WEBSOCKET, HIDDEN),
        answer: refuses(answer),
        told: Told::Whole(status, &[], "{}"),
    }
}

const fn refused(id: &'static str, what: &'static str, answer: &'static str) -> Exchange {
    Exchange {
        id,
        what,
        ask: Ask::Upgrade("GET", WEBSOCKET, HIDDEN),
        answer: refuses(answer),
        told: Told::Refused(502),
    }
}

const WEBSOCKET_101: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfrom the cluster \0\x01\x02";
const SPDY_101: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nfrom the cluster \0\x01\x02";
const BYTES: &str = "from the cluster \0\x01\x02";

pub(crate) const EXCHANGES: &[Exchange] = &[
    Exchange {
        id: "E1",
        what: "SPDY: what both sides say arrives as it was said",
        ask: Ask::Upgrade("POST", SPDY, "from the client \0\x03"),
        answer: switches(SPDY_101),
        told: Told::Tunnel(BYTES),
    },
    Exchange {
        id: "E2",
        what: "WebSocket: what both sides say arrives as it was said",
        ask: Ask::Upgrade("GET", WEBSOCKET, "from the client \0\x03"),
        answer: switches(WEBSOCKET_101),
        told: Told::Tunnel(BYTES),
    },
    Exchange {
        id: "E3",
        what: "a port-forward in a WebSocket",
        ask: Ask::Upgrade("GET", PORT_FORWARD, "from the client \0\x03"),
        answer: switches(WEBSOCKET_101),
        told: Told::Tunnel(BYTES),
    },
    relayed("the cluster forbids the switch", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}", 403),
    relayed("there is nothing to switch to", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", 404),
    relayed("the switch fails", "HTTP/1.1 500 Internal\r\nContent-Length: 2\r\n\r\n{}", 500),
    Exchange {
        id: "E5",
        // RFC 9110 §7.8: a server may ignore the wish. A pod's own server does.
        ..relayed("the cluster does not switch", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200)
    },
    refused(
        "E6",
        "the cluster switches to something else",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ),
    refused("E6", "the cluster switches to nothing", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    Exchange {
        id: "E8",
        what: "early hints before the switch",
        ask: Ask::Upgrade("GET", WEBSOCKET, "from the client \0\x03"),
        answer: Answer {
            before: ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n", 2),
            ..switches(WEBSOCKET_101)
        },
        told: Told::Tunnel(BYTES),
    },
    Exchange {
        id: "E9",
        what: "what comes before the switch waits for it",
        ask: Ask::Upgrade("GET", WEBSOCKET, HIDDEN),
        answer: switches(WEBSOCKET_101),
        told: Told::Tunnel(BYTES),
    },
    Exchange {
        id: "E13",
        what: "Connection names more than Upgrade",
        ask: Ask::Upgrade("POST", "Connection: keep-alive, Upgrade\r\nUpgrade: SPDY/3.1\r\n", "x"),
        answer: switches(SPDY_101),
        told: Told::Tunnel(BYTES),
    },
];
