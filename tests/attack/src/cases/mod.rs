//! All cases, a file for each group of the checklist.

mod framing;
mod hops;
mod impersonation;
mod routing;

use crate::Case;

/// Every case, in the order of the checklist.
#[must_use]
pub fn all() -> Vec<Case> {
    [impersonation::CASES, hops::CASES, framing::CASES, routing::CASES].concat()
}
