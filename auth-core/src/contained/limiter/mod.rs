//! How often a password may be guessed: per account and per source address.
//!
//! Each account and each source has a bucket that every wrong guess fills by one and that leaks at a steady rate.
//! An attempt is charged *before* it runs and given back when it was no wrong guess. A network from which an account
//! has logged in has a bucket of its own for it: whoever guesses at somebody's account from elsewhere does not keep
//! them out.
//!
//! Sending a browser to an identity system, and taking its answer, costs a request there each. Such trips have a bucket
//! of their own for each source, under the same limits.

mod spelling;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{AuthError, Clock, SourceNetwork};
use spelling::skeleton;

/// How often a password may be guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Wrong guesses at one account before waiting begins.
    pub account_burst: u32,
    /// How long one more guess at it takes from then on.
    pub account_interval: Duration,
    /// Wrong guesses from one source before waiting begins.
    pub source_burst: u32,
    /// How long one more guess from it takes from then on.
    pub source_interval: Duration,
    /// How many accounts and sources are remembered; beyond, those with the fewest failures are forgotten. As many
    /// networks from which accounts have logged in are remembered beside.
    pub remembered: usize,
}

impl Default for AttemptLimits {
    /// Five guesses at an account, then one in three minutes; fifty from a source, then twenty a minute; 65,536
    /// remembered.
    ///
    /// A directory that locks an account does so after some ten failures within ten minutes, and then the person is
    /// locked out of everything that the directory is for. Guesses from anywhere come to eight in that time: five, and
    /// one every three minutes. An account has one more bucket in each network that it has logged in from, so guesses
    /// from one such network and from elsewhere come to 16, from `n` of them to `8 × (n + 1)`. Against
    /// guesses from inside, these limits need a threshold higher than ten.
    fn default() -> Self {
        Self {
            account_burst: 5,
            account_interval: Duration::from_mins(3),
            source_burst: 50,
            source_interval: Duration::from_secs(3),
            remembered: 65_536,
        }
    }
}

/// Counts failures.
pub(super) struct Limiter {
    clock: Arc<dyn Clock>,
    limits: AttemptLimits,
    keys: RandomState,
    buckets: Arc<Mutex<Buckets>>,
}

impl Limiter {
    pub(super) fn new(clock: Arc<dyn Clock>, limits: AttemptLimits) -> Self {
        Self { clock, limits, keys: RandomState::new(), buckets: Arc::default() }
    }

    /// Goes on where another left off, by limits of its own.
    pub(super) fn continuing(self, old: &Self) -> Self {
        Self { keys: old.keys.clone(), buckets: Arc::clone(&old.buckets), ..self }
    }

    /// Whether the two count in the same place.
    pub(super) fn continues(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.buckets, &other.buckets)
    }

    /// Charges an attempt, or says how long to wait. A refused attempt is not charged.
    pub(super) fn charge(&self, login: &str, client: Option<IpAddr>) -> Result<Attempt, AuthError> {
        let now = self.clock.monotonic();
        // By the very login: a home is a privilege, which nobody shares because their login looks alike.
        let exact = login.trim().to_lowercase();
        let home = client.map(|address| self.keys.hash_one((2_u8, &exact, SourceNetwork::of(address))));
        let anywhere = self.keys.hash_one((0_u8, skeleton(login)));
        let source = client.map(|address| self.source(1, address));
        let mut buckets = lock(&self.buckets);
        let account = Charge {
            key: home.filter(|home| buckets.homes.contains(home)).unwrap_or(anywhere),
            interval: self.limits.account_interval,
            burst: self.limits.account_burst,
        };
        let waits = [Some(account), source].into_iter().flatten().filter_map(|charge| buckets.wait(charge, now));
        if let Some(retry_after) = waits.max() {
            return Err(AuthError::Throttled { retry_after });
        }
        for charge in [Some(account), source].into_iter().flatten() {
            buckets.fill(charge, now, self.limits.remembered);
        }
        Ok(Attempt { buckets: Arc::clone(&self.buckets), account, source, home, most: self.limits.remembered })
    }

    fn source(&self, kind: u8, address: IpAddr) -> Charge {
        Charge {
            key: self.keys.hash_one((kind, SourceNetwork::of(address))),
            interval: self.limits.source_interval,
            burst: self.limits.source_burst,
        }
    }

    /// Charges a trip that begins to its source, or says how long to wait.
    pub(super) fn begin_trip(&self, client: Option<IpAddr>) -> Result<(), AuthError> {
        let Some(trips) = client.map(|address| self.source(3, address)) else { return Ok(()) };
        let now = self.clock.monotonic();
        let mut buckets = lock(&self.buckets);
        if let Some(retry_after) = buckets.wait(trips, now) {
            return Err(AuthError::Throttled { retry_after });
        }
        buckets.fill(trips, now, self.limits.remembered);
        Ok(())
    }

    /// Gives back a trip that ended in a login, and charges one whose answer was made up or used before once more. An
    /// answer is never refused here: there is one for each trip that was charged.
    pub(super) fn end_trip<T>(&self, client: Option<IpAddr>, result: &Result<T, AuthError>) {
        let Some(trips) = client.map(|address| self.source(3, address)) else { return };
        let mut buckets = lock(&self.buckets);
        match result {
            Ok(_) => buckets.give_back(trips),
            Err(AuthError::Replay | AuthError::Protocol(_) | AuthError::BadCredentials) => {
                buckets.fill(trips, self.clock.monotonic(), self.limits.remembered);
            }
            Err(_) => {}
        }
    }

    /// How many buckets and how many homes are in memory.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> (usize, usize) {
        let buckets = lock(&self.buckets);
        (buckets.full_until.len(), buckets.homes.len())
    }
}

/// An attempt under way. One that is dropped without being settled stays charged: hanging up is no way to guess on.
#[must_use]
pub(super) struct Attempt {
    buckets: Arc<Mutex<Buckets>>,
    account: Charge,
    source: Option<Charge>,
    home: Option<u64>,
    most: usize,
}

impl Attempt {
    /// Gives back what was no wrong guess. A success at home forgives the failures there. What other logins may share
    /// keeps all other failures, the account's common bucket and the source's: whoever has one account must not wash
    /// off their guesses at another.
    pub(super) fn settle<T>(self, result: &Result<T, AuthError>) {
        let mut buckets = lock(&self.buckets);
        match result {
            Err(AuthError::BadCredentials | AuthError::Ambiguous | AuthError::Replay) => return,
            Ok(_) if self.home == Some(self.account.key) => buckets.forget(self.account.key),
            Ok(_) => {
                buckets.give_back(self.account);
                buckets.at_home(self.home, self.most);
            }
            Err(_) => buckets.give_back(self.account),
        }
        if let Some(source) = self.source {
            buckets.give_back(source);
        }
    }
}

#[derive(Clone, Copy)]
struct Charge {
    key: u64,
    interval: Duration,
    burst: u32,
}

/// For each key the time at which its bucket will be empty again; and the same ordered, to find the emptiest.
#[derive(Default)]
struct Buckets {
    full_until: HashMap<u64, Instant>,
    ordered: BTreeSet<(Instant, u64)>,
    /// Accounts with networks from which they have logged in; and the same in order of age.
    homes: HashSet<u64>,
    oldest: VecDeque<u64>,
}

impl Buckets {
    /// How long until one more fits; `None` if it fits now.
    fn wait(&self, charge: Charge, now: Instant) -> Option<Duration> {
        let level = self.full_until.get(&charge.key)?.saturating_duration_since(now);
        let full = (level + charge.interval).saturating_sub(charge.interval * charge.burst);
        (!full.is_zero()).then_some(full)
    }

    fn fill(&mut self, charge: Charge, now: Instant, most: usize) {
        let level = self.full_until.get(&charge.key).copied().unwrap_or(now).max(now);
        self.set(charge.key, level + charge.interval);
        while self.ordered.first().is_some_and(|(empty, _)| *empty <= now) || self.ordered.len() > most.max(1) {
            if let Some((_, key)) = self.ordered.pop_first() {
                self.full_until.remove(&key);
            }
        }
    }

    fn at_home(&mut self, home: Option<u64>, most: usize) {
        let Some(home) = home.filter(|home| self.homes.insert(*home)) else {
            return;
        };
        self.oldest.push_back(home);
        if self.oldest.len() > most
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.homes.remove(&oldest);
        }
    }

    fn give_back(&mut self, charge: Charge) {
        let Some(level) = self.full_until.get(&charge.key).copied() else {
            return;
        };
        match level.checked_sub(charge.interval) {
            Some(lower) => self.set(charge.key, lower),
            None => self.forget(charge.key),
        }
    }

    fn set(&mut self, key: u64, until: Instant) {
        self.forget(key);
        self.full_until.insert(key, until);
        self.ordered.insert((until, key));
    }

    fn forget(&mut self, key: u64) {
        if let Some(until) = self.full_until.remove(&key) {
            self.ordered.remove(&(until, key));
        }
    }
}

fn lock(buckets: &Mutex<Buckets>) -> MutexGuard<'_, Buckets> {
    buckets.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
