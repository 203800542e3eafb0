//! How sessions stand, in memory: who presents a signed token for the first time asks no store.
//!
//! The store decides, and this repeats it. Every write names what it changed ([`Change`]), and a commit has what it
//! changed forgotten before it returns ([`Write::commit`](crate::store::Write::commit)); what other processes write is
//! forgotten when it is read of the `changes`, before anybody is told. So whoever was told of an end never finds it undone
//! here. What is read of the store while something is forgotten is not kept: it may be from before.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::unsync::Cache;

use super::{SessionId, Standing};
use crate::store::Change;

/// What is remembered. An identity takes about a kilobyte.
const MOST: usize = 16_384;

/// How the sessions stand that were looked at lately.
#[derive(Debug)]
pub(crate) struct Standings(Mutex<Known>);

#[derive(Debug)]
struct Known {
    by_id: Cache<SessionId, Arc<Standing>>,
    forgettings: u64,
    /// Numbers of changes of this process that were followed at their commit, and not yet read of the store.
    own: BTreeSet<i64>,
}

/// When a question to the store began. What it learns is kept if nothing was forgotten meanwhile.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Asked(u64);

impl Default for Standings {
    fn default() -> Self {
        Self(Mutex::new(Known { by_id: Cache::new(MOST), forgettings: 0, own: BTreeSet::new() }))
    }
}

impl Standings {
    // Nothing that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, session: &SessionId) -> Option<Arc<Standing>> {
        self.lock().by_id.get(session).map(Arc::clone)
    }

    /// To be called before the store is asked.
    pub(crate) fn asking(&self) -> Asked {
        Asked(self.lock().forgettings)
    }

    /// Keeps what the store said.
    pub(crate) fn keep(&self, asked: Asked, session: &SessionId, standing: &Arc<Standing>) {
        let mut known = self.lock();
        if known.forgettings == asked.0 && standing.ended_at.is_none() {
            known.by_id.insert(session.clone(), Arc::clone(standing));
        }
    }

    /// Forgets what changes of this process make untrue, under their numbers.
    pub(crate) fn follow_own<'a>(&self, changes: impl IntoIterator<Item = (i64, &'a Change)>) {
        let mut known = self.lock();
        for (seq, change) in changes {
            known.forget(change);
            known.own.insert(seq);
        }
    }

    /// Forgets what a change makes untrue that was read of the store. One of this process is not followed twice: what is
    /// remembered since is newer.
    pub(crate) fn follow(&self, seq: i64, change: &Change) {
        let mut known = self.lock();
        if !known.own.remove(&seq) {
            known.forget(change);
        }
        // One that was read before its commit had returned.
        known.own = known.own.split_off(&seq);
    }

    /// Forgets everything: changes may have been missed.
    pub(crate) fn forget_all(&self) {
        let mut known = self.lock();
        known.own.clear();
        known.forget_all();
    }

    /// All that is remembered.
    #[cfg(test)]
    pub(crate) fn all(&self) -> Vec<Arc<Standing>> {
        self.lock().by_id.iter().map(|(_, standing)| Arc::clone(standing)).collect()
    }
}

impl Known {
    /// Whoever adds a kind of change decides here what it touches.
    fn forget(&mut self, change: &Change) {
        match change {
            Change::SessionStarted(id)
            | Change::SessionEnded(id)
            | Change::SessionChecked(id)
            | Change::SessionRenewed(id)
            | Change::SessionLost(id) => {
                self.forgettings += 1;
                self.by_id.remove(id);
            }
            // Of all their sessions; it is done by hand, and seldom.
            Change::UserDisabled(_) | Change::UserEnabled(_) => self.forget_all(),
            Change::UserSaved(_)
            | Change::TokenMinted(_)
            | Change::TokenRevoked(_)
            | Change::NameReleased(_)
            | Change::RefreshRequested(_)
            | Change::RefreshAnswered(_)
            | Change::Swept
            | Change::SigningKeyMade(_)
            | Change::AuthorizationSeen(_)
            | Change::RefreshTokenMinted(_)
            | Change::LogoutHeard(_) => {}
        }
    }

    fn forget_all(&mut self) {
        self.forgettings += 1;
        self.by_id.clear();
    }
}
