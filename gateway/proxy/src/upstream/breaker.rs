//! The circuit breaker of one endpoint, shared by all workers.
//!
//! After a few failures in a row the endpoint rests: requests go elsewhere or fail at once, and one at a time tries it
//! again, after a wait that doubles. Without it a dead endpoint costs every request a dial timeout.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::stream::jitter;

/// Failures in a row that open the circuit.
const THRESHOLD: u32 = 3;
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(15);

/// What has become of the endpoint lately.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: AtomicU32,
    rest: Mutex<Option<Rest>>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    length: Duration,
    trying: bool,
}

/// Whether an endpoint may be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Use it.
    Use,
    /// This caller, and no other until it reports, may try.
    Try,
    /// Leave it alone for so long.
    Rest(Duration),
}

impl Breaker {
    /// What to do now. `Try` is given to one caller per rest, which is extended meanwhile, so that a caller that never
    /// reports (because its client went away) does not leave the endpoint resting for ever.
    pub(crate) fn advice(&self, now: Instant) -> Advice {
        if self.failures.load(Ordering::Relaxed) < THRESHOLD {
            return Advice::Use;
        }
        let mut rest = self.rest();
        match rest.as_mut() {
            Some(rest) if rest.until > now => Advice::Rest(rest.until - now),
            Some(rest) => {
                rest.until = now + LONGEST_REST;
                rest.trying = true;
                Advice::Try
            }
            None => Advice::Use,
        }
    }

    /// The endpoint took a connection; true when it rested before.
    pub(crate) fn succeeded(&self) -> bool {
        let rested = self.rest().take().is_some();
        self.failures.store(0, Ordering::Relaxed);
        rested
    }

    /// The endpoint could not be reached; true when it rests from now on and did not before.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < THRESHOLD {
            return false;
        }
        let mut rest = self.rest();
        let length = match *rest {
            None => FIRST_REST,
            Some(rest) if rest.trying => (rest.length * 2).min(LONGEST_REST),
            // Late news of dials that began before the rest: they are one outage, not many.
            Some(_) => return false,
        };
        // Spread by a fifth, so that replicas do not all try in the same moment.
        let until = now + length.mul_f64(0.9 + 0.2 * jitter());
        rest.replace(Rest { until, length, trying: false }).is_none()
    }

    /// Whether it is left alone.
    pub(crate) fn is_resting(&self) -> bool {
        self.rest().is_some()
    }

    fn rest(&self) -> MutexGuard<'_, Option<Rest>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        let opened: Vec<bool> = (0..THRESHOLD).map(|_| breaker.failed(now)).collect();
        assert_eq!(opened, [false, false, true], "told once");
        assert!(breaker.is_resting());
        breaker
    }

    #[test]
    fn a_few_failures_are_forgiven() {
        let now = Instant::now();
        let breaker = Breaker::default();
        (1..THRESHOLD).for_each(|_| assert!(!breaker.failed(now)));
        assert_eq!(breaker.advice(now), Advice::Use);
    }

    #[test]
    fn a_resting_endpoint_is_tried_by_one_caller_at_a_time() {
        let now = Instant::now();
        let breaker = failing(now);
        assert!(matches!(breaker.advice(now), Advice::Rest(_)));
        let due = now + Duration::from_secs(1);
        assert_eq!(breaker.advice(due), Advice::Try);
        assert!(matches!(breaker.advice(due), Advice::Rest(_)));
        assert_eq!(breaker.advice(due + LONGEST_REST), Advice::Try);
    }

    #[test]
    fn the_rest_grows_with_each_failed_try_and_ends_with_a_success() {
        let now = Instant::now();
        let breaker = failing(now);
        let Advice::Rest(first) = breaker.advice(now) else { panic!("must rest") };
        let due = now + first;
        assert_eq!(breaker.advice(due), Advice::Try);
        assert!(!breaker.failed(due), "it rested before");
        let Advice::Rest(second) = breaker.advice(due) else { panic!("must rest") };
        assert!(second > first, "{second:?} > {first:?}");
        assert!(breaker.succeeded());
        assert_eq!(breaker.advice(due), Advice::Use);
    }

    #[test]
    fn many_failures_of_one_outage_are_one() {
        let now = Instant::now();
        let breaker = failing(now);
        (0..50).for_each(|_| assert!(!breaker.failed(now)));
        assert!(matches!(breaker.advice(now), Advice::Rest(rest) if rest < Duration::from_secs(1)));
    }
}
