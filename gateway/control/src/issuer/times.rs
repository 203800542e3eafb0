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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTimes {
    /// From login to its end.
    pub max_age: Limit,
    /// How long it may go unused; of a login at the issuer alone.
    pub max_idle: Limit,
}

/// A time, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// How long.
    pub span: Duration,
    /// The rule, by its place, and the group by which it fits; none where it is the same for everybody.
    pub by: Option<(usize, String)>,
}

/// How long a login may go unused without a rule.
const IDLE: Duration = Duration::from_hours(8);

/// The strictest of all rules that fit; none makes a login longer.
#[must_use]
pub fn session_times(rules: &[SessionRule], identity: &SessionIdentity, lifetime: Duration) -> SessionTimes {
    let usual = |span| Limit { span, by: None };
    let mut times = SessionTimes { max_age: usual(lifetime), max_idle: usual(IDLE) };
    for (place, rule) in rules.iter().enumerate() {
        let Some(group) = fits(rule, identity) else { continue };
        times.max_age.shorten(rule.max_age, (place, group));
        times.max_idle.shorten(rule.max_idle, (place, group));
    }
    times
}

/// The group by which a rule is about somebody.
fn fits<'a>(rule: &SessionRule, identity: &'a SessionIdentity) -> Option<&'a str> {
    // A name that clusters are not told, because it is somebody else's, does not free anybody from its rule.
    let withheld = identity.withheld.iter().map(|group| &group.name);
    identity.user.groups.iter().chain(withheld).find(|name| rule.groups.contains(name)).map(String::as_str)
}

impl Limit {
    fn shorten(&mut self, span: Option<Duration>, (place, group): (usize, &str)) {
        if let Some(span) = span.filter(|span| *span < self.span) {
            *self = Self { span, by: Some((place, group.to_owned())) };
        }
    }
}

#[cfg(test)]
mod tests {
    use kube_wire::UserInfo;

    use super::*;
    use crate::identity::WithheldGroup;

    const LIFE: Duration = Duration::from_hours(12);

    fn rule(group: &str, age: Option<u64>, idle: Option<u64>) -> SessionRule {
        let span = |hours: Option<u64>| hours.map(Duration::from_hours);
        SessionRule { groups: vec![group.to_owned()], max_age: span(age), max_idle: span(idle) }
    }

    fn person(groups: &[&str], withheld: &[&str]) -> SessionIdentity {
        let principal: auth_core::PrincipalId = "corp_group://1".parse().expect("an id");
        let withheld = withheld.iter().map(|name| WithheldGroup {
            name: (*name).to_owned(),
            principal: principal.clone(),
            owner: "corp_group://2".to_owned(),
        });
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let user = UserInfo { groups, ..UserInfo::named("corp:alice") };
        SessionIdentity { user, subjects: Vec::new(), withheld: withheld.collect() }
    }

    type By<'a> = Option<(usize, &'a str)>;

    fn hours(limit: &Limit) -> (u64, By<'_>) {
        (limit.span.as_secs() / 3_600, limit.by.as_ref().map(|(place, group)| (*place, group.as_str())))
    }

    #[test]
    fn each_time_names_the_rule_that_gave_it() {
        let rules = [rule("ops", Some(6), Some(4)), rule("root", Some(2), None), rule("night", None, Some(1))];
        let times = session_times(&rules, &person(&["dev", "ops", "root", "night"], &[]), LIFE);
        assert_eq!(hours(&times.max_age), (2, Some((1, "root"))));
        assert_eq!(hours(&times.max_idle), (1, Some((2, "night"))));
        let times = session_times(&rules, &person(&["dev"], &[]), LIFE);
        assert_eq!((hours(&times.max_age), hours(&times.max_idle)), ((12, None), (8, None)));
    }

    #[test]
    fn no_rule_makes_a_login_longer() {
        let times = session_times(&[rule("dev", Some(100), Some(100))], &person(&["dev"], &[]), LIFE);
        assert_eq!((hours(&times.max_age), hours(&times.max_idle)), ((12, None), (8, None)));
    }

    #[test]
    fn a_group_whose_name_is_withheld_shortens_the_login_all_the_same() {
        let times = session_times(&[rule("root", Some(2), Some(1))], &person(&["dev"], &["root"]), LIFE);
        assert_eq!(hours(&times.max_age), (2, Some((0, "root"))));
        assert_eq!(hours(&times.max_idle), (1, Some((0, "root"))));
    }
}
