//! Which servers are worth a try.
//!
//! A server that failed rests, longer each time, so that a dead first server does not cost every
//! login its connect timeout. When the rest is over one caller tries it while the others still go
//! past it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use auth_core::Clock;

use crate::connection::Server;
use crate::failure::Failure;

const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(15);

/// The servers, in order of preference, with what we know of each.
#[derive(Debug)]
pub(super) struct Health {
    servers: Vec<Member>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Member {
    server: Server,
    rest: Mutex<Rest>,
}

#[derive(Debug, Default)]
struct Rest {
    failures: u32,
    until: Option<Instant>,
}

impl Health {
    pub(super) fn new(servers: Vec<Server>, clock: Arc<dyn Clock>) -> Self {
        Self { servers: servers.into_iter().map(|server| Member { server, rest: Mutex::default() }).collect(), clock }
    }

    pub(super) fn server(&self, at: usize) -> Option<&Server> {
        self.servers.get(at).map(|member| &member.server)
    }

    /// The servers to try now, best first.
    pub(super) fn candidates(&self) -> Result<Vec<usize>, Failure> {
        let now = self.clock.monotonic();
        let mut soonest = LONGEST_REST;
        let mut awake = Vec::new();
        for (at, member) in self.servers.iter().enumerate() {
            let mut rest = member.rest.lock().unwrap_or_else(PoisonError::into_inner);
            match rest.until.map(|until| until.saturating_duration_since(now)) {
                None => awake.push(at),
                Some(Duration::ZERO) => {
                    rest.until = now.checked_add(FIRST_REST);
                    awake.push(at);
                }
                Some(left) => soonest = soonest.min(left),
            }
        }
        if awake.is_empty() { Err(Failure::AllDown { retry_after: soonest.max(FIRST_REST) }) } else { Ok(awake) }
    }

    pub(super) fn worked(&self, at: usize) {
        self.update(at, |rest, _| *rest = Rest::default());
    }

    pub(super) fn failed(&self, at: usize) {
        self.update(at, |rest, now| {
            let length = FIRST_REST.saturating_mul(2_u32.saturating_pow(rest.failures.min(8))).min(LONGEST_REST);
            rest.failures = rest.failures.saturating_add(1);
            rest.until = now.checked_add(length);
        });
    }

    fn update(&self, at: usize, change: impl FnOnce(&mut Rest, Instant)) {
        if let Some(member) = self.servers.get(at) {
            change(&mut member.rest.lock().unwrap_or_else(PoisonError::into_inner), self.clock.monotonic());
        }
    }
}

#[cfg(test)]
mod tests {
    use auth_core::testing::ManualClock;

    use super::*;

    fn health() -> (Health, ManualClock) {
        let clock = ManualClock::new();
        let servers = [1, 2].map(|port| Server { host: "h".into(), port });
        (Health::new(servers.into(), Arc::new(clock.clone())), clock)
    }

    #[test]
    fn a_server_that_failed_is_passed_over_until_it_rested() {
        let (health, clock) = health();
        health.failed(0);
        assert_eq!(health.candidates().unwrap(), [1]);
        clock.advance(FIRST_REST);
        assert_eq!(health.candidates().unwrap(), [0, 1], "one caller tries it");
        assert_eq!(health.candidates().unwrap(), [1], "the others wait for what comes of it");
        health.worked(0);
        assert_eq!(health.candidates().unwrap(), [0, 1]);
    }

    #[test]
    fn each_failure_makes_the_rest_longer_up_to_a_bound() {
        let (health, clock) = health();
        for _ in 0..20 {
            health.failed(0);
        }
        clock.advance(LONGEST_REST.saturating_sub(Duration::from_millis(1)));
        assert_eq!(health.candidates().unwrap(), [1]);
        clock.advance(Duration::from_millis(1));
        assert_eq!(health.candidates().unwrap(), [0, 1]);
    }

    #[test]
    fn when_all_rest_it_is_told_how_long() {
        let (health, _clock) = health();
        health.failed(0);
        health.failed(0);
        health.failed(1);
        assert!(matches!(health.candidates(), Err(Failure::AllDown { retry_after }) if retry_after == FIRST_REST));
    }
}
