//! When a token holds, and what is said when it does not.

use std::sync::Arc;

use super::*;
use crate::testing::Site;
use crate::tokens::Tokens;
use crate::{KeyFile, Registry, Settings};

async fn rejected(site: &Site, token: &str) -> Rejected {
    match site.control.resolve_token(token).await {
        Err(ResolveError::Unauthenticated(why)) => why,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_costs_no_call_to_the_store() {
    let site = Site::open().await;
    // The tail has read and all who wait sleep: whatever is counted from here on is ours.
    site.clock.wait_for_sleepers(4);
    let before = site.control.store().calls();
    let forged = format!("gwt-abcdefghijkl:{}", "A".repeat(66));
    for garbage in ["", "gwt-", "hello", "eyJhbGciOi.e30.x", &forged] {
        assert_eq!(rejected(&site, garbage).await, Rejected::Malformed);
    }
    assert_eq!(site.control.store().calls(), before);
}

#[tokio::test]
async fn a_token_of_ours_that_the_store_does_not_know_is_unknown() {
    let site = Site::open().await;
    let minted = Tokens::api(&KeyFile::open_or_create(&site.keys).expect("keys")).mint().expect("minted");
    assert_eq!(rejected(&site, minted.plain.expose()).await, Rejected::Unknown);
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let site = Site::open().await;
    let token = site.login("alice").await.expect("logged in").token;
    site.clock.advance(Duration::from_secs(12 * 60 * 60 - 1));
    site.control.resolve_token(token.expose()).await.expect("one second is left");
    site.clock.advance(Duration::from_secs(1));
    assert_eq!(rejected(&site, token.expose()).await, Rejected::Expired);
}

#[tokio::test]
async fn a_token_ends_when_somebody_ends_it_its_session_or_its_user() {
    let site = Site::open().await;
    let admin = site.admin();
    let revoked = site.login("alice").await.expect("logged in");
    admin.revoke_token(revoked.name.as_str()).await.expect("revoked");
    assert_eq!(rejected(&site, revoked.token.expose()).await, Rejected::Revoked);

    let ended = site.login("alice").await.expect("logged in");
    admin.end_session(ended.session.as_str()).await.expect("ended");
    assert_eq!(rejected(&site, ended.token.expose()).await, Rejected::Revoked);

    let disabled = site.login("alice").await.expect("logged in");
    admin.disable("alice").await.expect("disabled");
    assert_eq!(rejected(&site, disabled.token.expose()).await, Rejected::Disabled);
    admin.enable("alice").await.expect("enabled");
    assert_eq!(rejected(&site, disabled.token.expose()).await, Rejected::Revoked, "what ended stays ended");
}

#[tokio::test]
async fn a_provider_that_comes_back_revives_no_session() {
    let site = Site::open().await;
    let token = site.login("alice").await.expect("logged in").token;
    site.control.replace_providers(Registry::default()).await.expect("replaced");
    assert_eq!(rejected(&site, token.expose()).await, Rejected::Disabled);
    let entry = site.entry(auth_core::AccessPolicy::default());
    site.control.replace_providers(Registry::new([entry], [])).await.expect("put back");
    assert_eq!(rejected(&site, token.expose()).await, Rejected::Revoked);
    site.login("alice").await.expect("logged in anew");
}

#[tokio::test]
async fn an_identity_older_than_allowed_waits_for_its_provider() {
    let settings = Settings { max_staleness: Some(Duration::from_secs(3_600)), ..Settings::default() };
    let site = Site::with(auth_core::AccessPolicy::default(), settings).await;
    let token = site.login("alice").await.expect("logged in").token;
    *site.corp.mood() = crate::testing::Mood::Down;
    site.clock.advance(Duration::from_secs(3_601));
    let stale = site.control.resolve_token(token.expose()).await;
    assert!(matches!(stale, Err(ResolveError::Unavailable { source: None, .. })), "{stale:?}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_the_tokens_fault() {
    let site = Site::open().await;
    let token = site.login("alice").await.expect("logged in").token;
    site.control.store().close().await;
    let failed = site.control.resolve_token(token.expose()).await;
    assert!(matches!(failed, Err(ResolveError::Unavailable { source: Some(_), .. })), "{failed:?}");
}

#[tokio::test]
async fn too_many_at_once_are_told_to_come_back() {
    let site = Site::open().await;
    let token = site.login("alice").await.expect("logged in").token;
    let control = Arc::clone(&site.control);
    let _all = control.lookups().acquire_many(256).await.expect("all turns");
    assert!(matches!(site.control.resolve_token(token.expose()).await, Err(ResolveError::Overloaded)));
}
