//! What commands do, and what they refuse.

use auth_core::{AuthError, LoginInput, Password, PasswordHash, UserStore};

use super::*;
use crate::testing::Site;
use crate::{LoginError, LoginRequest};

fn carol() -> NewUser {
    NewUser {
        login: "Carol".to_owned(),
        display_name: Some("Carol Kim 김".to_owned()),
        password_hash: Some(PasswordHash::new("$argon2id$one")),
        must_change: false,
        groups: vec!["dev".to_owned(), "ops".to_owned()],
    }
}

#[tokio::test]
async fn a_local_user_is_there_for_the_provider_at_once() {
    let site = Site::open().await;
    let id = site.admin().add_user(carol()).await.expect("added");
    let store = site.control.store();
    let found = store.find_by_login("carol").await.expect("asked").expect("found, whatever the case");
    assert_eq!(found.password_hash.as_ref().expect("a hash").expose(), "$argon2id$one");
    assert_eq!(found.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["dev", "ops"]);
    assert!(!found.disabled && !found.must_change);
    assert_eq!(store.find(&found.id).await.expect("asked").expect("found").login, "Carol");
    assert_eq!(store.find_group("dev").await.expect("asked").expect("found").name, "dev");
    assert_eq!(id, UserId::of(&format!("local://{}", found.id).parse().expect("an id")));
    assert!(store.find_by_login("car").await.expect("asked").is_none(), "never by prefix");
}

/// The real provider over the real store: what a fresh installation does first.
#[tokio::test]
async fn a_person_added_on_the_host_logs_in() {
    let site = Site::open().await;
    site.add_local().await;
    let password = Password::new("correct horse battery");
    let cost = auth_local::Cost::default();
    let hash = auth_local::hash_password(&password, cost).expect("hashed");
    site.beside().await.add_user(NewUser { password_hash: Some(hash), ..carol() }).await.expect("added");
    let login = |password: &str| LoginRequest {
        provider: "local".to_owned(),
        input: LoginInput::Password { login: "carol".to_owned(), password: Password::new(password) },
        client: None,
        agent: None,
        trace_id: String::new(),
    };
    let done = site.control.login(login("correct horse battery")).await.expect("logged in");
    assert_eq!(done.identity.user.groups, ["local:dev", "local:ops"]);
    let wrong = site.control.login(login("wrong")).await;
    assert!(matches!(wrong, Err(LoginError::Refused { error: AuthError::BadCredentials, .. })), "{wrong:?}");
    let same = auth_local::hash_password(&password, cost).expect("hashed");
    site.admin().set_password("Carol", &same, false).await.expect("set");
    assert!(site.control.resolve_token(done.token.expose()).await.is_err(), "who knew the old one may have logged in");
    site.admin().disable("Carol").await.expect("disabled");
    let refused = site.control.login(login("correct horse battery")).await;
    assert!(matches!(refused, Err(LoginError::Refused { error: AuthError::Disabled, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_login_name_is_given_once_whatever_its_case() {
    let site = Site::open().await;
    site.admin().add_user(carol()).await.expect("added");
    let again = NewUser { login: "CAROL".to_owned(), ..carol() };
    assert!(matches!(site.admin().add_user(again).await, Err(AdminError::LoginTaken(_))));
    for login in ["", " carol2", "carol2 ", "car\nol", &"c".repeat(257)] {
        let new = NewUser { login: login.to_owned(), ..carol() };
        assert!(matches!(site.admin().add_user(new).await, Err(AdminError::BadName { .. })), "{login:?}");
    }
    assert_eq!(site.admin().users().await.expect("listed").len(), 1);
}

#[tokio::test]
async fn a_user_is_found_by_id_login_and_principal_and_by_nothing_else() {
    let site = Site::open().await;
    let done = site.login("alice").await.expect("logged in");
    for name in [done.user.as_str(), "alice", "corp_user://alice"] {
        assert_eq!(site.admin().find(name).await.expect(name), done.user);
    }
    for name in ["", "ali", "u-aaaaaaaaaaaaaaaaaaaa", "corp_user://nobody", "%"] {
        assert!(matches!(site.admin().find(name).await, Err(AdminError::NotFound { .. })), "{name:?}");
    }
}

#[tokio::test]
async fn a_login_name_that_fits_two_users_is_refused_with_their_ids() {
    let site = Site::open().await;
    let corp = site.login("alice").await.expect("logged in").user;
    let local = site.admin().add_user(NewUser { login: "alice".to_owned(), ..carol() }).await.expect("added");
    let Err(AdminError::Ambiguous { ids, .. }) = site.admin().disable("alice").await else {
        panic!("one of two was chosen")
    };
    let mut expected = [corp.to_string(), local.to_string()];
    expected.sort();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_new_password_takes_the_place_of_the_old_and_of_nobody_elses() {
    let site = Site::open().await;
    let admin = site.admin();
    admin.add_user(carol()).await.expect("added");
    admin.set_password("Carol", &PasswordHash::new("$argon2id$two"), true).await.expect("set");
    let found = site.control.store().find_by_login("Carol").await.expect("asked").expect("found");
    assert_eq!(found.password_hash.expect("a hash").expose(), "$argon2id$two");
    assert!(found.must_change);
    site.login("alice").await.expect("logged in");
    let refused = admin.set_password("alice", &PasswordHash::new("x"), false).await;
    assert!(matches!(refused, Err(AdminError::NotLocal(_))));
}

#[tokio::test]
async fn a_rehash_never_undoes_a_password_that_was_set_meanwhile() {
    let site = Site::open().await;
    site.admin().add_user(carol()).await.expect("added");
    let store = site.control.store();
    let id = store.find_by_login("carol").await.expect("asked").expect("found").id;
    let (one, two, three) =
        (PasswordHash::new("$argon2id$one"), PasswordHash::new("$argon2id$two"), PasswordHash::new("$argon2id$three"));
    store.rehash(&id, &one, &two).await.expect("done");
    store.rehash(&id, &one, &three).await.expect("nothing to do");
    let hash = store.find(&id).await.expect("asked").expect("found").password_hash.expect("a hash");
    assert_eq!(hash.expose(), "$argon2id$two");
}

#[tokio::test]
async fn switching_off_ends_sessions_and_is_shown() {
    let site = Site::open().await;
    let done = site.login("alice").await.expect("logged in");
    site.admin().disable(done.user.as_str()).await.expect("disabled");
    let session = site.admin().sessions(Some("alice")).await.expect("listed").remove(0);
    assert_eq!(session.ended.expect("ended").1, "the user was disabled");
    assert!(site.admin().users().await.expect("listed").remove(0).disabled_at.is_some());
    assert!(site.admin().tokens(Some("alice")).await.expect("listed").remove(0).revoked_at.is_some());
}

#[tokio::test]
async fn a_disabled_local_user_is_shown_so_to_the_provider() {
    let site = Site::open().await;
    site.admin().add_user(carol()).await.expect("added");
    site.admin().disable("Carol").await.expect("disabled");
    assert!(site.control.store().find_by_login("Carol").await.expect("asked").expect("found").disabled);
}

#[tokio::test]
async fn revoking_twice_is_no_error_and_an_unknown_token_is() {
    let site = Site::open().await;
    let done = site.login("alice").await.expect("logged in");
    for _ in 0..2 {
        site.admin().revoke_token(done.name.as_str()).await.expect("revoked");
    }
    let unknown = site.admin().revoke_token("gwt-aaaaaaaaaaaa").await.expect_err("unknown");
    assert!(matches!(unknown, AdminError::NotFound { what: "token", .. }));
    let whole = site.admin().revoke_token(done.token.expose()).await.expect_err("a name, not a token");
    let (_, secret) = done.token.expose().split_once(':').expect("a colon");
    assert!(!whole.to_string().contains(&secret[..8]), "a pasted token is not repeated");
}

#[tokio::test]
async fn releasing_a_group_name_ends_the_sessions_that_carry_it() {
    let site = Site::open().await;
    let alice = site.login("alice").await.expect("logged in");
    let bob = site.login("bob").await.expect("logged in");
    let released = site.admin().release_name("corp:dev").await.expect("released");
    let owner = "corp_group://1".parse().expect("an id");
    assert_eq!(released, [Released { kind: NameKind::Group, owner }]);
    assert!(site.control.resolve_token(alice.token.expose()).await.is_err());
    assert!(site.control.resolve_token(bob.token.expose()).await.is_ok());
    let again = site.admin().release_name("corp:dev").await;
    assert!(matches!(again, Err(AdminError::NotFound { what: "name", .. })));
}

#[tokio::test]
async fn searches_are_literal_and_page_by_id() {
    let site = Site::open().await;
    for login in ["per%cent", "percent", "other"] {
        let new = NewUser { login: login.to_owned(), display_name: None, ..carol() };
        site.admin().add_user(new).await.expect("added");
    }
    let store = site.control.store();
    let found = store.search_users("r%c", 10, None).await.expect("asked");
    assert_eq!(found.items.iter().map(|user| user.login.as_str()).collect::<Vec<_>>(), ["per%cent"]);
    let first = store.search_users("", 2, None).await.expect("asked");
    assert!(first.more && first.items.len() == 2);
    let last = first.items.last().map(|user| user.id.clone());
    let rest = store.search_users("", 2, last.as_deref()).await.expect("asked");
    assert!(!rest.more && rest.items.len() == 1);
    let groups = store.search_groups("P", 10, None).await.expect("asked");
    assert_eq!(groups.items.iter().map(|group| group.id.as_str()).collect::<Vec<_>>(), ["ops"]);
}

#[tokio::test]
async fn a_request_for_an_unknown_user_is_refused_and_an_open_one_has_no_answer() {
    let site = Site::open().await;
    assert!(matches!(site.admin().request_refresh("nobody").await, Err(AdminError::NotFound { .. })));
    let unanswered = site.admin().refresh_answer(&RefreshId("r-none".to_owned())).await.expect("asked");
    assert_eq!(unanswered, None);
}

#[tokio::test]
async fn all_sessions_of_one_person_end_at_once_and_nobody_elses() {
    let site = Site::open().await;
    let (one, two) = (site.login("alice").await.expect("in"), site.login("alice").await.expect("in"));
    let bob = site.login("bob").await.expect("in");
    let ended = site.beside().await.end_sessions_of("alice").await.expect("ended");
    assert_eq!(ended, [two.session, one.session]);
    for token in [one.token, two.token] {
        site.control.resolve_token(token.expose()).await.expect_err("it is over");
    }
    site.control.resolve_token(bob.token.expose()).await.expect("bob stays");
    assert!(site.admin().end_sessions_of("alice").await.expect("nothing to end").is_empty());
    site.login("alice").await.expect("alice may log in again");
}
