//! Sessions as their owners and as administrators see them.

use std::time::Duration;

use super::*;
use crate::ChangeEvent;

#[tokio::test]
async fn somebody_lists_and_ends_their_own_sessions_and_nobody_elses() {
    let site = Site::open().await;
    let (first, second) = (site.login("alice").await.expect("in"), site.login("alice").await.expect("in"));
    let bobs = site.login("bob").await.expect("in");
    let alice = async || caller(&site, first.token.expose()).await;
    let listed = send(&site, request("GET", "/api/v1/sessions", ""), Some(alice().await)).await;
    let sessions = listed.body["sessions"].as_array().expect("a list").clone();
    assert_eq!(sessions.len(), 2, "{}", listed.text);
    let current: Vec<_> = sessions.iter().filter(|session| session["current"] == true).collect();
    assert!(current.len() == 1 && current[0]["id"] == first.session.as_str(), "{}", listed.text);
    for wrong in [bobs.session.as_str(), "x", "00000000000000000000000000"] {
        let path = format!("/api/v1/sessions/{wrong}");
        assert_eq!(send(&site, request("DELETE", &path, ""), Some(alice().await)).await.status, 404, "{wrong}");
    }
    site.control.resolve_token(bobs.token.expose()).await.expect("bob is still in");
    let path = format!("/api/v1/sessions/{}", second.session);
    assert_eq!(send(&site, request("DELETE", &path, ""), Some(alice().await)).await.status, 204);
    assert!(site.control.resolve_token(second.token.expose()).await.is_err());
    let me = alice().await;
    assert_eq!(send(&site, request("DELETE", "/api/v1/sessions/current", ""), Some(me)).await.status, 204);
    assert!(site.control.resolve_token(first.token.expose()).await.is_err());
}

/// A request by somebody, for what stands at this path.
async fn asks(site: &Site, method: &str, path: &str, caller: Caller) -> Answer {
    send(site, request(method, path, ""), Some(caller)).await
}

fn ids(answer: &Answer) -> Vec<String> {
    let sessions = answer.body["sessions"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    sessions.iter().map(|session| session["id"].as_str().expect("an id").to_owned()).collect()
}

async fn administrator(site: &Site) -> Caller {
    let token = site.login("bob").await.expect("in").token;
    Caller { is_administrator: true, ..caller(site, token.expose()).await }
}

#[tokio::test]
async fn a_session_says_where_it_came_from_and_what_its_times_are() {
    let site = Site::open().await;
    let mut login = request("POST", "/api/v1/providers/corp/login", ALICE);
    login.headers_mut().insert("user-agent", "curl/8.17".parse().expect("a value"));
    let token = send(&site, login, None).await.body["token"].as_str().expect("a token").to_owned();
    let alice = caller(&site, &token).await;
    let session = asks(&site, "GET", "/api/v1/sessions", alice).await.body["sessions"][0].clone();
    for (field, value) in [
        ("username", "corp:alice"),
        ("principal", "corp_user://alice"),
        ("flow", "api"),
        ("address", "127.0.0.1"),
        ("agent", "curl/8.17"),
    ] {
        assert_eq!(session[field], value, "{session}");
    }
    assert_eq!(session["amr"], serde_json::json!(["pwd"]));
    let time = |field: &str| -> jiff::Timestamp { session[field].as_str().expect(field).parse().expect("a time") };
    let since_login = |field: &str| time(field).duration_since(time("createdAt")).as_secs();
    assert_eq!(since_login("expiresAt"), 12 * 60 * 60);
    assert!((810..=990).contains(&since_login("nextRefreshAt")), "{session}");
    assert!(session["idleExpiresAt"].is_null() && session["approvedFrom"].is_null(), "{session}");
}

#[tokio::test]
async fn a_session_that_an_older_version_began_is_listed_with_what_it_says() {
    let site = Site::open().await;
    let alice = site.login("alice").await.expect("in");
    let mut write = site.control.store().write().await.expect("a write");
    let sql = "UPDATE sessions SET flow = NULL, address = NULL, agent = NULL, amr = NULL, used_at = NULL";
    sqlx::query(sql).execute(write.connection()).await.expect("as it would be");
    write.commit(crate::store::Change::Swept).await.expect("kept");
    let listed = site.admin().sessions(None).await.expect("listed").remove(0);
    assert_eq!((listed.origin, listed.used_at), (crate::Origin::default(), listed.created_at));
    let alice = caller(&site, alice.token.expose()).await;
    assert_eq!(asks(&site, "GET", "/api/v1/sessions", alice).await.status, 200);
}

#[tokio::test]
async fn an_administrator_sees_and_ends_everybodys_sessions_and_nobody_else_does() {
    let site = Site::open().await;
    let alice = site.login("alice").await.expect("in");
    let boss = administrator(&site).await;
    let path = format!("/api/v1/sessions/{}", alice.session);
    for user in ["*", "alice", alice.user.as_str(), "nobody"] {
        let simple = Caller { is_administrator: false, ..boss.clone() };
        let answer = asks(&site, "GET", &format!("/api/v1/sessions?user={user}"), simple.clone()).await;
        assert_eq!(answer.problem(), (403, "forbidden"), "{user}");
        assert_eq!(asks(&site, "DELETE", &path, simple).await.problem(), (404, "not-found"));
    }
    site.control.resolve_token(alice.token.expose()).await.expect("nobody ended it");
    let all = asks(&site, "GET", "/api/v1/sessions?user=*", boss.clone()).await;
    assert_eq!(ids(&all), [boss.session.clone(), alice.session.to_string()]);
    for user in ["alice", "corp_user://alice", alice.user.as_str()] {
        let hers = asks(&site, "GET", &format!("/api/v1/sessions?user={user}"), boss.clone()).await;
        assert_eq!(ids(&hers), [alice.session.to_string()], "{user}");
    }
    assert_eq!(ids(&asks(&site, "GET", "/api/v1/sessions", boss.clone()).await), std::slice::from_ref(&boss.session));
    let unknown = asks(&site, "GET", "/api/v1/sessions?user=carol", boss.clone()).await;
    assert_eq!(unknown.problem(), (404, "not-found"));
    assert_eq!(asks(&site, "DELETE", &path, boss.clone()).await.status, 204);
    site.control.resolve_token(alice.token.expose()).await.expect_err("it is over");
    let ended = site.admin().sessions(Some("alice")).await.expect("listed").remove(0).ended.expect("ended");
    assert_eq!(ended.1, "ended by an administrator");
    assert_eq!(asks(&site, "DELETE", &path, boss).await.problem(), (404, "not-found"), "once");
}

#[tokio::test]
async fn a_long_list_comes_in_pages_that_miss_and_repeat_nothing() {
    let site = Site::open().await;
    for _ in 0..5 {
        site.login("alice").await.expect("in");
    }
    let boss = administrator(&site).await;
    let all = ids(&asks(&site, "GET", "/api/v1/sessions?user=*", boss.clone()).await);
    assert_eq!(all.len(), 6);
    let (mut paged, mut next) = (Vec::new(), String::new());
    loop {
        let page = asks(&site, "GET", &format!("/api/v1/sessions?user=*&limit=2{next}"), boss.clone()).await;
        paged.extend(ids(&page));
        let Some(before) = page.body["next"].as_str() else { break };
        next = format!("&before={before}");
    }
    assert_eq!(paged, all);
    for wrong in ["limit=0", "limit=501", "limit=x", "before=x", "after=x"] {
        let answer = asks(&site, "GET", &format!("/api/v1/sessions?{wrong}"), boss.clone()).await;
        assert_eq!(answer.problem(), (400, "invalid-query"), "{wrong}");
    }
}

#[tokio::test]
async fn that_a_session_is_in_use_is_written_beside_the_requests_and_told_at_once() {
    let site = Site::open().await;
    let mut events = site.control.events();
    let login = site.login("alice").await.expect("in");
    let minutes = |count| login_time(&login) + Duration::from_mins(count);
    site.clock.advance(Duration::from_mins(2));
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    let before = site.control.store().now();
    let alice = caller(&site, login.token.expose()).await;
    let written = async || site.admin().sessions(None).await.expect("listed").remove(0).used_at;
    assert_eq!(written().await, minutes(0), "a request waits for no write");
    let told = asks(&site, "GET", "/api/v1/sessions", alice).await.body["sessions"][0]["lastUsedAt"].clone();
    let told: jiff::Timestamp = told.as_str().expect("a time").parse().expect("a time");
    assert!(told >= before, "{told}");
    let guard = async {
        while written().await < before {
            site.clock.advance(Duration::from_secs(30));
            site.until(&mut events, &ChangeEvent::Heartbeat).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), guard).await.expect("it is written some time");
    assert!(site.control.store().now() >= before + Duration::from_mins(2), "in batches");
    site.control.used().note(&login.session, minutes(60));
    let beside = site.beside().await;
    site.control.shutdown().await;
    assert_eq!(beside.sessions(None).await.expect("listed").remove(0).used_at, minutes(60), "and at the end");
}

fn login_time(login: &crate::LoginDone) -> jiff::Timestamp {
    login.expires_at - Duration::from_hours(12)
}
