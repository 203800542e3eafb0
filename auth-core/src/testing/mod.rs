//! Ports for tests: a clock that stands still, tasks on plain threads, a store in memory, HTTP from a script.
//!
//! For the tests of providers and of the gateway. Nothing here belongs into a running gateway: there is a thread
//! per task, and no bound on them.

mod clock;
mod http;
mod tasks;
mod users;

pub use clock::ManualClock;
pub use http::ScriptedHttp;
pub use tasks::{ThreadTasks, block_on};
pub use users::MemoryUsers;

use std::sync::Arc;
use std::time::Duration;

use crate::{Context, Ports};

/// Ports with a clock that stands still and no users.
#[must_use]
pub fn ports() -> Ports {
    ports_with(Arc::new(ManualClock::new()), Arc::new(MemoryUsers::default()))
}

/// Ports over a clock and users that the test keeps a hand on.
#[must_use]
pub fn ports_with(clock: Arc<ManualClock>, users: Arc<MemoryUsers>) -> Ports {
    Ports::new(clock, Arc::new(ThreadTasks::default()), users)
}

/// A context with thirty seconds on the ports' clock.
#[must_use]
pub fn context(ports: &Ports) -> Context {
    Context::new(ports.clock.monotonic() + Duration::from_secs(30), "test")
}
