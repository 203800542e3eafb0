//! What followers are told, and that they are told everything.

use std::sync::Arc;

use auth_core::Clock;
use auth_core::testing::ManualClock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::Site;

#[tokio::test]
async fn a_follower_starts_by_believing_nothing() {
    let site = Site::open().await;
    assert_eq!(site.control.events().next().await, Some(ChangeEvent::Reset));
}

#[tokio::test]
async fn a_command_beside_the_server_is_heard() {
    let site = Site::open().await;
    let done = site.login("alice").await.expect("logged in");
    let mut events = site.control.events();
    let beside = site.beside().await;
    beside.revoke_token(done.name.as_str()).await.expect("revoked");
    site.until(&mut events, &ChangeEvent::TokenRevoked(done.name)).await;
    site.until(&mut events, &ChangeEvent::SessionEnded(done.session)).await;
    site.until(&mut events, &ChangeEvent::Heartbeat).await;

    let next = site.login("alice").await.expect("logged in");
    beside.disable("alice").await.expect("disabled");
    site.until(&mut events, &ChangeEvent::UserDisabled(next.user)).await;
}

#[tokio::test]
async fn a_login_ends_nothing_for_anybody() {
    let site = Site::open().await;
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    let first = site.login("alice").await.expect("logged in");
    site.login("bob").await.expect("logged in");
    site.admin().revoke_token(first.name.as_str()).await.expect("revoked");
    let seen = site.until(&mut events, &ChangeEvent::TokenRevoked(first.name)).await;
    let told: Vec<_> = seen.iter().filter(|event| **event != ChangeEvent::Heartbeat).collect();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test]
async fn the_sessions_of_a_provider_that_is_taken_away_end() {
    let site = Site::open().await;
    let done = site.login("alice").await.expect("logged in");
    let mut events = site.control.events();
    site.control.replace_providers(crate::Registry::default()).await.expect("replaced");
    site.until(&mut events, &ChangeEvent::SessionEnded(done.session)).await;
}

#[tokio::test]
async fn a_follower_too_slow_starts_over_instead_of_missing_an_ending() {
    let (sender, receiver) = broadcast::channel(2);
    let mut events = Events::new(receiver, CancellationToken::new());
    assert_eq!(events.next().await, Some(ChangeEvent::Reset));
    let session = SessionId::random();
    sender.send(ChangeEvent::SessionEnded(session)).expect("followed");
    for _ in 0..2 {
        sender.send(ChangeEvent::Heartbeat).expect("followed");
    }
    assert_eq!(events.next().await, Some(ChangeEvent::Reset), "the ending was pushed out");
    drop(sender);
    assert_eq!(events.next().await, Some(ChangeEvent::Heartbeat));
    assert_eq!(events.next().await, Some(ChangeEvent::Heartbeat));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn rows_that_were_swept_before_they_were_read_make_everybody_start_over() {
    let site = Site::open().await;
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    site.login("alice").await.expect("logged in");
    let mut write = site.control.store().write().await.expect("begun");
    sqlx::query("UPDATE sqlite_sequence SET seq = seq + 100 WHERE name = 'changes'")
        .execute(write.connection())
        .await
        .expect("moved on");
    sqlx::query("DELETE FROM changes").execute(write.connection()).await.expect("swept");
    write.commit(Change::Swept).await.expect("kept");
    site.until(&mut events, &ChangeEvent::Reset).await;
}

#[tokio::test]
async fn the_first_and_the_last_number_are_found_without_reading_the_rows_between() {
    let site = Site::open().await;
    let mut reader = site.control.store().read().await.expect("open");
    type Line = (i64, i64, i64, String);
    let plan: Vec<Line> = sqlx::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", tail::BOUNDS)))
        .fetch_all(&mut *reader)
        .await
        .expect("asked");
    let steps: Vec<&str> =
        plan.iter().map(|(.., step)| step.as_str()).filter(|step| step.contains("changes")).collect();
    assert_eq!(steps, ["SEARCH changes", "SEARCH changes"]);
}

#[tokio::test]
async fn a_kind_of_change_that_is_not_known_may_have_ended_anything() {
    let site = Site::open().await;
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    let mut write = site.control.store().write().await.expect("begun");
    sqlx::query("INSERT INTO changes (at, kind, key) VALUES (0, 'from-the-future', '')")
        .execute(write.connection())
        .await
        .expect("inserted");
    write.commit(Change::Swept).await.expect("kept");
    site.until(&mut events, &ChangeEvent::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heart_beats_only_after_a_read_that_worked() {
    let site = Site::open().await;
    let store = site.control.store().clone();
    let clock = Arc::new(ManualClock::new());
    let (events, mut receiver) = broadcast::channel(8);
    let tail = Tail::start(store.clone(), events, Arc::new(Notify::new())).await.expect("started");
    rename(&site, "ALTER TABLE changes RENAME TO elsewhere").await;
    let end = CancellationToken::new();
    let dyn_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    site.control.tasks().spawn(tail.run(dyn_clock, end.clone()));
    for _ in 0..3 {
        clock.wait_for_sleepers(1);
        assert!(receiver.try_recv().is_err(), "a read failed, so nothing is known");
        clock.advance(std::time::Duration::from_millis(500));
    }
    rename(&site, "ALTER TABLE elsewhere RENAME TO changes").await;
    let beat = async {
        while receiver.try_recv() != Ok(ChangeEvent::Heartbeat) {
            clock.advance(std::time::Duration::from_millis(500));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), beat).await.expect("it beats again");
    end.cancel();
}

/// From another process, which need not tell anybody.
async fn rename(site: &Site, sql: &'static str) {
    use sqlx::ConnectOptions;
    let path = site.folder.path().join("gatewarden.db");
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.expect("connected");
    sqlx::query(sql).execute(&mut other).await.expect("renamed");
}

#[tokio::test]
async fn after_the_end_there_are_no_more_events_and_nothing_runs() {
    let site = Site::open().await;
    let mut events = site.control.events();
    let login = site.login("alice").await.expect("logged in");
    site.admin().end_session(login.session.as_str()).await.expect("ended");
    site.until(&mut events, &ChangeEvent::SessionEnded(login.session)).await;
    site.control.shutdown().await;
    while events.next().await.is_some() {}
    assert!(site.control.tasks().is_empty());
}
