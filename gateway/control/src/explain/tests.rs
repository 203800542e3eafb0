use auth_core::{AccessMode, AccessPolicy};

use super::*;
use crate::control::Settings;
use crate::names::NameKind;
use crate::testing::{Mood, Site};

async fn explained(site: &Site, who: &str) -> Result<Explained, AdminError> {
    let ctx = site.control.context("test".to_owned());
    site.admin().explain(&site.control.registry(), who, &ctx).await
}

fn described(explained: &Explained) -> &Described {
    let Now::Known(described) = &explained.now else { panic!("{explained:?}") };
    described
}

#[tokio::test]
async fn what_is_explained_is_what_a_login_gives_and_nothing_is_written() {
    let site = Site::open().await;
    let before = explained(&site, "alice").await.unwrap();
    assert!(before.user.is_none() && before.sessions.is_empty(), "{before:?}");
    let foretold = described(&before).identity.clone().unwrap();
    assert!(described(&before).policy.allowed);
    assert!(site.admin().users().await.unwrap().is_empty(), "a user was made");
    let unclaimed = site.admin().release_name(&foretold.user.username).await;
    assert!(matches!(unclaimed, Err(AdminError::NotFound { .. })), "a name was claimed");

    let login = site.login("alice").await.unwrap();
    assert_eq!(login.identity, foretold);
    let after = explained(&site, login.user.as_str()).await.unwrap();
    assert_eq!(after.sessions[0].identity, foretold);
    assert_eq!(described(&after).identity, Ok(foretold));
}

#[tokio::test]
async fn a_name_that_is_anothers_is_explained_as_a_login_would_be_refused() {
    let site = Site::open().await;
    let foretold = described(&explained(&site, "alice").await.unwrap()).identity.clone().unwrap();
    let other: PrincipalId = "corp_user://other".parse().unwrap();
    let group: PrincipalId = "corp_group://other".parse().unwrap();
    let mut write = site.control.store().write().await.unwrap();
    let name = &foretold.user.groups[0];
    crate::names::claim(&mut write, NameKind::Group, &[(name, &group)]).await.unwrap();
    write.commit(crate::store::Change::RefreshRequested("r".to_owned())).await.unwrap();
    let withheld = described(&explained(&site, "alice").await.unwrap()).identity.clone().unwrap();
    assert_eq!(withheld.withheld[0].name, *name);
    let mut write = site.control.store().write().await.unwrap();
    crate::names::claim(&mut write, NameKind::User, &[(&foretold.user.username, &other)]).await.unwrap();
    write.commit(crate::store::Change::RefreshRequested("r".to_owned())).await.unwrap();
    let why = described(&explained(&site, "alice").await.unwrap()).identity.clone().unwrap_err();
    assert!(why.contains("corp_user://other"), "{why}");
    assert!(site.login("alice").await.is_err(), "a login is refused as well");
}

#[tokio::test]
async fn a_policy_that_refuses_tells_its_steps() {
    let policy = AccessPolicy::new(AccessMode::Required, []);
    let site = Site::with(policy, Settings::default()).await;
    let explained = explained(&site, "bob").await.unwrap();
    let policy = &described(&explained).policy;
    assert!(!policy.allowed && policy.explanation().contains("required"), "{policy:?}");
}

#[tokio::test]
async fn nobody_is_told_from_somebody_whose_provider_is_silent() {
    let site = Site::open().await;
    assert!(matches!(explained(&site, "nobody").await, Err(AdminError::NotFound { .. })));
    site.login("alice").await.unwrap();
    *site.corp.mood() = Mood::Down;
    assert!(matches!(explained(&site, "nobody").await, Err(AdminError::Silent { .. })));
    let known = explained(&site, "alice").await.unwrap();
    assert!(matches!(known.now, Now::Unanswered(_)) && known.sessions.len() == 1, "{known:?}");
}
