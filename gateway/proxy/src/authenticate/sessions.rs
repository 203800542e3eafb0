//! The cache of resolved credentials.
//!
//! Its key is a keyed hash of length-prefixed parts: the token itself is not kept, and no two different inputs make one
//! key. An entry is served only while its life is neither stale nor over and its token not expired, so a revocation
//! needs not to find the entry; it only has to end the life.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use quick_cache::sync::Cache;
use secrecy::ExposeSecret;

use crate::authenticate::{Allowance, Caller};
use crate::boundary::{Credential, Life, Rejected, Resolve, ResolveError, Resolved, Revoked, Time};
use crate::metrics::Metrics;

/// Who is behind the credentials that were seen lately.
#[derive(Debug, Clone)]
pub(crate) struct Sessions(Arc<Inner>);

/// What a [`Sessions`] asks.
#[derive(Debug)]
pub(crate) struct Asks {
    pub(crate) resolve: Arc<dyn Resolve>,
    pub(crate) revoked: Revoked,
    pub(crate) time: Arc<dyn Time>,
    pub(crate) metrics: Arc<Metrics>,
}

/// A credential's place in the cache.
pub(crate) type Key = [u8; 32];

impl Sessions {
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn new(asks: Asks) -> Result<Self, aws_lc_rs::error::Unspecified> {
        Ok(Self(Arc::new(Inner {
            asks,
            secret: hmac::Key::generate(hmac::HMAC_SHA256, &aws_lc_rs::rand::SystemRandom::new())?,
            callers: Cache::new(MOST_CALLERS),
            flights: Mutex::new(HashMap::new()),
            users: Mutex::new(Users { by_id: HashMap::new(), sweep_at: 1024 }),
        })))
    }

    /// Whether revocations were read lately; otherwise nobody may be let in.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.0.asks.revoked.is_fresh(now)
    }

    /// Ends what runs by tokens whose time is over.
    pub(crate) fn end_expired(&self) {
        self.0.asks.revoked.end_expired();
    }

    pub(crate) fn key(&self, credential: &Credential) -> Key {
        let (kind, text) = match credential {
            Credential::ApiToken(text) => (b"api-token".as_slice(), text.expose_secret().as_bytes()),
            Credential::Signed(text) => (b"signed".as_slice(), text.expose_secret().as_bytes()),
        };
        let mut context = hmac::Context::with_key(&self.0.secret);
        for part in [kind, text] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut key = Key::default();
        // HMAC-SHA256 is 32 bytes long; zip copies all of them and cannot panic.
        key.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        key
    }

    /// The caller behind a key that was resolved before. Asks nobody.
    pub(crate) fn warm(&self, key: &Key) -> Option<Arc<Caller>> {
        let caller = self.0.warm(key);
        self.0.asks.metrics.session_cache(caller.is_some());
        caller
    }

    /// Whether a credential was good when it was looked up last, and has not ended since.
    pub(crate) fn is_known(&self, key: &Key) -> bool {
        self.0.callers.get(key).is_some_and(|caller| !caller.life().is_over())
    }

    /// The point that a proof by somebody else begins at.
    pub(super) fn sequence(&self) -> u64 {
        self.0.asks.revoked.sequence()
    }

    /// Takes in who was proven by another than [`Resolve`], and does not remember them: whatever ends sessions ends them
    /// too, and they share the limits of one user. `None` when something concerned them meanwhile.
    pub(super) fn take_in(&self, resolved: Resolved, since: u64, until: Instant) -> Option<Caller> {
        let life = self.0.asks.revoked.enroll(&resolved, since).ok()?;
        let allowance = lock(&self.0.users).allowance(resolved.session.user(), self.0.asks.time.monotonic());
        Some(Caller::new(resolved, life, allowance, until))
    }

    /// Whether who was taken in still holds: not ended, not over, and not due to be asked about.
    pub(super) fn holds(&self, caller: &Caller) -> bool {
        self.0.holds(caller) && !caller.is_due(self.0.asks.time.monotonic())
    }

    /// Resolves a credential. Any number of requests with one credential share one lookup, and it goes on as long as
    /// one of them waits: the first to come may give up without harm to the others.
    pub(crate) async fn cold(&self, key: Key, credential: Credential) -> Result<Arc<Caller>, ResolveError> {
        let found = match self.0.join(key, credential) {
            Ok(flight) => flight.await,
            Err(error) => Err(error),
        };
        match found {
            // Whoever is known is served on while the store is busy: revocations are known without it.
            Err(error) if !matches!(error, ResolveError::Unauthenticated(_)) => self.0.lasting(&key).ok_or(error),
            found => found,
        }
    }
}

const MOST_CALLERS: usize = 65_536;
/// After this time a credential is resolved again although nothing was told of it: an identity grows too old without
/// any event, and an event that was lost does no harm for longer.
///
/// Each waits a fifth more or less: those who came together, after a restart, do not come together again.
const RECHECK: Duration = Duration::from_mins(5);
const MOST_FLIGHTS: usize = 1_024;
const LOOKUP: Duration = Duration::from_secs(30);
const RACES: usize = 3;

type Outcome = Result<Arc<Caller>, ResolveError>;
type Flight = Shared<BoxFuture<'static, Outcome>>;
/// The lookups under way.
type Board = HashMap<Key, WeakShared<BoxFuture<'static, Outcome>>>;

struct Inner {
    asks: Asks,
    secret: hmac::Key,
    callers: Cache<Key, Arc<Caller>>,
    flights: Mutex<Board>,
    users: Mutex<Users>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("callers", &self.callers.len()).finish_non_exhaustive()
    }
}

impl Inner {
    fn warm(&self, key: &Key) -> Option<Arc<Caller>> {
        let caller = self.callers.get(key)?;
        let time = &self.asks.time;
        (self.holds(&caller) && !caller.is_due(time.monotonic())).then_some(caller)
    }

    /// The caller who should have been looked up again and could not be: good for as long again, while revocations are
    /// read.
    fn lasting(&self, key: &Key) -> Option<Arc<Caller>> {
        let caller = self.callers.get(key)?;
        let now = self.asks.time.monotonic();
        let before = now.checked_sub(2 * RECHECK - recheck(key))?;
        let lasts = self.asks.revoked.is_fresh(now) && self.holds(&caller) && !caller.is_due(before);
        lasts.then_some(caller)
    }

    fn holds(&self, caller: &Caller) -> bool {
        !caller.life().is_stale() && self.asks.time.wall() < caller.resolved().expires_at
    }

    fn join(self: &Arc<Self>, key: Key, credential: Credential) -> Result<Flight, ResolveError> {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
            return Ok(flight);
        }
        if flights.len() >= MOST_FLIGHTS {
            return Err(ResolveError::Overloaded);
        }
        let landing = Landing { sessions: Arc::downgrade(self), key };
        let flight = Arc::clone(self).fly(landing, credential).boxed().shared();
        flights.extend(flight.downgrade().map(|weak| (key, weak)));
        Ok(flight)
    }

    async fn fly(self: Arc<Self>, landing: Landing, credential: Credential) -> Outcome {
        let key = landing.key;
        // Between this request's look at the cache and now, another flight may have landed.
        if let Some(caller) = self.warm(&key) {
            return Ok(caller);
        }
        let busy = || ResolveError::Unavailable { retry_after: Duration::from_secs(1) };
        for _ in 0..RACES {
            let since = self.asks.revoked.sequence();
            let lookup = AssertUnwindSafe(self.asks.resolve.resolve(&credential)).catch_unwind();
            let resolved = match tokio::time::timeout(LOOKUP, lookup).await {
                Ok(Ok(resolved)) => resolved?,
                Ok(Err(_panic)) => return Err(busy()),
                Err(_elapsed) => return Err(busy()),
            };
            if let Ok(life) = self.asks.revoked.enroll(&resolved, since) {
                return self.keep(key, resolved, life);
            }
        }
        Err(busy())
    }

    fn keep(&self, key: Key, resolved: Resolved, life: Life) -> Outcome {
        if self.asks.time.wall() >= resolved.expires_at {
            return Err(ResolveError::Unauthenticated(Rejected::Expired));
        }
        let now = self.asks.time.monotonic();
        let allowance = lock(&self.users).allowance(resolved.session.user(), now);
        let caller = Arc::new(Caller::new(resolved, life, allowance, now + recheck(&key)));
        self.callers.insert(key, Arc::clone(&caller));
        Ok(caller)
    }
}

/// A key is a keyed hash, so that its bytes are as good as drawn by lot.
fn recheck(key: &Key) -> Duration {
    let share = f64::from(key.first().copied().unwrap_or_default()) / 255.0;
    RECHECK.mul_f64(0.8 + 0.4 * share)
}

/// Takes a flight off the board when it has landed, or when all who waited for it have gone.
struct Landing {
    sessions: Weak<Inner>,
    key: Key,
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(sessions) = self.sessions.upgrade() {
            lock(&sessions.flights).remove(&self.key);
        }
    }
}

#[derive(Debug)]
struct Users {
    by_id: HashMap<String, Weak<Allowance>>,
    sweep_at: usize,
}

impl Users {
    fn allowance(&mut self, user: &str, now: Instant) -> Arc<Allowance> {
        if let Some(allowance) = self.by_id.get(user).and_then(Weak::upgrade) {
            return allowance;
        }
        if self.by_id.len() >= self.sweep_at {
            self.by_id.retain(|_, allowance| allowance.strong_count() > 0);
            self.sweep_at = (self.by_id.len() * 2).max(1024);
        }
        let allowance = Arc::new(Allowance::new(now));
        self.by_id.insert(user.to_owned(), Arc::downgrade(&allowance));
        allowance
    }
}

// Nothing that can panic runs under these locks, so a poisoned one still holds good state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
