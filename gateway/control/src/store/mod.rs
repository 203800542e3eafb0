//! The store: everything that must outlive the process, in one SQLite file.
//!
//! Readers get connections that SQLite itself keeps from writing (`query_only`). The one way to write is a [`Write`],
//! and its commit takes the [`Changes`] that it made: a write that the tail does not see cannot be spelled.

mod change;
mod copy;
mod fault;
mod meters;
mod write;

pub(crate) use change::{Change, Changes};
pub use fault::StoreFault;
pub(crate) use meters::{Reader, StoreMeters};
pub(crate) use write::Write;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::Clock;
use jiff::Timestamp;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};
use tokio::sync::Notify;

use crate::sessions::Standings;
use copy::Scratch;
use write::Writer;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Before this version a reset of the write-ahead log could lose committed pages.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// How long a writer waits for the one in another process, such as a command beside the server.
const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// The store. Clones are handles on the same one.
///
/// Several processes may open the same file: a command writes beside the running server, and the server sees it by
/// the `changes` that every write leaves.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    readers: SqlitePool,
    writer: Writer,
    clock: Arc<dyn Clock>,
    calls: AtomicU64,
    standings: Arc<Standings>,
    meters: Arc<StoreMeters>,
    /// Where a copy stands, when this is one. Dropped last.
    _scratch: Option<Scratch>,
}

impl Store {
    /// Opens the file, makes it (readable by its owner alone) where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a store, and when the SQLite in this build is too old to trust.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreFault> {
        make_private(path)?;
        Self::open_in(path, clock, None).await
    }

    /// Opens a file that is there. The copy of a store is brought up to date like a store, and written no more.
    async fn open_in(path: &Path, clock: Arc<dyn Clock>, scratch: Option<Scratch>) -> Result<Self, StoreFault> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        let writing =
            pool(1).before_acquire(|writer, _| Box::pin(is_at_rest(writer))).connect_with(options.clone()).await?;
        check_version(&writing).await?;
        migrate(&writing).await?;
        let reading = options.pragma("query_only", "ON");
        let readers = pool(READERS).connect_with(reading.clone()).await?;
        let writing = match scratch {
            None => writing,
            Some(_) => {
                writing.close().await;
                pool(1).connect_with(reading).await?
            }
        };
        let meters = Arc::new(StoreMeters::new(Arc::clone(&clock)));
        let (standings, calls) = (Arc::<Standings>::default(), AtomicU64::new(0));
        let writer = Writer::new(writing, Arc::clone(&standings), Arc::clone(&meters));
        Ok(Self(Arc::new(Inner { readers, writer, clock, calls, standings, meters, _scratch: scratch })))
    }

    /// Asks whether the store answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreFault> {
        sqlx::query("SELECT 1").execute(&mut *self.read().await?).await?;
        Ok(())
    }

    /// How many times the store was asked since it was opened, for metrics and for the tests that count.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Closes every connection, so that the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.writer.close().await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A connection that cannot write.
    pub(crate) async fn read(&self) -> Result<Reader, StoreFault> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let timed = self.0.meters.reading();
        let connection = self.0.meters.watch(self.0.readers.acquire().await)?;
        Ok(Reader { connection, _timed: timed })
    }

    /// The only way to write. Dropped without a commit, it leaves nothing behind.
    pub(crate) async fn write(&self) -> Result<Write, StoreFault> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.0.writer.begin(self.now()).await
    }

    /// How sessions stand, as far as it is remembered.
    pub(crate) fn standings(&self) -> &Standings {
        &self.0.standings
    }

    pub(crate) fn meters(&self) -> &StoreMeters {
        &self.0.meters
    }

    /// Fires after each commit of this process, so that its own changes are read at once.
    pub(crate) fn written(&self) -> &Notify {
        self.0.writer.written()
    }
}

/// A moment as the store keeps it.
pub(crate) fn millis(moment: Timestamp) -> i64 {
    moment.as_millisecond()
}

/// A moment from the store. One beyond every calendar reads as the end of time, and a session of that kind has ended.
pub(crate) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN)
}

/// How long ago a moment was; nothing, when the clock has jumped back.
pub(crate) fn since(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or(Duration::ZERO)
}

/// SQLite would make the file readable for everybody that the umask lets; its helpers (`-wal`, `-shm`) copy its mode.
fn make_private(path: &Path) -> Result<(), StoreFault> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map(drop).map_err(|source| StoreFault::File { path: path.to_owned(), source })
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY * 2)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// On a full disk SQLite gives a transaction up by itself, and sqlx goes on to count it: the connection could not begin
/// another one for ever. Such a one is closed, and the pool opens a new one.
async fn is_at_rest(writer: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A rollback that is under way is behind this.
    writer.ping().await?;
    Ok(!writer.is_in_transaction())
}

async fn check_version(pool: &SqlitePool) -> Result<(), StoreFault> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    if version(&found) < Some(OLDEST_SQLITE) {
        return Err(StoreFault::OldSqlite(found));
    }
    Ok(())
}

fn version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// A newer version may have added tables already: versions N and N−1 run on one schema. Two processes that start at
/// once both try; the second finds the work done when it looks again.
async fn migrate(pool: &SqlitePool) -> Result<(), StoreFault> {
    let migrations = || async {
        let mut all = Migrator { ..Migrator::DEFAULT };
        all.migrations = MIGRATIONS.migrations.clone();
        all.set_ignore_missing(true);
        all.run(pool).await
    };
    if migrations().await.is_ok() {
        return Ok(());
    }
    migrations().await.map_err(StoreFault::from)
}

#[cfg(test)]
mod kill;
#[cfg(test)]
mod tests;
