//! What tokens of an outside issuer open, and when they stop.

use std::time::Duration;

use auth_core::{AccessMode, AccessPolicy};
use serde_json::json;

use crate::sessions::{Since, live};
use crate::testing::bears::{claims, signed, token};
use crate::testing::{Mood, Person, Site};
use crate::{ChangeEvent, ProviderEntry, Registry, Rejected, ResolveError, ResolvedToken, Settings};

async fn opens(site: &Site, token: &str) -> ResolvedToken {
    site.control.resolve_signed(token).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn rejected(site: &Site, token: &str) -> Rejected {
    match site.control.resolve_signed(token).await {
        Err(ResolveError::Unauthenticated(why)) => why,
        other => panic!("{other:?}"),
    }
}

async fn untrusted(site: &Site, token: &str) -> String {
    match rejected(site, token).await {
        Rejected::Untrusted(why) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn sessions(site: &Site) -> Vec<crate::SessionInfo> {
    site.admin().sessions(None).await.expect("listed")
}

#[tokio::test]
async fn a_token_of_an_outside_issuer_opens_clusters_and_nothing_else_until_it_ends() {
    let site = Site::open().await;
    let said = claims(&site, "alice");
    let found = opens(&site, &token(&said)).await;
    assert_eq!(found.identity.user.username, "corp:alice");
    assert_eq!(found.identity.user.groups, ["corp:dev", "corp:ops"]);
    assert_eq!(found.principal.to_string(), "corp_user://alice");
    assert!(found.scope.clusters_only);
    assert_eq!(found.expires_at.as_second(), said["exp"].as_i64().expect("a time"));
    assert!(found.name.starts_with("bearer-"), "{}", found.name);
    site.clock.advance(Duration::from_secs(300));
    assert_eq!(rejected(&site, &token(&said)).await, Rejected::Expired);
    let mut late = claims(&site, "bob");
    late["exp"] = late["iat"].clone();
    assert_eq!(rejected(&site, &token(&late)).await, Rejected::Expired);
    assert_eq!(sessions(&site).await.len(), 1, "what is over begins nothing");
}

#[tokio::test]
async fn tokens_of_one_identity_share_a_session_and_another_identity_has_its_own() {
    let site = Site::open().await;
    let first = opens(&site, &token(&claims(&site, "alice"))).await;
    site.clock.advance(Duration::from_secs(120));
    let later = claims(&site, "alice");
    let second = opens(&site, &token(&later)).await;
    assert_eq!(first.session, second.session);
    assert_ne!(first.name, second.name);
    let [session] = &sessions(&site).await[..] else { panic!("one session") };
    assert_eq!(session.expires_at.as_second(), later["exp"].as_i64().expect("a time"), "as long as the last token");
    site.corp.set("alice", Person { groups: vec![("1", "dev")], ..Person::default() });
    let third = opens(&site, &token(&claims(&site, "alice"))).await;
    assert_ne!(third.session, first.session);
    assert_eq!(third.identity.user.groups, ["corp:dev"]);
    let fourth = opens(&site, &token(&claims(&site, "bob"))).await;
    assert_ne!(fourth.user, third.user);
}

#[tokio::test]
async fn groups_in_another_order_are_the_same_identity() {
    let site = Site::open().await;
    let first = opens(&site, &token(&claims(&site, "alice"))).await;
    site.corp.set("alice", Person { groups: vec![("2", "ops"), ("1", "dev")], ..Person::default() });
    let second = opens(&site, &token(&claims(&site, "alice"))).await;
    assert_eq!(first.session, second.session);
}

#[tokio::test]
async fn another_configuration_of_the_instance_has_its_tokens_judged_anew() {
    let site = Site::open().await;
    let session = opens(&site, &token(&claims(&site, "alice"))).await.session;
    let login = site.login("alice").await.expect("logged in").session;
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    let lost = |session: &crate::SessionId| ChangeEvent::SessionChanged { session: session.clone(), lost: true };
    let replace = async |digest: &[u8], mode: AccessMode| {
        let entry = ProviderEntry { digest: digest.to_vec(), ..site.entry(AccessPolicy::new(mode, [])) };
        site.control.replace_providers(Registry::new([entry], [])).await.expect("replaced");
    };
    replace(b"another", AccessMode::default()).await;
    let seen = site.until(&mut events, &lost(&session)).await;
    assert!(!seen.contains(&lost(&login)), "a login is no token: {seen:?}");
    replace(b"another", AccessMode::Required).await;
    site.until(&mut events, &lost(&session)).await;
    replace(b"another", AccessMode::Required).await;
    let seen = site.until(&mut events, &ChangeEvent::Heartbeat).await;
    assert!(!seen.contains(&lost(&session)), "nothing changed: {seen:?}");
}

#[tokio::test]
async fn a_token_that_is_shown_again_writes_nothing() {
    let site = Site::open().await;
    let token = token(&claims(&site, "alice"));
    let first = opens(&site, &token).await;
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    opens(&site, &token).await;
    let seen = site.until(&mut events, &ChangeEvent::Heartbeat).await;
    let told = |event: &&ChangeEvent| !matches!(event, ChangeEvent::Heartbeat);
    assert_eq!(seen.iter().filter(told).count(), 0, "{seen:?} after {}", first.session);
}

#[tokio::test]
async fn another_spelling_of_the_signature_is_the_same_token() {
    let site = Site::open().await;
    let said = claims(&site, "alice");
    let first = opens(&site, &signed(&said, "good")).await;
    let second = opens(&site, &signed(&said, "good-too")).await;
    assert_eq!((first.name, first.session), (second.name, second.session));
}

#[tokio::test]
async fn whom_no_provider_believes_is_nobody() {
    let site = Site::open().await;
    let mut said = claims(&site, "alice");
    assert!(untrusted(&site, &signed(&said, "forged")).await.contains("corp: the signature"));
    said["iss"] = json!("https://elsewhere.test");
    assert_eq!(rejected(&site, &token(&said)).await, Rejected::Malformed);
    said.as_object_mut().expect("claims").remove("iss");
    assert_eq!(rejected(&site, &token(&said)).await, Rejected::Malformed);
    // A name of ours proves nothing: it is compared with our keys.
    said["iss"] = json!("https://console.test/oidc");
    assert_eq!(rejected(&site, &token(&said)).await, Rejected::Malformed);
    let twice = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2NpLnRlc3QiLCJpc3MiOiJ4In0.good";
    assert_eq!(rejected(&site, twice).await, Rejected::Malformed);
    assert!(sessions(&site).await.is_empty());
}

#[tokio::test]
async fn an_issuer_that_is_down_is_an_outage_and_no_fault_of_the_token() {
    let site = Site::open().await;
    *site.corp.mood() = Mood::Down;
    let found = site.control.resolve_signed(&token(&claims(&site, "alice"))).await;
    assert!(matches!(found, Err(ResolveError::Unavailable { .. })), "{found:?}");
}

#[tokio::test]
async fn what_somebody_ended_does_not_begin_again_by_a_token_made_before() {
    let site = Site::open().await;
    let (old, said) = (token(&claims(&site, "alice")), claims(&site, "alice"));
    let session = opens(&site, &old).await.session;
    site.clock.advance(Duration::from_secs(10));
    // Never shown so far, and made before.
    let mut unseen = said;
    unseen["jti"] = json!("another");
    site.admin().end_session(session.as_str()).await.expect("ended");
    assert_eq!(rejected(&site, &old).await, Rejected::Revoked);
    assert_eq!(rejected(&site, &token(&unseen)).await, Rejected::Revoked);
    // A token with other groups is no way around it.
    site.corp.set("alice", Person { groups: vec![("1", "dev")], ..Person::default() });
    assert_eq!(rejected(&site, &token(&unseen)).await, Rejected::Revoked);
    site.clock.advance(Duration::from_secs(61));
    let new = opens(&site, &token(&claims(&site, "alice"))).await;
    assert_ne!(new.session, session);
}

#[tokio::test]
async fn the_time_of_a_session_that_is_over_is_no_revocation() {
    let site = Site::open().await;
    let short = claims(&site, "alice");
    let mut long = short.clone();
    long["exp"] = json!(short["exp"].as_i64().expect("a time") + 3_600);
    opens(&site, &token(&short)).await;
    let mut events = site.control.events();
    let session = sessions(&site).await[0].id.clone();
    site.clock.advance(Duration::from_secs(300));
    site.until(&mut events, &ChangeEvent::SessionEnded(session)).await;
    opens(&site, &token(&long)).await;
}

#[tokio::test]
async fn who_is_switched_off_or_kept_out_is_refused_whatever_their_token_says() {
    let site = Site::open().await;
    let old = token(&claims(&site, "alice"));
    let user = opens(&site, &old).await.user;
    site.admin().disable(user.as_str()).await.expect("switched off");
    assert_eq!(rejected(&site, &old).await, Rejected::Revoked);
    site.clock.advance(Duration::from_secs(61));
    assert_eq!(rejected(&site, &token(&claims(&site, "alice"))).await, Rejected::Disabled);
    assert_eq!(sessions(&site).await.len(), 1, "nothing begins for them");
    let policy = AccessPolicy::new(AccessMode::Required, []);
    let strict = Site::with(policy, Settings::default()).await;
    assert!(!untrusted(&strict, &token(&claims(&strict, "bob"))).await.is_empty());
}

#[tokio::test]
async fn nobody_is_asked_again_about_a_token_and_its_age_is_its_own() {
    let settings = Settings { max_staleness: Some(Duration::from_secs(60)), ..Settings::default() };
    let site = Site::with(AccessPolicy::default(), settings).await;
    let mut said = claims(&site, "alice");
    said["exp"] = json!(said["exp"].as_i64().expect("a time") + 7_200);
    let token = token(&said);
    opens(&site, &token).await;
    site.clock.advance(Duration::from_secs(3_600));
    let mut reader = site.control.store().read().await.expect("a reader");
    let due = live(&mut reader, Since::Ever, site.control.store().now()).await.expect("read");
    assert!(due.is_empty(), "{due:?}");
    drop(reader);
    opens(&site, &token).await;
}

#[tokio::test]
async fn one_user_has_so_many_identities_at_once_and_their_logins_are_not_counted() {
    let settings = Settings { sessions_per_user: 2, ..Settings::default() };
    let site = Site::with(AccessPolicy::default(), settings).await;
    let login = site.login("alice").await.expect("logged in");
    for group in ["a", "b"] {
        site.corp.set("alice", Person { groups: vec![(group, group)], ..Person::default() });
        opens(&site, &token(&claims(&site, "alice"))).await;
    }
    site.corp.set("alice", Person { groups: vec![("c", "c")], ..Person::default() });
    let third = site.control.resolve_signed(&token(&claims(&site, "alice"))).await;
    assert!(matches!(third, Err(ResolveError::Overloaded)), "{third:?}");
    site.login("alice").await.expect("logged in");
    site.control.resolve_token(login.token.expose()).await.expect("the first login lives");
}
