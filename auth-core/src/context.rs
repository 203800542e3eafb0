//! What a call knows beside its arguments: how long it may take, who asked, how logs join.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::Clock;

/// The circumstances of one provider call.
///
/// A provider gives up outside calls at the deadline and when `cancel` fires. If it does not, the core stops
/// waiting and answers "unavailable" in its place.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct Context {
    /// When the caller stops waiting, on [`Clock::monotonic`].
    pub deadline: Instant,
    /// Fires when nobody waits for the answer any more.
    pub cancel: Cancel,
    /// Where the request came from, if it came over the network.
    pub client: Option<IpAddr>,
    /// Joins the log lines of one request.
    pub trace_id: String,
}

impl Context {
    /// A context without a client address that nobody cancels.
    pub fn new(deadline: Instant, trace_id: impl Into<String>) -> Self {
        Self { deadline, cancel: Cancel::new(), client: None, trace_id: trace_id.into() }
    }

    /// Says where the request came from: what is counted for each address needs it.
    #[must_use]
    pub const fn with_client(mut self, client: Option<IpAddr>) -> Self {
        self.client = client;
        self
    }

    /// How much time is left; zero when the deadline has passed.
    #[must_use]
    pub fn remaining(&self, clock: &dyn Clock) -> Duration {
        self.deadline.saturating_duration_since(clock.monotonic())
    }
}

/// A signal that fires once and stays fired. Clones are the same signal.
///
/// ```
/// use auth_core::{Cancel, testing::block_on};
///
/// let cancel = Cancel::new();
/// let seen = cancel.clone();
/// cancel.cancel();
/// assert!(seen.is_cancelled());
/// block_on(seen.cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    fired: bool,
    waiting: Vec<Waker>,
}

impl Cancel {
    /// A signal that has not fired.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fires: everybody who waits goes on.
    pub fn cancel(&self) {
        let waiting = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.fired = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether it has fired.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fired
    }

    /// Ends when the signal fires; at once if it has.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + Sync + Unpin + use<> {
        Cancelled(Arc::clone(&self.0))
    }
}

struct Cancelled(Arc<Mutex<State>>);

impl Future for Cancelled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.fired {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
