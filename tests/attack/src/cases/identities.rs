//! D: identities that a provider gives, through the mapping that decides about them, to the wire.

use crate::Expected::Status;
use crate::Seen::{All, Has, Lacks};
use crate::Stimulus::Person as Who;
use crate::Upstream::{Nothing, One};
use crate::case::{Case, Person, Seen};

/// No prefixes: whatever the provider says is what the cluster would see.
const OPEN: &str = r#"{"username":{"prefix":""},"groups":{"prefix":""}}"#;
const USUAL: &str = "{}";

const ANN: Person = Person { mapping: OPEN, login: "ann", groups: &["dev"], extra: &[] };

/// Whoever comes with such a name gets no session, and nothing of theirs reaches a cluster.
const fn refused(id: &'static str, what: &'static str, person: &'static Person) -> Case {
    Case { id, what, stimulus: Who(person), expected: Status(401), upstream: Nothing }
}

const fn seen(id: &'static str, what: &'static str, person: &'static Person, seen: &'static [Seen]) -> Case {
    Case { id, what, stimulus: Who(person), expected: Status(200), upstream: One(seen) }
}

pub(crate) const CASES: &[Case] = &[
    refused("D1", "the provider names the group of all rights", &Person { groups: &["system:masters"], ..ANN }),
    seen(
        "D1",
        "a prefix makes it a group of the site",
        &Person { mapping: USUAL, groups: &["system:masters"], ..ANN },
        &[Has("impersonate-group", b"corp:system:masters")],
    ),
    refused("D2", "the group that the cluster adds itself", &Person { groups: &["system:authenticated"], ..ANN }),
    refused("D3", "the group of the unknown", &Person { groups: &["system:unauthenticated"], ..ANN }),
    refused("D3", "the group of nodes", &Person { groups: &["system:nodes"], ..ANN }),
    refused("D3", "the group of service accounts", &Person { groups: &["system:serviceaccounts"], ..ANN }),
    refused("D4", "nobody", &Person { login: "system:anonymous", ..ANN }),
    refused("D4", "an administrator of Kubernetes' own", &Person { login: "system:admin", ..ANN }),
    refused("D4", "a service account", &Person { login: "system:serviceaccount:kube-system:x", ..ANN }),
    refused("D4", "a node", &Person { login: "system:node:n1", ..ANN }),
    refused("D4", "a part of Kubernetes", &Person { login: "system:kube-controller-manager", ..ANN }),
    seen("D5", "systemic is a name", &Person { login: "systemic", ..ANN }, &[Has("impersonate-user", b"systemic")]),
    seen("D5", "so is x-system:a", &Person { login: "x-system:a", ..ANN }, &[Has("impersonate-user", b"x-system:a")]),
    refused("D6", "a reserved group in another case", &Person { groups: &["System:Masters"], ..ANN }),
    refused("D6", "a reserved user in another case", &Person { login: "SYSTEM:admin", ..ANN }),
    refused("D11", "a space before the name", &Person { login: " admin", ..ANN }),
    refused("D11", "a space behind the name", &Person { login: "admin ", ..ANN }),
    refused("D11", "a tab before the name", &Person { login: "\tadmin", ..ANN }),
    refused("D11", "a no-break space before a group", &Person { groups: &["\u{a0}admins"], ..ANN }),
    refused("D12", "a line break in the name", &Person { login: "ann\r\nImpersonate-Group: system:masters", ..ANN }),
    refused("D12", "a bare line feed in a group", &Person { groups: &["dev\nx"], ..ANN }),
    refused("D12", "a NUL in the name", &Person { login: "ann\0", ..ANN }),
    seen(
        "D13",
        "a name that is not ASCII goes as it is",
        &Person { login: "jürgen", groups: &["개발팀"], ..ANN },
        &[Has("impersonate-user", "jürgen".as_bytes()), Has("impersonate-group", "개발팀".as_bytes())],
    ),
    seen(
        "D14",
        "composed and decomposed are two names",
        &Person { groups: &["jürgen", "ju\u{308}rgen"], ..ANN },
        &[All("impersonate-group", &["jürgen".as_bytes(), "ju\u{308}rgen".as_bytes()])],
    ),
    seen(
        "D15",
        "the same name of another provider is another name",
        &Person { mapping: USUAL, login: "alice", ..ANN },
        &[Has("impersonate-user", b"corp:alice"), Has("impersonate-group", b"corp:dev")],
    ),
    refused("D16", "more groups than a request carries", &Person { groups: &["g"; 1001], ..ANN }),
    seen(
        "D17",
        "a group that is named twice",
        &Person { groups: &["dev", "ops", "dev"], ..ANN },
        &[All("impersonate-group", &[b"dev", b"ops"])],
    ),
    refused("D18", "a group without a name", &Person { groups: &["dev", ""], ..ANN }),
    seen(
        "D20",
        "a fact with a domain",
        &Person { extra: &[("example.org/site", "eu")], ..ANN },
        &[Has("impersonate-extra-example.org%2fsite", b"eu")],
    ),
    refused("D20", "a fact of Kubernetes' own", &Person { extra: &[("authentication.kubernetes.io/x", "1")], ..ANN }),
    refused("D20", "a fact of the gateway's own", &Person { extra: &[("gatewarden/principal", "1")], ..ANN }),
    refused("D20", "a fact in upper case", &Person { extra: &[("example.org/Site", "1")], ..ANN }),
    refused("D20", "a line break in a fact", &Person { extra: &[("example.org/site", "a\r\nb: c")], ..ANN }),
    seen(
        "D21",
        "the uid is the gateway's own and stays",
        &ANN,
        &[Has("impersonate-uid", b"u-ann"), Lacks("impersonate-extra-uid")],
    ),
    seen(
        "A24",
        "a comma in a group is a comma in a group",
        &Person { groups: &["a,b"], ..ANN },
        &[All("impersonate-group", &[b"a,b"])],
    ),
];
