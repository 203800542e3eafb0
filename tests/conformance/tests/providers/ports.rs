//! Real time, and tasks on the test's runtime.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth_core::testing::MemoryUsers;
use auth_core::{BoxFuture, Busy, Clock, Context, Ports, Tasks};
use jiff::Timestamp;

pub(crate) fn ports(users: &Arc<MemoryUsers>) -> Ports {
    Ports::new(Arc::new(RealClock), Arc::new(RuntimeTasks), Arc::clone(users) as _)
}

pub(crate) fn context() -> Context {
    Context::new(RealClock.monotonic() + Duration::from_secs(30), "conformance")
}

#[derive(Debug)]
struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[derive(Debug)]
struct RuntimeTasks;

#[async_trait]
impl Tasks for RuntimeTasks {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    async fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Busy> {
        tokio::task::spawn_blocking(job);
        Ok(())
    }
}
