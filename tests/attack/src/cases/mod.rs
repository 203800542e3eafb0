//! All cases, a file for each area.

mod answers;
mod frames;
mod framing;
mod hops;
mod identities;
mod impersonation;
mod routing;
mod upgrades;

use crate::{Case, Exchange};

/// Every case, in the order of the ids.
#[must_use]
pub fn all() -> Vec<Case> {
    [impersonation::CASES, identities::CASES, hops::CASES, framing::CASES, frames::CASES, routing::CASES].concat()
}

/// Every exchange.
#[must_use]
pub fn exchanges() -> Vec<Exchange> {
    [upgrades::EXCHANGES, answers::EXCHANGES].concat()
}

/// What belongs to an area and cannot be tried here: id, what it is, and why.
pub(crate) const WAITING: &[[&str; 3]] = &[
    ["A1", "acting as others is switched off", "there is no such switch: the cluster is asked each time"],
    [
        "A23",
        "a verdict is kept for a short time alone",
        "time is a test's own: see the tests of `impersonate::reviews`",
    ],
    ["A26", "another gateway in front", "waits for trusted front proxies"],
    ["D7", "a prefix that begins with a reserved name", "no such mapping starts: see auth-core's mapping tests"],
    ["D8", "groups of Kubernetes' own that a site allows", "there is no such list: a reserved name stays reserved"],
    [
        "D10",
        "a refused identity is logged with what was presented",
        "see the tests of the login in `gatewarden-control`",
    ],
    ["D19", "a caller who is nobody", "waits for anonymous requests"],
];
