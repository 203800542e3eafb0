//! What is remembered of sessions: it saves the store a question, and never says another thing.

use super::*;
use crate::ChangeEvent;
use crate::sessions::{self, SessionId};

/// Every session that is remembered stands as the store says. Answers how many there are.
async fn tells_the_truth(site: &Site) -> usize {
    let remembered = site.control.store().standings().all();
    for standing in &remembered {
        let id = standing.session_id.parse().expect("an id");
        let mut reader = site.control.store().read().await.expect("a reader");
        let stored = sessions::standing(&mut reader, &id).await.expect("asked").expect("there");
        assert_eq!(**standing, stored);
    }
    remembered.len()
}

fn session(token: &str) -> SessionId {
    claims(token)["sid"].as_str().expect("a session").parse().expect("an id")
}

/// The tokens of somebody who logged in by a code.
async fn logged_in(client: &mut Visitor<'_>) -> (String, String) {
    let code = client.code().await;
    let given = client.redeem(&code, &[]).await;
    (given.word("access_token"), given.word("refresh_token"))
}

#[tokio::test]
async fn a_token_that_was_never_seen_asks_no_store_when_its_session_is_known() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let (first, refresh) = logged_in(&mut client).await;
    let given = client.refresh(&refresh).await;
    let asked = site.control.store().calls();
    let whole = given.word("access_token");
    for token in [&first, &whole] {
        let found = site.control.resolve_signed(token).await.expect("good");
        assert_eq!((found.session, found.identity.user.username.as_str()), (session(token), "corp:alice"));
    }
    assert_eq!(site.control.store().calls(), asked);
    // Nor is it forgotten when the changes that this process made are read.
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    assert_eq!(tells_the_truth(&site).await, 1);
    site.control.store().standings().forget_all();
    assert!(is_good(&site, &first).await);
    assert_eq!(tells_the_truth(&site).await, 1, "what was looked up once is known again");
}

#[tokio::test]
async fn whatever_happens_to_a_session_the_memory_says_the_same_as_the_store() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let (access, refresh) = logged_in(&mut client).await;
    assert_eq!(tells_the_truth(&site).await, 1);
    site.clock.advance(Duration::from_secs(1));
    site.corp.set("alice", crate::testing::Person { groups: vec![("1", "dev")], ..Default::default() });
    let given = client.refresh(&refresh).await;
    assert_eq!(tells_the_truth(&site).await, 1);
    let found = site.control.resolve_signed(&access).await.expect("good");
    assert_eq!(found.identity.user.groups, ["corp:dev"], "also by a token from before");
    site.control.used().write(site.control.store()).await.expect("noted");
    tells_the_truth(&site).await;
    assert!(is_good(&site, &access).await);
    // A group that shortens what tokens are good for shortens no more than that.
    site.corp.set("alice", crate::testing::Person { groups: vec![("1", "dev"), ("9", "night")], ..Default::default() });
    site.clock.advance(Duration::from_secs(1));
    let given = client.refresh(&given.word("refresh_token")).await;
    assert_eq!(tells_the_truth(&site).await, 1);
    // Switched off and on again: the sessions of before do not come back.
    site.admin().disable("alice").await.expect("off");
    tells_the_truth(&site).await;
    assert!(!is_good(&site, &access).await);
    site.admin().enable("alice").await.expect("on");
    tells_the_truth(&site).await;
    assert!(!is_good(&site, &given.word("access_token")).await);
    for end in ["logout", "admin", "swept"] {
        let (access, refresh) = logged_in(&mut client).await;
        assert!(is_good(&site, &access).await, "{end}");
        match end {
            "logout" => drop(client.post("/oidc/revoke", &[PLUGIN, ("token", &refresh)]).await),
            "admin" => site.admin().end_session(session(&access).as_str()).await.expect("ended"),
            _ => {
                site.clock.advance(Duration::from_hours(13));
                crate::control::sweep(site.control.store()).await.expect("swept");
            }
        }
        tells_the_truth(&site).await;
        assert!(!is_good(&site, &access).await, "{end}");
    }
}

#[tokio::test]
async fn an_end_by_another_process_is_known_before_it_is_told() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let (access, _) = logged_in(&mut client).await;
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    assert!(is_good(&site, &access).await);
    site.beside().await.end_session(session(&access).as_str()).await.expect("ended");
    site.until(&mut events, &ChangeEvent::SessionEnded(session(&access))).await;
    assert!(!is_good(&site, &access).await);
    assert_eq!(tells_the_truth(&site).await, 0);
}

#[tokio::test]
async fn what_was_read_before_an_end_is_not_kept_after_it() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let (access, _) = logged_in(&mut client).await;
    let standings = site.control.store().standings();
    standings.forget_all();
    let asked = standings.asking();
    let mut reader = site.control.store().read().await.expect("a reader");
    let read = sessions::standing(&mut reader, &session(&access)).await.expect("asked").expect("there");
    drop(reader);
    site.admin().end_session(session(&access).as_str()).await.expect("ended");
    standings.keep(asked, &session(&access), &Arc::new(read));
    assert_eq!(standings.all().len(), 0);
    assert!(!is_good(&site, &access).await);
}

#[tokio::test]
async fn changes_that_nobody_here_understands_have_everything_forgotten() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let (access, _) = logged_in(&mut client).await;
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    let mut write = site.control.store().write().await.expect("a writer");
    let sql = "INSERT INTO changes (at, kind, key) VALUES (0, 'of-a-later-version', '')";
    sqlx::query(sql).execute(write.connection()).await.expect("written");
    write.commit(crate::store::Change::Swept).await.expect("committed");
    site.until(&mut events, &ChangeEvent::Reset).await;
    assert_eq!(tells_the_truth(&site).await, 0);
    assert!(is_good(&site, &access).await, "and it is looked up anew");
}

#[tokio::test]
async fn who_is_switched_off_is_forgotten_with_all_sessions() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let (access, _) = logged_in(&mut client).await;
    let user = site.control.resolve_signed(&access).await.expect("good").user;
    let standings = site.control.store().standings();
    for change in [crate::store::Change::UserDisabled(user.clone()), crate::store::Change::UserEnabled(user)] {
        assert!(is_good(&site, &access).await);
        assert_eq!(standings.all().len(), 1);
        standings.follow(i64::MAX, &change);
        assert_eq!(standings.all().len(), 0, "{change:?}");
    }
}
