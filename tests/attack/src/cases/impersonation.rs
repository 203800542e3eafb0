//! A: identity headers that a client writes. D13: names that are not ASCII.

use crate::Expected::{RefusedOrBroken, Status};
use crate::Seen::{Count, Has, Lacks};
use crate::Stimulus::{Lines, Raw};
use crate::Upstream::{Alice, As, NotEvenAsked, Nothing};
use crate::case::{Case, Line};

/// The cluster of the tests lets Alice act as `bob`, as nobody else, and breaks when it is asked about `broken`.
pub(crate) const CASES: &[Case] = &[
    case("A2", "act as somebody the cluster allows", Lines(&[("Impersonate-User", b"bob")]), Status(200), BOB),
    case("A3", "act as somebody the cluster denies", Lines(&[("Impersonate-User", b"root")]), Status(403), Nothing),
    case(
        "A4",
        "the review fails: no answer is no yes",
        Lines(&[("Impersonate-User", b"broken")]),
        Status(503),
        Nothing,
    ),
    case("A5", "a group without a user", Lines(&[("Impersonate-Group", b"system:masters")]), Status(400), Nothing),
    case("A6", "an extra without a user", Lines(&[("Impersonate-Extra-x", b"y")]), Status(400), Nothing),
    case("A7", "a uid without a user", Lines(&[("Impersonate-Uid", b"1")]), Status(400), Nothing),
    case(
        "A8",
        "allowed user first, forbidden second",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-User", b"root")]),
        Status(400),
        Nothing,
    ),
    case(
        "A8",
        "forbidden user first, allowed second",
        Lines(&[("Impersonate-User", b"root"), ("Impersonate-User", b"bob")]),
        Status(400),
        Nothing,
    ),
    case(
        "A9",
        "two uids",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Uid", b"1"), ("Impersonate-Uid", b"2")]),
        Status(400),
        Nothing,
    ),
    case(
        "A10",
        "an empty user with a group",
        Lines(&[("Impersonate-User", b""), ("Impersonate-Group", b"dev")]),
        Status(400),
        Nothing,
    ),
    case(
        "A11",
        "an empty group",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Group", b"")]),
        Status(400),
        Nothing,
    ),
    case("A12", "an unknown impersonation header", Lines(&[("Impersonate-Ev", b"x")]), Status(400), Nothing),
    case("A12", "an impersonation header without a name", Lines(&[("Impersonate-", b"x")]), Status(400), Nothing),
    case(
        "A12",
        "no dash: not an impersonation header, and left out",
        Lines(&[("Impersonate", b"x")]),
        Status(200),
        Alice(&[Lacks("impersonate")]),
    ),
    case(
        "A13",
        "another case",
        Raw(
            "GET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\niMPersonate-uSer: root\r\n\r\n",
        ),
        Status(403),
        Nothing,
    ),
    case(
        "A13",
        "upper case",
        Raw(
            "GET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\nIMPERSONATE-USER: root\r\n\r\n",
        ),
        Status(403),
        Nothing,
    ),
    case("A15", "an underscore", Lines(&[("Impersonate_User", b"root")]), Status(400), Nothing),
    case("A15", "an underscore in a group", Lines(&[("impersonate_group", b"system:masters")]), Status(400), Nothing),
    case("A15", "a dot", Lines(&[("Impersonate.User", b"root")]), Status(400), Nothing),
    case(
        "A16",
        "a look-alike that is no token",
        Raw(
            "GET /k8s/clusters/one/api HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\nImpersonate\u{2010}User: root\r\n\r\n",
        ),
        RefusedOrBroken,
        Nothing,
    ),
    case("A16", "an escaped dash", Lines(&[("Impersonate%2DUser", b"root")]), Status(400), Nothing),
    case(
        "A17",
        "headers of a front proxy",
        Lines(&[
            ("X-Remote-User", b"root"),
            ("X-Remote-Uid", b"1"),
            ("X-Remote-Group", b"system:masters"),
            ("X-Remote-Extra-Scopes", b"all"),
        ]),
        Status(200),
        Alice(&[
            Lacks("x-remote-user"),
            Lacks("x-remote-uid"),
            Lacks("x-remote-group"),
            Lacks("x-remote-extra-scopes"),
        ]),
    ),
    case(
        "A18",
        "headers that look like the gateway's own",
        Lines(&[("X-Gatewarden-User", b"root")]),
        Status(200),
        Alice(&[Lacks("x-gatewarden-user")]),
    ),
    case(
        "A19",
        "act as a service account that the cluster denies",
        Lines(&[("Impersonate-User", b"system:serviceaccount:dev:default")]),
        Status(403),
        Nothing,
    ),
    case(
        "A20",
        "a uid that the cluster allows",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Uid", b"7")]),
        Status(200),
        As("bob", &[Has("impersonate-uid", b"7")]),
    ),
    case(
        "A20",
        "a uid that the cluster denies",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Uid", b"8")]),
        Status(403),
        Nothing,
    ),
    case(
        "A21",
        "a fact that the cluster allows",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Extra-Example.org%2fsite", b"eu")]),
        Status(200),
        As("bob", &[Has("impersonate-extra-example.org%2fsite", b"eu")]),
    ),
    case(
        "A21",
        "another value of it",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Extra-Example.org%2fsite", b"us")]),
        Status(403),
        Nothing,
    ),
    case(
        "A17",
        "headers of a front proxy with an underscore",
        Lines(&[("X_Remote_User", b"root"), ("X-Remote.Group", b"system:masters")]),
        Status(200),
        Alice(&[Lacks("x_remote_user"), Lacks("x-remote.group")]),
    ),
    case("A22", "a hundred groups that the cluster denies", Lines(MANY), Status(403), Nothing),
    case("A22", "three hundred groups: the cluster is not asked", Lines(MORE), Status(431), NotEvenAsked),
    case("A22", "ten thousand groups", Lines(TOO_MANY), RefusedOrBroken, NotEvenAsked),
    case(
        "A25",
        "nothing of the client's identity stays beside ours",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Group", b"readers")]),
        Status(200),
        As("bob", &[Count("impersonate-group", 1), Has("impersonate-group", b"readers")]),
    ),
    case(
        "A27",
        "an identity in trailers",
        Raw(
            "POST /k8s/clusters/one/api/v1/namespaces/dev/pods HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: chunked\r\nTrailer: Impersonate-User\r\n\r\n2\r\n{}\r\n0\r\nImpersonate-User: root\r\n\r\n",
        ),
        Status(200),
        Alice(&[Lacks("trailer")]),
    ),
    case(
        "A28",
        "an identity on the gateway's own API",
        Raw("GET /api/v1/me HTTP/1.1\r\nHost: {H}\r\nAuthorization: Bearer {T}\r\nImpersonate-User: root\r\n\r\n"),
        Status(400),
        Nothing,
    ),
    case(
        "A28",
        "an identity on the way to log in",
        Raw(
            "POST /api/v1/providers/corp/login HTTP/1.1\r\nHost: {H}\r\nImpersonate-User: root\r\nContent-Length: 2\r\n\r\n{}",
        ),
        Status(400),
        Nothing,
    ),
    case(
        "D1",
        "act with the group of all rights",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Group", b"system:masters")]),
        Status(403),
        Nothing,
    ),
    case(
        "D3",
        "act with the group of all nodes",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Group", b"system:nodes")]),
        Status(403),
        Nothing,
    ),
    case(
        "D4",
        "act as a part of Kubernetes",
        Lines(&[("Impersonate-User", b"system:kube-controller-manager")]),
        Status(403),
        Nothing,
    ),
    case(
        "D9",
        "nobody asks a cluster about a reserved name",
        Lines(&[("Impersonate-User", b"bob"), ("Impersonate-Group", b"system:monitoring")]),
        Status(403),
        NotEvenAsked,
    ),
    case("D4", "act as nobody", Lines(&[("Impersonate-User", b"system:anonymous")]), Status(403), Nothing),
    case("D4", "act as a node", Lines(&[("Impersonate-User", b"system:node:n1")]), Status(403), Nothing),
];

const BOB: crate::Upstream = As("bob", &[Has("impersonate-extra-gatewarden%2foriginal-user", b"corp:alice")]);

const MANY: &[Line] = &groups::<101>();
const MORE: &[Line] = &groups::<301>();
const TOO_MANY: &[Line] = &groups::<10_001>();

const fn groups<const LINES: usize>() -> [Line; LINES] {
    let mut lines: [Line; LINES] = [("Impersonate-Group", b"writers"); LINES];
    lines[0] = ("Impersonate-User", b"bob");
    lines
}

const fn case(
    id: &'static str,
    what: &'static str,
    stimulus: crate::Stimulus,
    expected: crate::Expected,
    upstream: crate::Upstream,
) -> Case {
    Case { id, what, stimulus, expected, upstream }
}
