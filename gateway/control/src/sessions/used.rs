//! When sessions were last used.
//!
//! A warm request asks nobody, so it leaves nothing here. What is seen of a session in use is that its credential is
//! looked up, again every few minutes, and that its refresh token is spent. The first is noted in memory, and written
//! for many sessions at once beside the requests; the second is a row that is written anyway. A crash costs the last
//! notes, which nobody was promised.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{SessionId, parse_id};
use crate::store::{Change, Changes, Store, StoreFault, millis};

/// Sessions that were used since the last write.
#[derive(Debug, Default)]
pub(crate) struct Used(Mutex<HashMap<SessionId, Timestamp>>);

/// As many as the data plane keeps credentials of; beyond it nothing is noted until the next write.
const MOST: usize = 65_536;
/// As many as one write takes, so that a login beside it waits for no more than these.
const AT_ONCE: usize = 256;

impl Used {
    // Nothing that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that one is in use.
    pub(crate) fn note(&self, session: &SessionId, at: Timestamp) {
        let mut noted = self.lock();
        if noted.len() < MOST || noted.contains_key(session) {
            noted.insert(session.clone(), at);
        }
    }

    /// When one was used, if that is not written yet.
    pub(crate) fn of(&self, session: &SessionId) -> Option<Timestamp> {
        self.lock().get(session).copied()
    }

    /// Writes what was noted. What a store does not take is noted again at the next use.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreFault> {
        let noted: Vec<(SessionId, Timestamp)> = std::mem::take(&mut *self.lock()).into_iter().collect();
        for some in noted.chunks(AT_ONCE) {
            let mut write = store.write().await?;
            let mut changes = Vec::with_capacity(some.len());
            for (session, at) in some {
                let written: Option<String> = sqlx::query_scalar(
                    "UPDATE sessions SET used_at = ?1 WHERE id = ?2 AND ended_at IS NULL AND coalesce(used_at, 0) < ?1 \
                     RETURNING id",
                )
                .bind(millis(*at))
                .bind(session.as_str())
                .fetch_optional(write.connection())
                .await?;
                changes.extend(written.map(|id| parse_id(&id)).transpose()?.map(Change::SessionChecked));
            }
            if let Some(changes) = Changes::collect(changes) {
                write.commit(changes).await?;
            }
        }
        Ok(())
    }
}
