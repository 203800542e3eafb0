//! Two waits where hyper knows one: for the next request of a kept connection, and for a head that has begun.
//!
//! hyper starts its header timeout when it begins to *wait* for a head. With the ten seconds that a slow head may take,
//! every kept connection would close after ten seconds of silence; with the two minutes that a kept connection may
//! wait, a client could drip a head for two minutes. So the timer looks at whether bytes came.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Sleep, Timer};
use tokio::time::Instant;

/// The timer of one HTTP/1.1 connection. It serves hyper's header timeout and nothing else.
#[derive(Debug)]
pub(super) struct HeadTimer {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    /// Bytes read from the connection.
    pub(super) read: Arc<AtomicU64>,
    /// Whether a wait was begun before: the first request has no idle time before it.
    pub(super) kept: AtomicBool,
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        let kept = self.kept.swap(true, Ordering::Relaxed);
        let wait = if kept { self.idle } else { self.head };
        Box::pin(Wait {
            inner: Box::pin(tokio::time::sleep(wait)),
            head: self.head,
            read: Arc::clone(&self.read),
            before: self.read.load(Ordering::Relaxed),
            begun: !kept,
        })
    }

    fn sleep_until(&self, _: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(Duration::ZERO)
    }
}

struct Wait {
    inner: Pin<Box<tokio::time::Sleep>>,
    head: Duration,
    read: Arc<AtomicU64>,
    before: u64,
    begun: bool,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.begun && self.read.load(Ordering::Relaxed) != self.before {
            self.begun = true;
            let deadline = Instant::now() + self.head;
            self.inner.as_mut().reset(deadline);
        }
        self.inner.as_mut().poll(cx)
    }
}

impl Sleep for Wait {}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer() -> (HeadTimer, Arc<AtomicU64>) {
        let read = Arc::new(AtomicU64::new(0));
        let (head, idle) = (Duration::from_secs(10), Duration::from_secs(120));
        (HeadTimer { head, idle, read: Arc::clone(&read), kept: AtomicBool::new(false) }, read)
    }

    async fn waited(sleep: Pin<Box<dyn Sleep>>) -> Duration {
        let start = Instant::now();
        sleep.await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_is_due_at_once_and_a_kept_connection_may_be_silent() {
        let (timer, _read) = timer();
        assert_eq!(waited(timer.sleep(Duration::ZERO)).await.as_secs(), 10);
        assert_eq!(waited(timer.sleep(Duration::ZERO)).await.as_secs(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_must_end_soon() {
        let (timer, read) = timer();
        drop(timer.sleep(Duration::ZERO));
        let mut sleep = timer.sleep(Duration::ZERO);
        tokio::time::advance(Duration::from_secs(60)).await;
        read.store(1, Ordering::Relaxed);
        assert!(futures_util::poll!(sleep.as_mut()).is_pending());
        assert_eq!(waited(sleep).await.as_secs(), 10);
    }
}
