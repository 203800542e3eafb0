//! Who is due when, and which providers are left in peace.
//!
//! For each provider the people whose sessions go on, in the order in which they are due: no more of them than the store
//! has. A provider that did not answer several times in a row is asked about one person at a time, after pauses that
//! grow; who was due meanwhile is still due when it answers again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use auth_core::{InstanceId, PrincipalId};
use jiff::Timestamp;

use super::due::spread;
use crate::users::UserId;

/// After so many questions in a row without an answer, a provider counts as down.
const PATIENCE: u32 = 3;
const SHORTEST_PAUSE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How long to leave one person alone whose groups could not be read.
const RETRY: Duration = Duration::from_secs(60);

/// The people of all providers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    providers: BTreeMap<InstanceId, Line>,
}

/// The people of one provider.
#[derive(Debug, Default)]
struct Line {
    order: BTreeSet<(Timestamp, PrincipalId)>,
    people: HashMap<PrincipalId, Waiting>,
    /// Questions in a row that were not answered.
    unanswered: u32,
    closed_until: Option<Timestamp>,
}

#[derive(Debug)]
struct Waiting {
    user: UserId,
    at: Timestamp,
    /// How often in a row this person could not be read.
    tries: u32,
}

/// What came of a question about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// The provider answered, and this is when to ask again; `None`: no session of theirs goes on.
    Next(Option<Timestamp>),
    /// The provider answered, but not with all of it; or something else was in the way.
    NotAll,
    /// The provider did not answer.
    Nothing,
    /// It was not asked: it had not answered others.
    Unasked,
}

impl Queue {
    /// Puts somebody in line, or forward when they are due before what was known.
    pub(super) fn expect(&mut self, principal: PrincipalId, user: UserId, at: Timestamp) {
        let line = self.providers.entry(principal.instance().clone()).or_default();
        match line.people.get(&principal) {
            // Whoever could not be read waits, whatever their sessions say.
            Some(known) if known.at <= at || known.tries > 0 => {}
            _ => line.put(principal, Waiting { user, at, tries: 0 }),
        }
    }

    /// Forgets everybody, and keeps what is known of the providers.
    pub(super) fn clear(&mut self) {
        for line in self.providers.values_mut() {
            line.order.clear();
            line.people.clear();
        }
    }

    /// Takes those who are due now at one provider, the longest due first, out of line until [`Queue::back`].
    pub(super) fn take(&mut self, instance: &InstanceId, now: Timestamp, most: usize) -> Vec<(PrincipalId, Taken)> {
        let Some(line) = self.providers.get_mut(instance) else { return Vec::new() };
        if !line.is_open(now) {
            return Vec::new();
        }
        let most = if line.unanswered >= PATIENCE { 1 } else { most };
        let due: Vec<PrincipalId> =
            line.order.iter().take_while(|(at, _)| *at <= now).take(most).map(|(_, who)| who.clone()).collect();
        due.into_iter().filter_map(|who| line.remove(&who).map(|waiting| (who, Taken(waiting)))).collect()
    }

    /// Whether a provider may be asked now.
    pub(super) fn is_open(&self, instance: &InstanceId, now: Timestamp) -> bool {
        self.providers.get(instance).is_none_or(|line| line.is_open(now))
    }

    /// Puts somebody back in line by what came of the question, which no other session of theirs is to wait longer for
    /// than `longest`.
    pub(super) fn back(&mut self, who: PrincipalId, taken: Taken, came: Came, (now, longest): (Timestamp, Duration)) {
        let Taken(waiting) = taken;
        let instance = who.instance().clone();
        let line = self.providers.entry(instance.clone()).or_default();
        line.learn(&instance, came, (now, longest));
        let again = |tries| {
            let wait = doubled(RETRY, tries).min(longest);
            Waiting { user: waiting.user.clone(), at: later(now, wait), tries: tries + 1 }
        };
        let next = match came {
            Came::Next(None) => return,
            Came::Next(Some(at)) => Waiting { at, tries: 0, ..again(0) },
            Came::NotAll | Came::Nothing => again(waiting.tries),
            Came::Unasked => waiting,
        };
        line.put(who, next);
    }

    /// The instances that have somebody due now and may be asked.
    pub(super) fn due(&self, now: Timestamp) -> Vec<InstanceId> {
        let due = |line: &Line| line.is_open(now) && line.order.first().is_some_and(|(at, _)| *at <= now);
        self.providers.iter().filter(|(_, line)| due(line)).map(|(id, _)| id.clone()).collect()
    }

    /// When somebody is due next, or a provider is asked again.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        self.providers.values().filter_map(Line::wakes_at).min()
    }
}

/// Somebody who was taken out of line. Has to be put back.
#[derive(Debug)]
pub(super) struct Taken(Waiting);

impl Taken {
    pub(super) const fn user(&self) -> &UserId {
        &self.0.user
    }
}

impl Line {
    fn is_open(&self, now: Timestamp) -> bool {
        self.closed_until.is_none_or(|until| until <= now)
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        let (first, _) = self.order.first()?;
        Some(self.closed_until.map_or(*first, |until| until.max(*first)))
    }

    fn put(&mut self, who: PrincipalId, waiting: Waiting) {
        if let Some(old) = self.people.get(&who) {
            self.order.remove(&(old.at, who.clone()));
        }
        self.order.insert((waiting.at, who.clone()));
        self.people.insert(who, waiting);
    }

    fn remove(&mut self, who: &PrincipalId) -> Option<Waiting> {
        let waiting = self.people.remove(who)?;
        self.order.remove(&(waiting.at, who.clone()));
        Some(waiting)
    }

    /// One that answers is asked as ever; one that does not, less and less often.
    fn learn(&mut self, instance: &InstanceId, came: Came, (now, longest): (Timestamp, Duration)) {
        match came {
            Came::Next(_) | Came::NotAll => (self.unanswered, self.closed_until) = (0, None),
            Came::Nothing => {
                self.unanswered = self.unanswered.saturating_add(1);
                let Some(beyond) = self.unanswered.checked_sub(PATIENCE) else { return };
                let pause = doubled(SHORTEST_PAUSE, beyond).min(LONGEST_PAUSE).min(longest);
                // Replicas, and the providers of one that is down with its network, do not ask in step.
                let share = 0.8 + 0.4 * spread(&format!("{instance}{now}"));
                self.closed_until = Some(later(now, pause.mul_f64(share)));
            }
            Came::Unasked => {}
        }
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(16)).unwrap_or(u32::MAX))
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_mins(5);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a moment")
    }

    fn person(name: &str) -> PrincipalId {
        format!("corp_user://{name}").parse().expect("an id")
    }

    fn corp() -> InstanceId {
        "corp".parse().expect("an id")
    }

    fn queue(people: &[(&str, i64)]) -> Queue {
        let mut queue = Queue::default();
        for (name, second) in people {
            queue.expect(person(name), UserId::of(&person(name)), at(*second));
        }
        queue
    }

    fn ask(queue: &mut Queue, now: i64, most: usize, came: Came) -> Vec<String> {
        let taken = queue.take(&corp(), at(now), most);
        let names = taken.iter().map(|(who, _)| who.external_id().to_owned()).collect();
        taken.into_iter().for_each(|(who, taken)| queue.back(who, taken, came, (at(now), LONGEST)));
        names
    }

    #[test]
    fn those_who_are_due_come_in_their_order_and_nobody_before() {
        let mut queue = queue(&[("c", 30), ("a", 10), ("b", 20), ("d", 40)]);
        assert_eq!(queue.wakes_at(), Some(at(10)));
        assert_eq!(ask(&mut queue, 30, 2, Came::Next(Some(at(100)))), ["a", "b"]);
        assert_eq!(ask(&mut queue, 30, 9, Came::Next(None)), ["c"]);
        assert_eq!(queue.wakes_at(), Some(at(40)));
        assert_eq!(ask(&mut queue, 100, 9, Came::Next(None)), ["d", "a", "b"]);
        assert_eq!((queue.wakes_at(), queue.due(at(1_000))), (None, Vec::new()), "whose sessions are over is gone");
    }

    #[test]
    fn an_earlier_session_brings_somebody_forward_and_a_later_one_does_not_hold_them_back() {
        let mut queue = queue(&[("a", 30), ("a", 50)]);
        assert_eq!(queue.wakes_at(), Some(at(30)));
        queue.expect(person("a"), UserId::of(&person("a")), at(20));
        assert_eq!(ask(&mut queue, 20, 9, Came::Next(None)), ["a"]);
        assert!(ask(&mut queue, 60, 9, Came::Next(None)).is_empty(), "once");
    }

    #[test]
    fn one_person_whose_groups_cannot_be_read_waits_longer_each_time_and_holds_up_nobody() {
        let mut queue = queue(&[("a", 0), ("b", 200)]);
        for now in [0, 60, 180] {
            assert_eq!(ask(&mut queue, now, 9, Came::NotAll), ["a"], "{now}");
            queue.expect(person("a"), UserId::of(&person("a")), at(now));
            assert!(ask(&mut queue, now + 19, 9, Came::NotAll).is_empty(), "{now}");
        }
        assert_eq!(ask(&mut queue, 200, 9, Came::Next(None)), ["b"]);
        assert_eq!(ask(&mut queue, 180 + 240, 9, Came::NotAll), ["a"]);
        assert_eq!(ask(&mut queue, 420 + 300, 9, Came::NotAll), ["a"], "and never longer than the longest");
    }

    #[test]
    fn a_provider_that_is_down_is_asked_about_one_person_at_a_time_after_growing_pauses() {
        let names: Vec<String> = (0..200).map(|n| format!("p{n}")).collect();
        let people: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
        let mut queue = queue(&people);
        assert_eq!(ask(&mut queue, 0, 4, Came::Nothing).len(), 4);
        let (mut asked, mut pauses, mut last) = (0, Vec::new(), 0);
        for now in 0..3_600 {
            let found = ask(&mut queue, now, 4, Came::Nothing);
            if !found.is_empty() {
                assert_eq!(found.len(), 1, "at {now}");
                pauses.push(now - last);
                (asked, last) = (asked + 1, now);
            }
        }
        assert!(asked < 25, "{asked} questions in an hour");
        assert!(pauses.iter().all(|pause| *pause <= 361), "{pauses:?}");
        assert_eq!(queue.due(at(last)), Vec::<InstanceId>::new());
        // It is back: the first answer opens it for all who waited.
        let wakes = queue.wakes_at().expect("some time").as_second() + 1;
        assert_eq!(ask(&mut queue, wakes, 4, Came::Next(None)).len(), 1);
        assert_eq!(ask(&mut queue, wakes, 100, Came::Next(None)).len(), 100);
    }

    #[test]
    fn one_answer_among_failures_tells_that_the_provider_is_there() {
        let mut queue = queue(&[("a", 0), ("b", 0), ("c", 0), ("d", 0), ("e", 0)]);
        for came in [Came::Nothing, Came::Nothing, Came::NotAll, Came::Nothing, Came::Nothing] {
            assert_eq!(ask(&mut queue, 0, 1, came).len(), 1, "{came:?}");
        }
        assert!(queue.is_open(&corp(), at(0)));
    }

    #[test]
    fn whoever_was_not_asked_is_still_due() {
        let mut queue = queue(&[("a", 7)]);
        assert_eq!(ask(&mut queue, 10, 9, Came::Unasked), ["a"]);
        assert_eq!(queue.wakes_at(), Some(at(7)));
    }
}
