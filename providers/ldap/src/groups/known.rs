//! Which groups hold which, remembered for some seconds.
//!
//! Many people log in through the same few groups, and groups of groups change seldom. What a person is in is never
//! remembered: that is asked each time, and a membership that was taken away is gone at once.
//!
//! A group is known by its DN as the directory wrote it, byte for byte: where two spellings are one group that costs a
//! question, and where they are two, neither gets what the other is in.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth_core::Principal;

/// Groups and their names that may be remembered in all. Beyond it, everything is forgotten.
const MOST: usize = 100_000;

/// A group as an answer brought it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// As the directory wrote it.
    pub(super) dn: String,
    pub(super) principal: Principal,
}

/// Answers to "which groups hold one of these?".
#[derive(Debug, Default)]
pub(crate) struct Known {
    kept: Duration,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    of: HashMap<Vec<String>, Answer>,
    weight: usize,
}

#[derive(Debug)]
struct Answer {
    until: Instant,
    groups: Arc<[Group]>,
}

impl Known {
    /// Remembers each answer for so long; nothing for no time.
    pub(crate) fn keeping(kept: Duration) -> Self {
        Self { kept, answers: Mutex::default() }
    }

    /// The groups that hold one of `members`, if that was asked lately.
    pub(super) fn holding(&self, members: &[String], now: Instant) -> Option<Arc<[Group]>> {
        let answers = self.lock();
        let answer = answers.of.get(members).filter(|answer| now < answer.until)?;
        Some(Arc::clone(&answer.groups))
    }

    /// Takes in a whole answer. When nothing holds any of them, that is known of each.
    pub(super) fn remember(&self, members: &[String], groups: Vec<Group>, now: Instant) {
        if self.kept.is_zero() {
            return;
        }
        let (until, groups) = (now + self.kept, Arc::<[Group]>::from(groups));
        let mut answers = self.lock();
        if answers.weight > MOST {
            *answers = Answers::default();
        }
        if groups.is_empty() {
            for member in members {
                answers.put(vec![member.clone()], Answer { until, groups: Arc::clone(&groups) });
            }
        }
        answers.put(members.to_vec(), Answer { until, groups });
    }

    /// Forgets every answer about one of `members`: what a new one says must not be contradicted by an older one.
    pub(super) fn forget(&self, members: &[String]) {
        let members: HashSet<&String> = members.iter().collect();
        let mut answers = self.lock();
        answers.of.retain(|asked, _| !asked.iter().any(|member| members.contains(member)));
        answers.weight = answers.of.iter().map(|(asked, answer)| asked.len() + answer.groups.len()).sum();
    }

    // No code that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn put(&mut self, members: Vec<String>, answer: Answer) {
        self.weight += members.len() + answer.groups.len();
        self.of.insert(members, answer);
    }
}

#[cfg(test)]
mod tests {
    use auth_core::Clock as _;
    use auth_core::testing::ManualClock;

    use super::*;

    fn dn(text: &str) -> String {
        text.to_owned()
    }

    fn group(name: &str) -> Group {
        let id = format!("corp_group://{name}").parse().unwrap();
        Group { dn: format!("cn={name}"), principal: Principal::new(id, name) }
    }

    #[test]
    fn an_answer_is_known_for_its_time_and_for_the_same_question() {
        let (known, now) = (Known::keeping(Duration::from_secs(10)), ManualClock::new().monotonic());
        let both = [dn("cn=a"), dn("cn=b")];
        known.remember(&both, vec![group("c")], now);
        let names = |members: &[String], at| known.holding(members, at).map(|groups| groups.len());
        assert_eq!(names(&both, now + Duration::from_secs(9)), Some(1));
        assert_eq!(names(&both, now + Duration::from_secs(10)), None);
        assert_eq!(names(&both[..1], now), None, "which of the two it holds was not said");
    }

    #[test]
    fn nothing_that_holds_many_holds_each() {
        let (known, now) = (Known::keeping(Duration::from_secs(10)), ManualClock::new().monotonic());
        let both = [dn("cn=a"), dn("cn=b")];
        known.remember(&both, Vec::new(), now);
        assert_eq!(known.holding(&both[1..], now).map(|groups| groups.len()), Some(0));
        assert!(known.holding(&[dn("CN=b")], now).is_none(), "another spelling may be another group");
    }

    #[test]
    fn a_new_answer_leaves_no_older_one_about_the_same_group() {
        let (known, now) = (Known::keeping(Duration::from_secs(10)), ManualClock::new().monotonic());
        let (a, b, c) = (dn("cn=a"), dn("cn=b"), dn("cn=c"));
        known.remember(std::slice::from_ref(&a), vec![group("parent")], now);
        known.remember(&[a.clone(), b.clone()], vec![group("parent")], now);
        known.remember(std::slice::from_ref(&c), vec![group("parent")], now);
        known.forget(&[b, a.clone()]);
        assert!(known.holding(&[a], now).is_none(), "asked alone");
        let (answers, weight) = {
            let held = known.lock();
            (held.of.len(), held.weight)
        };
        assert_eq!((answers, weight), (1, 2), "the others stay, and are counted");
        assert!(known.holding(&[c], now).is_some());
    }

    #[test]
    fn what_is_kept_is_bounded_and_may_be_nothing() {
        let now = ManualClock::new().monotonic();
        let off = Known::keeping(Duration::ZERO);
        off.remember(&[dn("cn=a")], Vec::new(), now);
        assert!(off.holding(&[dn("cn=a")], now).is_none());
        let known = Known::keeping(Duration::from_secs(10));
        for number in 0..MOST {
            known.remember(&[dn(&format!("cn={number}"))], vec![group("c")], now);
        }
        assert!(known.lock().of.len() < MOST, "it grows without end");
    }
}
