//! The suites, and the facts in each.

/// A table of facts, named as the functions are.
macro_rules! facts {
    ($($fact:ident),+ $(,)?) => {
        &[$($crate::Fact { name: stringify!($fact), prove: |bench| Box::pin($fact(bench)) }),+]
    };
}

mod groups;
mod hostile;
mod identity;
mod password;
mod search;

use crate::Suite;

/// Every suite, in the order of a report.
#[must_use]
pub fn all() -> [Suite; 5] {
    [identity::SUITE, password::SUITE, groups::SUITE, search::SUITE, hostile::SUITE]
}
