//! What ends sessions: cached credentials are dropped and running streams are cut.
//!
//! A resolved credential is alive for as long as its [`Life`] is. Everything that may outlast the moment of the check
//! (a cache entry, a response body, a tunnel) holds the life and ends with it. Three things end a life: a revocation,
//! the token's own end, and a reload by which its user may enter less than before.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::boundary::{Resolved, Snapshot, Time};

/// What no longer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// One token, by name.
    Token(String),
    /// One session, with all its tokens.
    Session(String),
    /// One user, with all sessions.
    User(String),
    /// A session's identity changed, so that it must be resolved again.
    SessionChanged {
        /// The session's id.
        session: String,
        /// Something was lost: streams that the old identity opened end too.
        lost: bool,
    },
    /// Endings may have been missed: whatever was believed before must prove itself again.
    Everything,
}

/// The side that tells of revocations.
///
/// When [`RevokedSender::send`] returns, no cached credential that it names is served and every stream has been told to
/// end. Dropping the sender stops the heartbeat, so that the gateway soon answers 503 rather than serve what may have
/// been revoked.
#[derive(Debug)]
pub struct RevokedSender(Arc<Registry>);

/// The side that the data plane reads.
#[derive(Debug, Clone)]
pub struct Revoked(Arc<Registry>);

impl Revoked {
    /// Makes both sides. Not yet fresh: the first [`RevokedSender::heartbeat`] opens the gate.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use gatewarden_proxy::{Revocation, Revoked, Time};
    ///
    /// # fn feed(clock: Arc<dyn Time>) {
    /// let (sender, revoked) = Revoked::new(clock);
    /// // `revoked` goes to the data plane. Whoever reads the changes of the store tells `sender`:
    /// sender.send(&Revocation::Token("gwt-abc".to_owned()));
    /// sender.heartbeat();
    /// # drop(revoked);
    /// # }
    /// ```
    #[must_use]
    pub fn new(time: Arc<dyn Time>) -> (RevokedSender, Self) {
        let started = time.monotonic();
        let registry = Arc::new(Registry {
            time,
            started,
            heartbeat: AtomicU64::new(NEVER),
            state: Mutex::new(State { sequence: 0, sweep_at: 1024, tokens: HashMap::new(), recent: VecDeque::new() }),
        });
        (RevokedSender(Arc::clone(&registry)), Self(registry))
    }

    /// Whether revocations were read within the last minute.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        let beat = self.0.heartbeat.load(Ordering::Acquire);
        beat != NEVER && millis(now, self.0.started).saturating_sub(beat) <= STALE_MILLIS
    }

    /// The point that a resolve begins at; given back to [`Revoked::enroll`] when it ends.
    pub(crate) fn sequence(&self) -> u64 {
        self.0.lock().sequence
    }

    /// Gives a resolved credential its life, unless something that happened since `since` concerns it.
    pub(crate) fn enroll(&self, resolved: &Resolved, since: u64) -> Result<Life, Raced> {
        let mut state = self.0.lock();
        if state.concerned(resolved, since) {
            return Err(Raced);
        }
        if let Some(token) = state.tokens.get(&resolved.token).and_then(Weak::upgrade)
            && !token.over.load(Ordering::Acquire)
        {
            token.resolved.store(Arc::new(resolved.clone()));
            return Ok(Life { version: token.version.load(Ordering::Acquire), token });
        }
        state.sweep();
        let token = Arc::new(Token {
            resolved: ArcSwap::from_pointee(resolved.clone()),
            version: AtomicU64::new(0),
            over: AtomicBool::new(false),
            reloaded: AtomicBool::new(false),
            ended: CancellationToken::new(),
        });
        state.tokens.insert(resolved.token.clone(), Arc::downgrade(&token));
        Ok(Life { version: 0, token })
    }

    /// Ends what runs by tokens whose time is over. New requests are refused to the moment; a stream may be late by as
    /// much as lies between two calls, and needs no timer of its own.
    pub(crate) fn end_expired(&self) {
        let now = self.0.time.wall();
        let expired = |token: &Arc<Token>| token.resolved.load().expires_at <= now;
        self.0.alive().iter().filter(|token| expired(token)).for_each(|token| token.end());
    }
}

impl RevokedSender {
    /// Applies one revocation before it returns.
    pub fn send(&self, revocation: &Revocation) {
        let mut state = self.0.lock();
        state.sequence += 1;
        let sequence = state.sequence;
        if state.recent.len() == REMEMBERED {
            state.recent.pop_front();
        }
        state.recent.push_back((sequence, revocation.clone()));
        for (name, token) in &state.tokens {
            if let Some(token) = token.upgrade()
                && token.is_concerned(name, revocation)
            {
                token.apply(revocation);
            }
        }
    }

    /// Ends the streams of everybody who may enter some cluster less than before, and of nobody else.
    ///
    /// Call it after the new snapshot is in force: a request that is under way between the two is judged by the new.
    pub fn reloaded(&self, old: &Snapshot, new: &Snapshot) {
        let narrowed = |token: &Arc<Token>| new.narrows(old, &token.resolved.load().session);
        self.0.alive().iter().filter(|token| narrowed(token)).for_each(|token| token.end_by_reload());
    }

    /// Says that every change up to now was read.
    pub fn heartbeat(&self) {
        let now = millis(self.0.time.monotonic(), self.0.started);
        self.0.heartbeat.store(now, Ordering::Release);
    }
}

/// How long one resolved answer holds.
///
/// All answers for one token share what ends its streams; each knows by its version whether a later one replaced it.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    token: Arc<Token>,
    version: u64,
}

impl Life {
    /// Whether the credential must be resolved again, although its streams may go on.
    pub(crate) fn is_stale(&self) -> bool {
        self.token.version.load(Ordering::Acquire) != self.version || self.is_over()
    }

    /// Whether streams must have ended: an atomic read, where asking the token would take its lock.
    pub(crate) fn is_over(&self) -> bool {
        self.token.over.load(Ordering::Acquire)
    }

    /// Whether a reload ended it: the credential may be as good as before, and is only judged anew.
    pub(crate) fn is_reloaded(&self) -> bool {
        self.token.reloaded.load(Ordering::Acquire)
    }

    /// The same, without keeping it.
    pub(crate) fn downgrade(&self) -> WeakLife {
        WeakLife(Arc::downgrade(&self.token))
    }

    /// Fires when streams must end.
    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.token.ended
    }
}

/// A life that is looked at and not kept.
#[derive(Debug, Clone)]
pub(crate) struct WeakLife(Weak<Token>);

impl WeakLife {
    /// Whether something still runs, or may begin, by the credential.
    pub(crate) fn is_held(&self) -> bool {
        self.0.upgrade().is_some_and(|token| !token.over.load(Ordering::Acquire))
    }

    /// Ends the credential and all that runs by it.
    pub(crate) fn end(&self) {
        if let Some(token) = self.0.upgrade() {
            token.end();
        }
    }
}

/// Something about the credential changed while it was being resolved: the answer must not be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Raced;

const NEVER: u64 = u64::MAX;
const STALE_MILLIS: u64 = 60_000;
const REMEMBERED: usize = 4096;

#[derive(Debug)]
struct Registry {
    time: Arc<dyn Time>,
    started: Instant,
    heartbeat: AtomicU64,
    state: Mutex<State>,
}

impl Registry {
    // No code that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tokens that have not ended, to look at without the lock that lookups wait for.
    fn alive(&self) -> Vec<Arc<Token>> {
        let state = self.lock();
        state.tokens.values().filter_map(Weak::upgrade).filter(|token| !token.over.load(Ordering::Acquire)).collect()
    }
}

#[derive(Debug)]
struct State {
    sequence: u64,
    sweep_at: usize,
    tokens: HashMap<String, Weak<Token>>,
    recent: VecDeque<(u64, Revocation)>,
}

impl State {
    fn concerned(&self, resolved: &Resolved, since: u64) -> bool {
        let forgotten = self.sequence.saturating_sub(self.recent.len() as u64);
        let session = &resolved.session;
        since < forgotten
            || self
                .recent
                .iter()
                .rev()
                .take_while(|(sequence, _)| *sequence > since)
                .any(|(_, revocation)| revocation.concerns(&resolved.token, session.id(), session.user()))
    }

    /// Forgets tokens that nobody holds. It runs each time their number has doubled, so it costs little per token.
    fn sweep(&mut self) {
        if self.tokens.len() >= self.sweep_at {
            self.tokens.retain(|_, token| token.strong_count() > 0);
            self.sweep_at = (self.tokens.len() * 2).max(1024);
        }
    }
}

#[derive(Debug)]
struct Token {
    /// As it was resolved last.
    resolved: ArcSwap<Resolved>,
    version: AtomicU64,
    over: AtomicBool,
    /// A reload ended it, and nothing before.
    reloaded: AtomicBool,
    ended: CancellationToken,
}

impl Token {
    fn is_concerned(&self, name: &str, revocation: &Revocation) -> bool {
        let resolved = self.resolved.load();
        revocation.concerns(name, resolved.session.id(), resolved.session.user())
    }

    fn apply(&self, revocation: &Revocation) {
        self.version.fetch_add(1, Ordering::AcqRel);
        if !matches!(revocation, Revocation::SessionChanged { lost: false, .. }) {
            self.end();
        }
    }

    fn end_by_reload(&self) {
        self.reloaded.store(!self.over.load(Ordering::Acquire), Ordering::Release);
        self.end();
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.ended.cancel();
    }
}

impl Revocation {
    fn concerns(&self, token: &str, session: &str, user: &str) -> bool {
        match self {
            Self::Token(name) => name == token,
            Self::Session(id) | Self::SessionChanged { session: id, .. } => id == session,
            Self::User(id) => id == user,
            Self::Everything => true,
        }
    }
}

fn millis(now: Instant, since: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(NEVER - 1)
}

#[cfg(test)]
mod tests;
