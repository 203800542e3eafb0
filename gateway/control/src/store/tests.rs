//! What the store promises to those who write, read and pull the plug.

use std::os::unix::fs::PermissionsExt;

use auth_core::testing::ManualClock;
use sqlx::ConnectOptions;

use super::*;
use crate::users::UserId;

fn user() -> UserId {
    UserId::of(&"corp_user://1".parse().expect("an id"))
}

async fn open(folder: &Path) -> Store {
    Store::open(&folder.join("db"), Arc::new(ManualClock::new())).await.expect("a store")
}

async fn add_group(write: &mut Write, name: &str) {
    sqlx::query("INSERT INTO local_groups (id, name) VALUES (?1, ?1)")
        .bind(name)
        .execute(write.connection())
        .await
        .expect("inserted");
}

async fn count(store: &Store, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut *store.read().await.expect("a reader")).await.expect("counted")
}

const GROUPS: &str = "SELECT count(*) FROM local_groups";
const CHANGES: &str = "SELECT count(*) FROM changes";

#[tokio::test]
async fn its_files_are_for_its_owner_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    store.write().await.expect("begun").commit(Change::UserSaved(user())).await.expect("kept");
    for name in ["db", "db-wal", "db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn every_connection_syncs_fully_and_checks_foreign_keys() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    let mut write = store.write().await.expect("begun");
    for (pragma, expected) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1)] {
        let found: i64 = sqlx::query_scalar(pragma).fetch_one(write.connection()).await.expect("asked");
        assert_eq!(found, expected, "{pragma}");
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(write.connection()).await.expect("asked");
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_reader_can_change_no_table() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    let mut reader = store.read().await.expect("a reader");
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
        .fetch_all(&mut *reader)
        .await
        .expect("listed");
    assert!(tables.len() > 9, "{tables:?}");
    for table in tables {
        let delete = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
        let refused = sqlx::query(delete).execute(&mut *reader).await.map_err(StoreFault::from);
        assert!(matches!(refused, Err(StoreFault::ReadOnly(_))), "{table}: {refused:?}");
    }
}

#[tokio::test]
async fn a_write_that_is_dropped_leaves_nothing_and_holds_up_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    let mut write = store.write().await.expect("begun");
    add_group(&mut write, "dev").await;
    drop(write);
    let mut write = store.write().await.expect("begun again");
    add_group(&mut write, "dev").await;
    write.commit(Change::Swept).await.expect("kept");
    assert_eq!((count(&store, GROUPS).await, count(&store, CHANGES).await), (1, 1));
}

#[tokio::test]
async fn a_commit_keeps_rows_and_changes_together_or_neither() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    let mut write = store.write().await.expect("begun");
    add_group(&mut write, "dev").await;
    sqlx::query("ALTER TABLE changes RENAME TO elsewhere").execute(write.connection()).await.expect("renamed");
    write.commit(Change::Swept).await.expect_err("there is no table for the change");
    assert_eq!(count(&store, GROUPS).await, 0);
}

#[tokio::test]
async fn two_handles_see_each_others_writes_in_one_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (server, command) = (open(folder.path()).await, open(folder.path()).await);
    for store in [&server, &command, &server] {
        store.write().await.expect("begun").commit(Change::Swept).await.expect("kept");
    }
    assert_eq!(count(&command, "SELECT max(seq) FROM changes").await, 3);
    assert_eq!(count(&server, "SELECT max(seq) FROM changes").await, 3);
}

#[tokio::test]
async fn a_number_is_never_given_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    for _ in 0..2 {
        let mut write = store.write().await.expect("begun");
        sqlx::query("DELETE FROM changes").execute(write.connection()).await.expect("deleted");
        write.commit(Change::Swept).await.expect("kept");
    }
    assert_eq!(count(&store, "SELECT max(seq) FROM changes").await, 2);
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    let mut write = store.write().await.expect("begun");
    sqlx::query("PRAGMA max_page_count = 1").execute(write.connection()).await.expect("set");
    let full = sqlx::query("INSERT INTO local_groups (id, name) VALUES ('big', hex(zeroblob(200000)))")
        .execute(write.connection())
        .await
        .map_err(StoreFault::from);
    assert!(matches!(full, Err(StoreFault::Full(_))), "{full:?}");
    drop(write);
    assert_eq!(count(&store, GROUPS).await, 0);
}

#[tokio::test]
async fn a_locked_store_is_named_as_such() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    let _held = store.write().await.expect("begun");
    let options = SqliteConnectOptions::new().filename(folder.path().join("db")).busy_timeout(Duration::ZERO);
    let mut other = options.connect().await.expect("connected");
    let locked = sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.map_err(StoreFault::from);
    assert!(matches!(locked, Err(StoreFault::Locked(_))), "{locked:?}");
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "hello ".repeat(1_000);
    std::fs::write(folder.path().join("db"), &text).expect("written");
    let refused = Store::open(&folder.path().join("db"), Arc::new(ManualClock::new())).await;
    assert!(matches!(refused, Err(StoreFault::Damaged(_))), "{refused:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("db")).expect("read"), text);
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refused = Store::open(&folder.path().join("no/db"), Arc::new(ManualClock::new())).await;
    let refused = refused.expect_err("refused").to_string();
    assert!(refused.contains("no/db"), "{refused}");
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_no_obstacle() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    let mut write = store.write().await.expect("begun");
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', true, x'00', 0)",
    )
    .execute(write.connection())
    .await
    .expect("inserted");
    write.commit(Change::Swept).await.expect("kept");
    store.close().await;
    open(folder.path()).await;
}

#[test]
fn versions_compare_by_number() {
    assert!(version("3.9.0") < version("3.51.3") && version("3.51.10") > version("3.51.3"));
    assert_eq!(version("nonsense"), None);
    assert!(None < Some(OLDEST_SQLITE), "what cannot be read counts as old");
}

#[test]
fn every_kind_of_change_is_read_back_as_written() {
    let session: crate::sessions::SessionId = crate::sessions::SessionId::random();
    let token: crate::tokens::TokenName = "gwt-abcdefghijkl".parse().expect("a name");
    let all = [
        Change::UserSaved(user()),
        Change::UserDisabled(user()),
        Change::UserEnabled(user()),
        Change::SessionStarted(session.clone()),
        Change::SessionEnded(session.clone()),
        Change::SessionChecked(session.clone()),
        Change::SessionRenewed(session.clone()),
        Change::SessionLost(session),
        Change::TokenMinted(token.clone()),
        Change::TokenRevoked(token),
        Change::NameReleased("user:corp:alice".to_owned()),
        Change::RefreshRequested("r-1".to_owned()),
        Change::RefreshAnswered("r-1".to_owned()),
        Change::Swept,
    ];
    for change in all {
        assert_eq!(Change::parse(change.kind(), change.key()).as_ref(), Some(&change));
    }
    assert_eq!(Change::parse("from-the-future", ""), None);
}

#[tokio::test]
async fn a_copy_has_what_stands_in_the_log_alone_and_takes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path()).await;
    let mut write = store.write().await.expect("begun");
    add_group(&mut write, "dev").await;
    write.commit(Change::UserSaved(user())).await.expect("kept");
    let clock = Arc::new(ManualClock::new());
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let copies = || std::fs::read_dir(scratch.path()).expect("a folder").count();
    let copy = Store::open_copy(&folder.path().join("db"), scratch.path(), clock).await.expect("a copy");
    assert_eq!((count(&copy, GROUPS).await, copies()), (1, 1));
    let refused = match copy.write().await {
        Err(fault) => fault,
        Ok(mut write) => {
            let inserted = sqlx::query("INSERT INTO local_groups (id, name) VALUES ('x', 'x')");
            inserted.execute(write.connection()).await.expect_err("a copy that takes a row").into()
        }
    };
    assert!(refused.is_read_only(), "{refused}");
    copy.close().await;
    drop(copy);
    assert_eq!(copies(), 0, "the copy stays behind");
}
