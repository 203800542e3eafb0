//! Who gets in, who does not, and what is left behind when they do not.

use auth_core::{AccessMode, AccessPolicy};

use super::*;
use crate::testing::{Mood, Person as Scripted, Site};
use crate::{Registry, Settings};

fn refused(result: Result<LoginDone, LoginError>) -> AuthError {
    match result {
        Err(LoginError::Refused { error, .. }) => error,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn sessions(site: &Site) -> usize {
    site.admin().sessions(None).await.expect("listed").len()
}

#[tokio::test]
async fn a_login_gives_a_token_that_stands_for_the_mapped_identity() {
    let site = Site::open().await;
    let done = site.login("alice").await.expect("logged in");
    let resolved = site.control.resolve_token(done.token.expose()).await.expect("resolved");
    assert_eq!(resolved.user, UserId::of(&"corp_user://alice".parse().expect("an id")));
    assert_eq!((&resolved.session, resolved.name.as_str()), (&done.session, done.name.as_str()));
    let user = &resolved.identity.user;
    assert_eq!(user.username, "corp:alice");
    assert_eq!(user.uid.as_deref(), Some(resolved.user.as_str()));
    assert_eq!(user.groups, ["corp:dev", "corp:ops"]);
    let ids = ["corp_user://alice", "corp_group://1", "corp_group://2"];
    let subjects = ids.into_iter().chain(["user:corp:alice", "group:corp:dev", "group:corp:ops"]).collect::<Vec<_>>();
    assert_eq!(resolved.identity.subjects, subjects);
    let twelve_hours = std::time::Duration::from_secs(12 * 60 * 60);
    assert_eq!(resolved.expires_at, site.control.store().now() + twelve_hours);
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_are_one_answer() {
    let site = Site::open().await;
    let unknown = refused(site.login("nobody").await);
    let wrong = refused(site.login_with("alice", "wrong").await);
    assert_eq!((unknown.code(), unknown.http_status()), ("bad-credentials", 401));
    assert_eq!((wrong.code(), wrong.public_message()), (unknown.code(), unknown.public_message()));
    assert_eq!(sessions(&site).await, 0);
}

#[tokio::test]
async fn no_other_instance_is_asked() {
    let site = Site::open().await;
    for provider in ["other", "local", "CORP", "", "corp/../corp", "corp\n"] {
        let input = LoginInput::Password { login: "alice".to_owned(), password: auth_core::Password::new("right") };
        let request =
            LoginRequest { provider: provider.to_owned(), input, client: None, agent: None, trace_id: String::new() };
        assert!(matches!(site.control.login(request).await, Err(LoginError::UnknownProvider)), "{provider:?}");
    }
}

#[tokio::test]
async fn a_reload_gives_nobody_who_guesses_a_new_start() {
    let site = Site::open().await;
    while refused(site.login_with("alice", "wrong").await).code() == "bad-credentials" {}
    let entry = site.entry(AccessPolicy::default());
    site.control.replace_providers(Registry::new([entry], [])).await.expect("replaced");
    assert!(matches!(refused(site.login("alice").await), AuthError::Throttled { .. }));
    site.login("bob").await.expect("nobody guessed at bob");
}

#[tokio::test]
async fn a_login_under_way_keeps_no_session_of_an_instance_that_went_or_came_back() {
    let site = Site::open().await;
    let registry = site.control.registry();
    let entry = registry.entry("corp").expect("configured");
    let ctx = site.control.context(String::new());
    let input = LoginInput::Password { login: "alice".to_owned(), password: auth_core::Password::new("right") };
    let person = Person::from(entry.provider.authenticate_user(&ctx, input).await.expect("vouched for"));
    let identity = entry.mapping.map("u", &person.user, &person.groups, &person.extra).expect("mapped");
    let reload = async |entries: Vec<ProviderEntry>| {
        site.control.replace_providers(Registry::new(entries, [])).await.expect("replaced");
        let minted = site.control.tokens().mint().expect("a token");
        let from = (&person, &Origin::default());
        site.control.keep(entry, from, identity.clone(), Gives::ApiToken(&minted)).await
    };
    reload(vec![site.entry(AccessPolicy::default())]).await.expect("the instance stays, with another configuration");
    for entries in [vec![], vec![site.entry(AccessPolicy::default())]] {
        let kept = reload(entries).await;
        assert!(matches!(kept, Err(LoginError::UnknownProvider)), "{kept:?}");
    }
    assert!(site.admin().sessions(None).await.expect("listed").iter().all(|session| session.ended.is_some()));
}

#[tokio::test]
async fn an_id_that_is_now_another_kinds_inherits_neither_sessions_nor_guesses() {
    let site = Site::open().await;
    let bob = site.login("bob").await.expect("logged in");
    while refused(site.login_with("alice", "wrong").await).code() == "bad-credentials" {}
    site.control.replace_providers(Registry::new([site.entry_of_another_kind()], [])).await.expect("replaced");
    let listed = site.admin().sessions(None).await.expect("listed");
    assert!(listed.iter().all(|session| session.ended.is_some()), "{listed:?}");
    assert!(site.control.resolve_token(bob.token.expose()).await.is_err());
    assert_eq!(refused(site.login("alice").await).code(), "bad-credentials", "asked, and nobody there is called so");
}

#[tokio::test]
async fn an_id_that_is_now_another_kinds_is_closed_while_old_sessions_cannot_be_ended() {
    let site = Site::open().await;
    let old = site.login("alice").await.expect("logged in");
    let registry = site.control.registry();
    let closed = Registry::new([site.entry_of_another_kind()], []).continuing(&registry);
    assert!(closed.entry("corp").is_none());
    assert_eq!(closed.ids().count(), 0);
    let again = Registry::new([site.entry_of_another_kind()], []).continuing(&closed);
    assert!(again.entry("corp").is_none(), "the next reload owes it still");
    again.open();
    assert!(again.entry("corp").is_some());
    site.control.resolve_token(old.token.expose()).await.expect("nothing was replaced here");
}

#[tokio::test]
async fn incomplete_groups_decide_nothing_whatever_the_policy() {
    let required = AccessPolicy::new(AccessMode::Required, ["corp_group://7".parse().expect("an id")]);
    for policy in [AccessPolicy::default(), required] {
        let site = Site::with(policy, Settings::default()).await;
        site.corp.set("alice", Scripted { incomplete: true, ..Scripted::default() });
        assert_eq!(refused(site.login("alice").await).code(), "groups-incomplete");
        assert_eq!(sessions(&site).await, 0);
    }
}

#[tokio::test]
async fn an_outage_is_unavailable_and_never_bad_credentials() {
    let site = Site::open().await;
    *site.corp.mood() = Mood::Down;
    let error = refused(site.login("alice").await);
    assert_eq!(error.http_status(), 503);
    assert!(error.retry_after().is_some());
}

#[tokio::test]
async fn a_required_group_is_required() {
    let policy = AccessPolicy::new(AccessMode::Required, ["corp_group://1".parse().expect("an id")]);
    let site = Site::with(policy, Settings::default()).await;
    site.login("alice").await.expect("is in the group");
    assert_eq!(refused(site.login("bob").await).code(), "not-in-required-groups");
}

#[tokio::test]
async fn in_restricted_mode_those_named_by_a_grant_may_enter() {
    let policy = AccessPolicy::new(AccessMode::Restricted, []);
    let site = Site::with(policy.clone(), Settings::default()).await;
    assert_eq!(refused(site.login("alice").await).code(), "not-in-required-groups");
    for subject in ["corp_group://1", "group:corp:dev", "user:corp:alice", "corp_user://alice"] {
        granting(&site, &policy, subject).await;
        site.login("alice").await.expect(subject);
        assert_eq!(refused(site.login("bob").await).code(), "not-in-required-groups");
    }
}

#[tokio::test]
async fn a_user_named_like_a_granted_group_is_not_the_group() {
    let policy = AccessPolicy::new(AccessMode::Restricted, []);
    let site = Site::with(AccessPolicy::default(), Settings::default()).await;
    site.corp.set("dev", Scripted::default());
    site.corp.set("bob", Scripted { groups: vec![("9", "alice")], ..Scripted::default() });
    let identity = site.login("dev").await.expect("logged in").identity;
    assert_eq!(identity.user.username, "corp:dev");
    assert_eq!(identity.subjects, ["corp_user://dev", "user:corp:dev"]);
    granting(&site, &policy, "group:corp:dev").await;
    assert_eq!(refused(site.login("dev").await).code(), "not-in-required-groups");
    granting(&site, &policy, "user:corp:alice").await;
    assert_eq!(refused(site.login("bob").await).code(), "not-in-required-groups", "nor a group the user");
}

#[tokio::test]
async fn in_restricted_mode_a_withheld_group_opens_nothing() {
    let policy = AccessPolicy::new(AccessMode::Restricted, []);
    let site = Site::open().await;
    site.corp.set("bob", Scripted { groups: vec![("9", "dev")], ..Scripted::default() });
    site.login("alice").await.expect("has the name of the group");
    granting(&site, &policy, "group:corp:dev").await;
    assert_eq!(refused(site.login("bob").await).code(), "not-in-required-groups");
    granting(&site, &policy, "corp_group://9").await;
    site.login("bob").await.expect("the id is bob's group");
}

async fn granting(site: &Site, policy: &AccessPolicy, subject: &str) {
    let registry = Registry::new([site.entry(policy.clone())], [subject.parse().expect("a subject")]);
    site.control.replace_providers(registry).await.expect("replaced");
}

#[tokio::test]
async fn a_provider_may_say_no_where_the_policy_says_yes() {
    let site = Site::open().await;
    *site.corp.mood() = Mood::Narrow;
    let error = refused(site.login("alice").await);
    assert!(matches!(&error, AuthError::PolicyDenied(why) if why == "outside office hours"), "{error:?}");
}

#[tokio::test]
async fn that_a_user_is_disabled_is_told_only_after_a_right_password() {
    let site = Site::open().await;
    site.login("alice").await.expect("logged in");
    site.admin().disable("alice").await.expect("disabled");
    assert_eq!(refused(site.login_with("alice", "wrong").await).code(), "bad-credentials");
    assert_eq!(refused(site.login("alice").await).code(), "disabled");
    site.admin().enable("alice").await.expect("enabled");
    site.login("alice").await.expect("logged in");
}

#[tokio::test]
async fn a_user_name_belongs_to_the_first_principal_until_it_is_released() {
    let site = Site::open().await;
    let first = site.login("alice").await.expect("logged in");
    site.corp.set("alice2", Scripted { name: Some("alice"), ..Scripted::default() });
    let taken = site.login("alice2").await.expect_err("refused");
    assert!(
        matches!(&taken, LoginError::NameTaken { name, owner, .. }
        if name == "corp:alice" && owner == "corp_user://alice"),
        "{taken:?}"
    );
    assert_eq!(sessions(&site).await, 1);

    site.admin().release_name("corp:alice").await.expect("released");
    let old = site.control.resolve_token(first.token.expose()).await;
    assert!(old.is_err(), "two people must never go by one name at a time");
    site.login("alice2").await.expect("the name is free");
    assert!(matches!(site.login("alice").await, Err(LoginError::NameTaken { .. })));
}

#[tokio::test]
async fn a_reserved_name_that_a_provider_gave_is_logged_and_nobody_gets_a_session() {
    let site = Site::open().await;
    site.corp.set("eve", Scripted { groups: vec![("1", "system:masters")], ..Scripted::default() });
    site.map(serde_json::json!({ "groups": { "prefix": "" } })).await;
    let error = site.login("eve").await.expect_err("refused");
    assert_eq!(error.audit_text(), "corp: the group \"system:masters\" is reserved");
    assert_eq!(sessions(&site).await, 0);
}

#[tokio::test]
async fn of_two_groups_with_one_name_the_second_is_withheld() {
    let site = Site::open().await;
    site.corp.set("bob", Scripted { groups: vec![("9", "dev"), ("3", "qa")], ..Scripted::default() });
    site.login("alice").await.expect("logged in");
    let identity = site.login("bob").await.expect("logged in").identity;
    assert_eq!(identity.user.groups, ["corp:qa"]);
    assert!(!identity.subjects.contains(&"group:corp:dev".to_owned()), "a grant for the name is for the other group");
    assert!(identity.subjects.contains(&"corp_group://9".to_owned()), "a grant for the id is for this one");
    let withheld: Vec<_> = identity.withheld.iter().map(|group| (group.name.as_str(), group.owner.as_str())).collect();
    assert_eq!(withheld, [("corp:dev", "corp_group://1")]);
}

#[tokio::test]
async fn of_two_groups_with_one_name_in_one_login_only_one_is_shown() {
    let site = Site::open().await;
    site.corp.set("bob", Scripted { groups: vec![("8", "twin"), ("9", "twin")], ..Scripted::default() });
    let identity = site.login("bob").await.expect("logged in").identity;
    assert_eq!((identity.user.groups.len(), identity.withheld.len()), (1, 1));
}

#[tokio::test]
async fn a_reserved_group_refuses_the_login_and_keeps_no_name() {
    let site = Site::open().await;
    site.map(serde_json::json!({ "groups": { "prefix": "" } })).await;
    site.corp.set("bob", Scripted { groups: vec![("8", "system:masters")], ..Scripted::default() });
    assert!(matches!(site.login("bob").await, Err(LoginError::Mapping { .. })));
    assert!(site.admin().release_name("corp:bob").await.is_err(), "nobody owns it");
}

#[tokio::test]
async fn the_same_person_keeps_one_id_over_many_logins() {
    let site = Site::open().await;
    let (a, b) = (site.login("alice").await.expect("in"), site.login("alice").await.expect("in again"));
    assert_eq!(a.user, b.user);
    assert_ne!(a.session, b.session);
    assert_eq!(site.admin().users().await.expect("listed").len(), 1);
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest_and_nobody_elses() {
    let settings = Settings { sessions_per_user: 2, ..Settings::default() };
    let site = Site::with(AccessPolicy::default(), settings).await;
    let bob = site.login("bob").await.expect("logged in");
    let mut alice = Vec::new();
    for _ in 0..3 {
        alice.push(site.login("alice").await.expect("logged in"));
    }
    let mut valid = Vec::new();
    for login in alice.iter().chain([&bob]) {
        valid.push(site.control.resolve_token(login.token.expose()).await.is_ok());
    }
    assert_eq!(valid, [false, true, true, true]);
}

#[tokio::test]
async fn many_log_in_at_once_while_a_command_writes_beside_the_server() {
    let site = Site::open().await;
    let beside = site.beside().await;
    site.login("bob").await.expect("logged in");
    let logins = futures_util::future::join_all((0..5).map(|_| site.login("alice")));
    let command = async {
        for _ in 0..8 {
            beside.disable("bob").await.expect("disabled");
            beside.enable("bob").await.expect("enabled");
        }
    };
    let (logins, ()) = tokio::join!(logins, command);
    assert!(logins.iter().all(Result::is_ok), "{logins:?}");
    assert_eq!(sessions(&site).await, 6);
}
