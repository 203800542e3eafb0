//! Logins of some groups end earlier.

use super::*;
use crate::testing::Person;

impl Visitor<'_> {
    async fn refresh_of(&mut self, person: &str) -> String {
        let sent = self.authorize(&[]).await;
        let page = self.get(&sent.location).await;
        let code = self.log_in(&page, person, "right").await.query("code").expect("a code");
        self.redeem(&code, &[]).await.word("refresh_token")
    }
}

/// `night` and `root` are the groups of the rules: three hours and two, one hour unused and half of one.
async fn site() -> Site {
    let site = Site::open().await;
    for (person, groups) in [("nina", vec![("7", "night")]), ("both", vec![("7", "night"), ("8", "root")])] {
        site.corp.set(person, Person { groups, ..Person::default() });
    }
    site
}

#[tokio::test]
async fn the_strictest_rule_of_a_persons_groups_ends_the_login() {
    let site = site().await;
    for (person, minutes) in [("nina", 180), ("both", 120), ("bob", 720)] {
        let mut client = Visitor::new(&site);
        let mut token = client.refresh_of(person).await;
        for _ in 0..(minutes / 20 - 1) {
            site.clock.advance(Duration::from_mins(20));
            token = client.refresh(&token).await.word("refresh_token");
        }
        site.clock.advance(Duration::from_mins(19));
        let last = client.refresh(&token).await;
        assert_eq!(last.json()["expires_in"], 60, "{person}: {}", last.text);
        site.clock.advance(Duration::from_mins(1));
        assert_eq!(client.refresh(&last.word("refresh_token")).await.word("error"), "invalid_grant", "{person}");
        assert!(!is_good(&site, &last.word("access_token")).await, "{person}");
    }
}

#[tokio::test]
async fn the_strictest_rule_says_how_long_a_login_may_go_unused() {
    let site = site().await;
    for (person, minutes) in [("nina", 60), ("both", 30), ("bob", 480)] {
        let mut client = Visitor::new(&site);
        let (used, unused) = (client.refresh_of(person).await, client.refresh_of(person).await);
        site.clock.advance(Duration::from_mins(minutes - 1));
        assert_eq!(client.refresh(&used).await.status, 200, "{person}");
        site.clock.advance(Duration::from_mins(1));
        assert_eq!(client.refresh(&unused).await.word("error"), "invalid_grant", "{person}");
    }
}

#[tokio::test]
async fn a_group_that_comes_later_shortens_the_login_that_runs() {
    let site = site().await;
    let mut client = Visitor::new(&site);
    let mut token = client.refresh_of("bob").await;
    site.clock.advance(Duration::from_mins(110));
    site.corp.set("bob", Person { groups: vec![("8", "root")], ..Person::default() });
    let given = client.refresh(&token).await;
    assert_eq!(given.json()["expires_in"], 600, "two hours from the login: {}", given.text);
    token = given.word("refresh_token");
    site.clock.advance(Duration::from_mins(10));
    assert_eq!(client.refresh(&token).await.word("error"), "invalid_grant");
}

#[tokio::test]
async fn a_login_at_the_api_ends_by_the_same_rule() {
    let site = site().await;
    let done = site.login("both").await.expect("logged in");
    let left = done.expires_at.duration_since(site.control.store().now());
    assert_eq!(left.as_secs(), 2 * 60 * 60);
}

#[tokio::test]
async fn an_id_token_says_when_the_person_proved_to_the_provider_who_they_are() {
    let site = Site::open().await;
    site.add_away().await;
    let mut browser = Visitor::new(&site);
    let given = tokens_from_away(&mut browser).await;
    assert_eq!(claims(&given.word("id_token"))["auth_time"], crate::testing::AUTH_TIME);
    let renewed = browser.refresh(&given.word("refresh_token")).await;
    assert_eq!(claims(&renewed.word("id_token"))["auth_time"], crate::testing::AUTH_TIME);
}

#[tokio::test]
async fn a_code_that_is_over_is_an_invalid_grant() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    site.clock.advance(crate::issuer::authorization::LIFE);
    assert_eq!(client.redeem(&code, &[]).await.word("error"), "invalid_grant");
}
