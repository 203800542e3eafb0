//! The one way to write.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::Notify;

use super::meters::{StoreMeters, Timed};
use super::{Changes, StoreFault, millis};
use crate::sessions::Standings;

/// The one connection that may write. Private to this folder: nothing else can reach it.
#[derive(Debug)]
pub(super) struct Writer {
    pool: SqlitePool,
    written: Arc<Notify>,
    standings: Arc<Standings>,
    meters: Arc<StoreMeters>,
}

impl Writer {
    pub(super) fn new(pool: SqlitePool, standings: Arc<Standings>, meters: Arc<StoreMeters>) -> Self {
        Self { pool, written: Arc::default(), standings, meters }
    }

    pub(super) async fn begin(&self, at: Timestamp) -> Result<Write, StoreFault> {
        // IMMEDIATE takes the lock now: a transaction that reads first and locks later fails when another process
        // wrote in between, and no wait would help it.
        let timed = self.meters.writing();
        let transaction = self.meters.watch(self.pool.begin_with("BEGIN IMMEDIATE").await)?;
        let (written, meters) = (Arc::clone(&self.written), Arc::clone(&self.meters));
        let standings = Arc::clone(&self.standings);
        Ok(Write { transaction, at, written, standings, meters, _timed: timed })
    }

    pub(super) fn written(&self) -> &Notify {
        &self.written
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A write that has begun. Dropped, it is rolled back; kept by [`Write::commit`] together with what it did.
pub(crate) struct Write {
    transaction: Transaction<'static, Sqlite>,
    at: Timestamp,
    written: Arc<Notify>,
    standings: Arc<Standings>,
    meters: Arc<StoreMeters>,
    _timed: Timed,
}

impl Write {
    /// When the write began: one moment for all its rows.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Keeps everything, or nothing. When this returns, the rows are on the disk.
    pub(crate) async fn commit(self, changes: impl Into<Changes>) -> Result<(), StoreFault> {
        let meters = Arc::clone(&self.meters);
        meters.watch(self.keep(changes.into()).await)
    }

    async fn keep(mut self, changes: Changes) -> Result<(), StoreFault> {
        let mut numbers = Vec::new();
        for change in changes.iter() {
            let row = sqlx::query("INSERT INTO changes (at, kind, key) VALUES (?, ?, ?)")
                .bind(millis(self.at))
                .bind(change.kind())
                .bind(change.key())
                .execute(&mut *self.transaction)
                .await?;
            numbers.push(row.last_insert_rowid());
        }
        let committed = self.transaction.commit().await;
        let numbered = numbers.into_iter().zip(changes.iter());
        match &committed {
            Ok(()) => self.standings.follow_own(numbered),
            // It may be there all the same. If it is not, another process makes something else of its numbers.
            Err(_) => self.standings.forget_all(),
        }
        committed?;
        self.written.notify_waiters();
        Ok(())
    }
}
