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
mod redirect;
mod refresh;
mod search;
mod state;
mod token;

use crate::Suite;

/// Every suite, in the order of a report.
#[must_use]
pub fn all() -> [Suite; 9] {
    [
        identity::SUITE,
        password::SUITE,
        redirect::SUITE,
        state::SUITE,
        token::SUITE,
        groups::SUITE,
        refresh::SUITE,
        search::SUITE,
        hostile::SUITE,
    ]
}
