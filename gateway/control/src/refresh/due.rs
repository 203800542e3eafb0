//! When a session is read anew.

use std::time::Duration;

use jiff::Timestamp;

use crate::control::Settings;
use crate::sessions::SessionId;

/// Between 0.9 and 1.1 intervals after its last refetch, so that the logins of one morning do not ask all at once for
/// the rest of the day; and well before its identity is too old to be served, whatever the interval.
pub(crate) fn due_at(session: &SessionId, refreshed_at: Timestamp, settings: &Settings) -> Timestamp {
    let usual = settings.refresh_interval.mul_f64(0.9 + 0.2 * spread(session.as_str()));
    let latest = settings.max_staleness.map_or(Duration::MAX, |limit| limit.mul_f64(0.75));
    refreshed_at.saturating_add(usual.min(latest)).unwrap_or(Timestamp::MAX)
}

/// A place between 0 and 1 that a name always gets.
pub(super) fn spread(name: &str) -> f64 {
    let sum = name.bytes().fold(0_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
    f64::from(sum % 1_000) / 1_000.0
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn waits(settings: &Settings) -> HashSet<u64> {
        let wait = |id: &SessionId| {
            let due = due_at(id, Timestamp::UNIX_EPOCH, settings);
            u64::try_from(due.as_second()).expect("later")
        };
        (0..200).map(|_| wait(&SessionId::random())).collect()
    }

    #[test]
    fn sessions_come_due_spread_around_the_interval_and_never_far_from_it() {
        let due = waits(&Settings::default());
        assert!(due.iter().all(|second| (810..=990).contains(second)), "{due:?}");
        assert!(due.len() > 20, "they would all ask at once: {due:?}");
    }

    #[test]
    fn nobody_waits_for_a_question_until_their_groups_are_too_old() {
        let settings = Settings { max_staleness: Some(Duration::from_secs(1_000)), ..Settings::default() };
        let due = waits(&settings);
        assert!(due.iter().all(|second| *second <= 750), "{due:?}");
    }
}
