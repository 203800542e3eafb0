//! One document of an issuer, kept for a while.
//!
//! It is fetched when somebody needs it and by one caller at a time; renewed ahead of its end, so that nobody waits for
//! that; and used past its end for some days when the issuer does not give another, so that a short outage of a document
//! that seldom changes is nobody's outage.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth_core::AuthError;

/// How long past its time a document is used when there is no other.
const STALE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

pub(crate) struct Slot<T> {
    state: Mutex<State<T>>,
    flight: tokio::sync::Mutex<()>,
}

struct State<T> {
    kept: Option<Kept<T>>,
    /// How often another took its place.
    renewed: u64,
    /// When it was last asked for, whatever came of it.
    tried: Option<Instant>,
    /// Somebody renews it in the background.
    ahead: bool,
}

struct Kept<T> {
    value: Arc<T>,
    since: Instant,
    lasts: Duration,
}

/// What is there.
pub(crate) enum Look<T> {
    /// To be used.
    Fresh(Arc<T>),
    /// To be used and renewed by who was told so.
    Aging(Arc<T>),
    /// To be fetched; the old one will do when that fails.
    Due(Option<Arc<T>>),
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        let state = State { kept: None, renewed: 0, tried: None, ahead: false };
        Self { state: Mutex::new(state), flight: tokio::sync::Mutex::new(()) }
    }

    pub(crate) fn look(&self, now: Instant) -> Look<T> {
        let mut state = self.state();
        let Some(kept) = &state.kept else { return Look::Due(None) };
        let (age, value, lasts) = (now.saturating_duration_since(kept.since), Arc::clone(&kept.value), kept.lasts);
        if age >= lasts {
            return Look::Due((age < lasts + STALE_MAX).then_some(value));
        }
        if age < lasts / 2 || state.ahead {
            return Look::Fresh(value);
        }
        state.ahead = true;
        Look::Aging(value)
    }

    /// Whether it was asked for less than this ago.
    pub(crate) fn tried_within(&self, window: Duration, now: Instant) -> bool {
        self.state().tried.is_some_and(|tried| now.saturating_duration_since(tried) < window)
    }

    /// Fetches, unless somebody else does so already; then waits for what they bring.
    pub(crate) async fn renew<F>(&self, now: Instant, fetch: F) -> Result<Arc<T>, AuthError>
    where
        F: Future<Output = Result<(T, Duration), AuthError>>,
    {
        let before = self.state().renewed;
        let _one_at_a_time = self.flight.lock().await;
        if let Some(brought) = self.brought_since(before) {
            return Ok(brought);
        }
        self.state().tried = Some(now);
        let fetched = fetch.await;
        let mut state = self.state();
        state.ahead = false;
        let (value, lasts) = fetched?;
        let value = Arc::new(value);
        state.renewed += 1;
        state.kept = Some(Kept { value: Arc::clone(&value), since: now, lasts });
        Ok(value)
    }

    fn brought_since(&self, before: u64) -> Option<Arc<T>> {
        let state = self.state();
        let kept = state.kept.as_ref().filter(|_| state.renewed != before);
        kept.map(|kept| Arc::clone(&kept.value))
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> std::fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
