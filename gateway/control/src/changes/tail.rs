//! Follows the `changes` table.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use auth_core::Clock;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use super::ChangeEvent;
use crate::store::{Change, Store, StoreFault};

/// How often others' writes are looked for; our own are seen at once.
const INTERVAL: Duration = Duration::from_millis(500);
const PAGE: i64 = 1_000;

/// Reads changes in their order and tells them on.
#[derive(Debug)]
pub(crate) struct Tail {
    store: Store,
    events: broadcast::Sender<ChangeEvent>,
    requested: Arc<Notify>,
    /// The last number that was told.
    last: i64,
}

impl Tail {
    /// Starts after what is there now. `requested` fires when somebody asks for a refresh.
    pub(crate) async fn start(
        store: Store,
        events: broadcast::Sender<ChangeEvent>,
        requested: Arc<Notify>,
    ) -> Result<Self, StoreFault> {
        let (_, last) = bounds(&store).await?;
        Ok(Self { store, events, requested, last })
    }

    pub(crate) async fn run(mut self, clock: Arc<dyn Clock>, end: CancellationToken) {
        let store = self.store.clone();
        loop {
            // Armed before the read: a commit during it is not slept over.
            let mut written = pin!(store.written().notified());
            written.as_mut().enable();
            match self.read().await {
                Ok(()) => self.tell(ChangeEvent::Heartbeat),
                Err(fault) => tracing::error!(why = %auth_core::with_causes(&fault), "changes cannot be read"),
            }
            tokio::select! {
                () = end.cancelled() => return,
                () = written => {}
                () = clock.sleep(INTERVAL) => {}
            }
        }
    }

    async fn read(&mut self) -> Result<(), StoreFault> {
        let (first, newest) = bounds(&self.store).await?;
        // Rows that we have not seen were swept, or an older copy of the store took its place.
        if newest < self.last || first > self.last + 1 {
            tracing::warn!(last = self.last, first, newest, "changes were missed; everything starts over");
            self.last = newest;
            self.reset();
            return Ok(());
        }
        loop {
            let rows = self.page().await?;
            let full = rows.len() as i64 == PAGE;
            for (seq, kind, key) in rows {
                self.last = seq;
                self.follow(seq, &kind, &key);
            }
            if !full {
                return Ok(());
            }
        }
    }

    async fn page(&self) -> Result<Vec<(i64, String, String)>, StoreFault> {
        let rows = sqlx::query_as("SELECT seq, kind, key FROM changes WHERE seq > ? ORDER BY seq LIMIT ?")
            .bind(self.last)
            .bind(PAGE)
            .fetch_all(&mut *self.store.read().await?)
            .await?;
        Ok(rows)
    }

    fn follow(&self, seq: i64, kind: &str, key: &str) {
        match Change::parse(kind, key) {
            Some(Change::RefreshRequested(_)) => self.requested.notify_one(),
            Some(change) => {
                // Before anybody is told: who asks because of it must not find what was.
                self.store.standings().follow(seq, &change);
                if let Some(event) = ChangeEvent::of(change) {
                    self.tell(event);
                }
            }
            // A newer version wrote it, and it may have ended anything.
            None => self.reset(),
        }
    }

    fn reset(&self) {
        self.store.standings().forget_all();
        self.tell(ChangeEvent::Reset);
    }

    fn tell(&self, event: ChangeEvent) {
        // It fails when nobody follows, and then nobody caches.
        let _ = self.events.send(event);
    }
}

async fn bounds(store: &Store) -> Result<(i64, i64), StoreFault> {
    Ok(sqlx::query_as(BOUNDS).fetch_one(&mut *store.read().await?).await?)
}

/// Two queries in one: of a query that asks for both ends SQLite reads every row, and it is asked after every write.
pub(super) const BOUNDS: &str =
    "SELECT coalesce((SELECT min(seq) FROM changes), 0), coalesce((SELECT max(seq) FROM changes), 0)";
