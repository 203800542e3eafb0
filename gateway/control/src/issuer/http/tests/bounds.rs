//! Anybody may begin logins, and nobody keeps others from theirs by it.

use super::*;

/// How many logins are under way, or were and are remembered.
async fn kept(site: &Site, over: bool) -> i64 {
    let mut reader = site.control.store().read().await.expect("a reader");
    let sql = if over { "expires_at <= ?" } else { "expires_at > ?" };
    let now = site.control.store().now().as_millisecond();
    let sql = format!("SELECT count(*) FROM authorizations WHERE {sql}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(now).fetch_one(&mut *reader).await.expect("asked")
}

/// As many as this, of one network each, as a flood would leave them.
async fn flood(site: &Site, networks: u32) {
    let mut write = site.control.store().write().await.expect("a writer");
    let sql = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) INSERT INTO authorizations \
               (id, client, scope, network, user_code, device_sha256, created_at, expires_at) \
               SELECT printf('f%031d', i), 'page', 'openid', 'network ' || i, 'code ' || i, CAST(i AS BLOB), ?2, ?3 FROM n";
    let at = write.at().as_millisecond();
    let ends = at + 600_000;
    sqlx::query(sql).bind(networks).bind(at).bind(ends).execute(write.connection()).await.expect("inserted");
    write.commit(crate::store::Change::AuthorizationSeen("flood".to_owned())).await.expect("committed");
}

#[tokio::test]
async fn a_flood_from_one_network_takes_its_own_places_alone() {
    let site = Site::open().await;
    let mut person = Visitor::new(&site);
    let page = person.authorize(&[]).await;
    let mut first = None;
    for each in 0..1_100_u16 {
        // Every time another address of the same /64.
        let mut one = Visitor::new(&site);
        one.address = format!("2001:db8:0:1::{each:x}").parse().expect("an address");
        let begun = one.authorize(&[]).await;
        assert_eq!(begun.status, 303);
        first.get_or_insert((one.cookie, begun.location));
    }
    assert_eq!(kept(&site, false).await, 1_001, "a thousand of that network, and the person's");
    let page = person.get(&page.location).await;
    assert!(person.log_in(&page, "alice", "right").await.query("code").is_some(), "they go on");
    let (cookie, location) = first.expect("the first");
    let mut gone = Visitor::new(&site);
    gone.cookie = cookie;
    assert!(gone.get(&location).await.status.is_client_error(), "the oldest of the flood is gone");
}

#[tokio::test]
async fn of_very_many_networks_those_with_the_most_make_room_first() {
    let site = Site::open().await;
    flood(&site, 19_400).await;
    let mut person = Visitor::new(&site);
    let page = person.authorize(&[]).await;
    let mut heavy = Visitor::new(&site);
    heavy.address = [192, 0, 2, 77].into();
    for _ in 0..599 {
        assert_eq!(heavy.authorize(&[]).await.status, 303);
    }
    assert_eq!(kept(&site, false).await, 20_000);
    assert_eq!(heavy.authorize(&[]).await.status, 303, "nobody is refused");
    assert_eq!(kept(&site, false).await, 19_501, "five hundred made room");
    let page = person.get(&page.location).await;
    assert!(person.log_in(&page, "alice", "right").await.query("code").is_some(), "and the person is none of them");
}

#[tokio::test]
async fn logins_that_nobody_finishes_are_forgotten() {
    let site = Site::open().await;
    let mut one = Visitor::new(&site);
    for _ in 0..10 {
        assert_eq!(one.authorize(&[]).await.status, 303);
    }
    site.clock.advance(Duration::from_mins(10));
    assert_eq!((kept(&site, false).await, kept(&site, true).await), (0, 10));
    site.clock.advance(Duration::from_mins(11));
    let mut events = site.control.events();
    site.until(&mut events, &crate::ChangeEvent::Heartbeat).await;
    for _ in 0..1_000 {
        if kept(&site, true).await == 0 {
            return;
        }
        site.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} are left", kept(&site, true).await);
}
