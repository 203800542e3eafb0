//! How long a login lasts, for whom: people of some groups log in more often than others.

use std::time::Duration;

use crate::identity::SessionIdentity;

/// A rule for the people of some groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRule {
    /// Groups as clusters see them; one is enough.
    pub groups: Vec<String>,
    /// From login to its end, whatever happens.
    pub max_age: Option<Duration>,
    /// How long a login may go unused.
    pub max_idle: Option<Duration>,
}

/// How long one login lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) max_age: Duration,
    pub(crate) max_idle: Duration,
}

/// How long a login may go unused without a rule.
const IDLE: Duration = Duration::from_hours(8);

/// The strictest of all rules that fit; none makes a login longer.
pub(crate) fn of(rules: &[SessionRule], identity: &SessionIdentity, lifetime: Duration) -> Times {
    let fits = |rule: &&SessionRule| {
        // A name that clusters are not told, because it is somebody else's, does not free anybody from its rule.
        let withheld = identity.withheld.iter().map(|group| &group.name);
        let mut names = identity.user.groups.iter().chain(withheld);
        names.any(|name| rule.groups.contains(name))
    };
    let shorter = |usual: Duration, limit: Option<Duration>| limit.map_or(usual, |limit| usual.min(limit));
    rules.iter().filter(fits).fold(Times { max_age: lifetime, max_idle: IDLE }, |times, rule| Times {
        max_age: shorter(times.max_age, rule.max_age),
        max_idle: shorter(times.max_idle, rule.max_idle),
    })
}
