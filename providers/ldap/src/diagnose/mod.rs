//! `gatewarden provider test`: every step to the directory and in it, one by one, by the code that logins run.
//!
//! Each server is tried to the end, also when an earlier one works: the second is of use on the day when the first is
//! down, and that is a bad day to learn that its certificate is wrong. A person is looked for once, on the first that
//! answers.

mod certificate;
mod hint;
mod origins;
mod person;
mod server;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth_core::{Context, Diagnose, Report, Step, Trial};

use crate::connection::Connection;
use crate::provider::LdapProvider;
use server::Outcome;

/// A trial under way.
struct Trying<'a> {
    provider: &'a LdapProvider,
    report: &'a Report,
    deadline: Instant,
}

#[async_trait]
impl Diagnose for LdapProvider {
    async fn run(&self, ctx: &Context, trial: &Trial, report: &Report) {
        let trying = Trying { provider: self, report, deadline: ctx.deadline };
        let mut first: Option<Connection> = None;
        let mut rejected = false;
        for server in &self.settings.servers {
            match trying.server(server, rejected).await {
                Outcome::Ready(connection) => first = first.or(Some(connection)),
                // A second wrong password counts towards a lock of our own account.
                Outcome::Rejected => rejected = true,
                Outcome::Failed => {}
            }
        }
        let Some(who) = &trial.who else { return };
        match first {
            Some(connection) => trying.person(connection, who, trial.password.as_ref()).await,
            None => report.add(Step::skipped("user", "no server can be asked")),
        }
    }
}

impl Trying<'_> {
    /// Does a part of the work and says how long it took.
    async fn timed<T>(&self, work: impl Future<Output = T> + Send) -> (T, Duration) {
        let clock = &self.provider.clock;
        let started = clock.monotonic();
        let done = work.await;
        (done, clock.monotonic().saturating_duration_since(started))
    }
}
