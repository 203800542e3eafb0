//! B: headers of one hop that try to take others away, and a few that must never cross.

use crate::Expected::Status;
use crate::Seen::{Count, Has, Lacks};
use crate::Stimulus::Raw;
use crate::Upstream::Alice;
use crate::case::Case;

pub(crate) const CASES: &[Case] = &[
    named("B1", "Connection: Impersonate-User"),
    named("B2", "Connection: impersonate-group"),
    named("B3", "Connection: close, Impersonate-User"),
    Case { what: "Connection with a tab", ..named("B4", "Connection: foo,\tImpersonate-User") },
    named("B5", "Connection:    Impersonate-User"),
    Case { what: "Connection twice, the first empty", ..named("B6", "Connection: \r\nConnection: Impersonate-User") },
    named("B7", "Connection: Impersonate-Extra-Gatewarden%2fprovider"),
    named("B8", "Connection: Authorization"),
    named("B9", "Connection: Audit-Id, X-Forwarded-For"),
    Case {
        what: "Connection with all that HTTP/2 would take away with it",
        ..named(
            "B14",
            "Connection: Impersonate-User, Impersonate-Uid, Impersonate-Group, Authorization, Audit-Id, Host",
        )
    },
    Case { what: "Connection with a byte that is not text", ..named("B10", "Connection: \u{ff}, Impersonate-User") },
    Case {
        id: "B11",
        what: "headers of one hop do not cross",
        stimulus: Raw(
            "GET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\nKeep-Alive: timeout=5\r\n\
             Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: trailers\r\n\r\n",
        ),
        expected: Status(200),
        upstream: Alice(&[
            Lacks("keep-alive"),
            Lacks("proxy-connection"),
            Lacks("proxy-authorization"),
            Lacks("te"),
            Lacks("connection"),
        ]),
    },
    Case {
        id: "B11",
        what: "what Connection names goes no further",
        stimulus: Raw(
            "GET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\nConnection: X-Hop\r\n\
             X-Hop: 1\r\nX-Kept: 1\r\n\r\n",
        ),
        expected: Status(200),
        upstream: Alice(&[Lacks("x-hop"), Has("x-kept", b"1")]),
    },
    Case {
        id: "C8",
        what: "cookies do not cross",
        stimulus: crate::Stimulus::Lines(&[("Cookie", b"session=1")]),
        expected: Status(200),
        upstream: Alice(&[Lacks("cookie")]),
    },
    Case {
        id: "I10",
        what: "nobody claims another address or path",
        stimulus: crate::Stimulus::Lines(&[
            ("X-Forwarded-For", b"10.0.0.1"),
            ("X-Forwarded-Host", b"other"),
            ("Forwarded", b"for=10.0.0.1"),
            ("X-Real-Ip", b"10.0.0.1"),
            ("X-Original-Url", b"/api/v1/secrets"),
            ("X-Rewrite-Url", b"/api/v1/secrets"),
            ("X-Http-Method-Override", b"DELETE"),
        ]),
        expected: Status(200),
        upstream: Alice(&[
            Has("x-forwarded-for", b"127.0.0.1"),
            Lacks("x-forwarded-host"),
            Lacks("forwarded"),
            Lacks("x-real-ip"),
            Lacks("x-original-url"),
            Lacks("x-rewrite-url"),
            Lacks("x-http-method-override"),
        ]),
    },
];

/// The request line and head are the same in all of them; only the `Connection` lines differ.
const fn named(id: &'static str, line: &'static str) -> Case {
    Case {
        id,
        what: line,
        stimulus: crate::Stimulus::Connection(line),
        expected: Status(200),
        upstream: Alice(&[
            Lacks("connection"),
            Count("authorization", 1),
            Count("audit-id", 1),
            Has("x-forwarded-for", b"127.0.0.1"),
            Has("impersonate-group", b"corp:dev"),
            Has("impersonate-extra-gatewarden%2fprovider", b"corp"),
        ]),
    }
}
