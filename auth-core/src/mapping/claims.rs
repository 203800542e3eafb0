//! What a provider says about a person, for the rules that read it.

use super::Extra;
use crate::Principal;

/// A person as their provider tells of them, with the groups that the filter takes, under the names that `rename`
/// gives them.
#[derive(Debug)]
pub(super) struct Claims<'a> {
    pub(super) user: &'a Principal,
    pub(super) groups: Vec<(&'a str, &'a Principal)>,
    pub(super) extra: &'a Extra,
}
