//! I: targets that one reader walks differently than another.

use crate::Expected::{OneOf, Status};
use crate::Seen::Target as Arrives;
use crate::Stimulus::{Lines, Target};
use crate::Upstream::{Alice, Nothing};
use crate::case::Case;

const fn refused(id: &'static str, what: &'static str, target: &'static str) -> Case {
    Case { id, what, stimulus: Target(target), expected: OneOf(&[400, 403, 404]), upstream: Nothing }
}

const fn token(what: &'static str, target: &'static str) -> Case {
    Case { id: "C9", what, stimulus: Target(target), expected: Status(400), upstream: Nothing }
}

const fn untouched(what: &'static str, target: &'static str, arrives: &'static [crate::Seen]) -> Case {
    Case { id: "I5", what, stimulus: Target(target), expected: Status(200), upstream: Alice(arrives) }
}

pub(crate) const CASES: &[Case] = &[
    refused("I1", "dot segments", "/k8s/clusters/one/../two/api"),
    refused("I1", "dot segments that are encoded", "/k8s/clusters/one/%2e%2e/two/api"),
    refused("I1", "dot segments with a parameter", "/k8s/clusters/one/..;/two/api"),
    refused("I1", "backslashes", "/k8s/clusters/one/\\..\\two/api"),
    refused("I2", "an encoded slash in the id", "/k8s/clusters/one%2Ftwo/api"),
    refused("I3", "doubled slashes", "//k8s//clusters//one//api"),
    refused("I4", "an id in another case", "/k8s/clusters/One/api"),
    refused("I4", "an id with a dot at its end", "/k8s/clusters/one./api"),
    refused("I4", "an empty id", "/k8s/clusters//api"),
    refused("I15", "a cluster that is not there", "/k8s/clusters/nowhere/api"),
    token("a token in the path", "/k8s/clusters/one/api/gwt-abcdefghijk2:0123456789abcdefghij"),
    token("a token in the query", "/k8s/clusters/one/api?token=gwt-abcdefghijk2:0123456789abcdefghij"),
    token("a token in the query, escaped", "/k8s/clusters/one/api?x=gwt-abcdefghijk2%3A0123456789abcdefghij"),
    Case {
        id: "C9",
        what: "a token in another header",
        stimulus: Lines(&[("X-Token", b"gwt-abcdefghijk2:0123456789abcdefghij")]),
        expected: Status(400),
        upstream: Nothing,
    },
    untouched(
        "the path of a pod's own server",
        "/k8s/clusters/one/api/v1/namespaces/dev/pods/p/proxy/a%2Fb;c//d?e=%zz;f&e=g",
        &[Arrives("/api/v1/namespaces/dev/pods/p/proxy/a%2Fb;c//d?e=%zz;f&e=g")],
    ),
    untouched(
        "an odd query",
        "/k8s/clusters/one/api/v1/pods?watch=0&watch=0;x&labelSelector=a%3Db",
        &[Arrives("/api/v1/pods?watch=0&watch=0;x&labelSelector=a%3Db")],
    ),
];
