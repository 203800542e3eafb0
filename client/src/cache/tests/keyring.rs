//! Where the refresh token is, with keyrings in every mood.

use std::sync::Arc;

use super::*;

fn with_keyring(mood: Mood) -> (tempfile::TempDir, Folder, Arc<Fake>) {
    let root = tempfile::tempdir().unwrap();
    let (fake, keyring) = Fake::new(mood);
    let folder = Folder::inside(root.path(), "https://gw.test:8443", keyring);
    (root, folder, fake)
}

fn keep(folder: &Folder, token: &str) {
    folder.keep_refresh(&Refresh { token: token.to_owned() }).unwrap();
}

fn keep_next(folder: &Folder, token: &str) {
    folder.keep_next_refresh(&Refresh { token: token.to_owned() }).unwrap();
}

/// The refresh token that a refresh would use.
fn kept(folder: &Folder) -> Option<String> {
    folder.refresh().unwrap().map(|refresh| refresh.token)
}

fn in_file(folder: &Folder) -> String {
    fs::read_to_string(folder.path().join(REFRESH)).unwrap()
}

#[test]
fn a_keyring_has_the_token_and_the_file_has_not() {
    let (_root, folder, fake) = with_keyring(Mood::Well);
    assert!(kept(&folder).is_none());
    for token in ["gwr-1", "gwr-2"] {
        keep(&folder, token);
        assert_eq!((in_file(&folder).as_str(), fake.secrets()), (r#""keyring""#, vec![token.to_owned()]));
        assert_eq!(kept(&folder).as_deref(), Some(token));
    }
    keep_next(&folder, "gwr-3");
    assert_eq!((in_file(&folder).as_str(), fake.secrets()), (r#""keyring""#, vec!["gwr-3".to_owned()]));
    assert!(folder.unfit().unwrap().is_empty());
    folder.forget_tokens().unwrap();
    assert!(fake.secrets().is_empty() && !folder.path().join(REFRESH).exists(), "a logout takes both");
}

#[test]
fn where_no_keyring_can_be_used_the_file_has_the_token_quietly() {
    for mood in [Mood::Missing, Mood::Locked, Mood::Hangs] {
        let (_root, folder, fake) = with_keyring(mood);
        keep(&folder, "gwr-1");
        assert_eq!(in_file(&folder), r#"{"token":"gwr-1"}"#, "{mood:?}");
        let asked = fake.calls();
        assert_eq!(kept(&folder).as_deref(), Some("gwr-1"));
        keep_next(&folder, "gwr-2");
        folder.forget_tokens().unwrap();
        assert_eq!(fake.calls(), asked, "{mood:?}: what is in a file asks no keyring");
    }
}

#[test]
fn a_keyring_that_came_later_has_the_next_login_and_not_the_next_token() {
    let (_root, folder, fake) = with_keyring(Mood::Missing);
    keep(&folder, "gwr-1");
    fake.becomes(Mood::Well);
    keep_next(&folder, "gwr-2");
    assert_eq!((kept(&folder).as_deref(), fake.secrets()), (Some("gwr-2"), Vec::new()));
    keep(&folder, "gwr-3");
    assert_eq!((in_file(&folder).as_str(), fake.secrets()), (r#""keyring""#, vec!["gwr-3".to_owned()]));
}

#[test]
fn a_keyring_that_was_locked_since_is_told_and_its_token_is_not_taken_for_gone() {
    let (_root, folder, fake) = with_keyring(Mood::Well);
    keep(&folder, "gwr-1");
    fake.becomes(Mood::Locked);
    let Err(Failure::LoginNeeded(why)) = folder.refresh() else { panic!("a locked keyring hands out nothing") };
    assert!(why.contains("the keyring is locked") && why.contains("unlock it"), "{why}");
    assert_eq!(folder.is_in_keyring().unwrap(), Some(true));
    // What came of a login meanwhile is not lost.
    keep_next(&folder, "gwr-2");
    assert_eq!((kept(&folder).as_deref(), in_file(&folder).as_str()), (Some("gwr-2"), r#"{"token":"gwr-2"}"#));
    folder.forget_tokens().unwrap();
    assert!(!folder.path().join(REFRESH).exists());
}

#[test]
fn a_token_that_somebody_took_out_of_the_keyring_is_no_login() {
    let (_root, folder, fake) = with_keyring(Mood::Well);
    keep(&folder, "gwr-1");
    folder.keyring().forget(&folder.account()).unwrap();
    assert!(kept(&folder).is_none() && fake.secrets().is_empty());
}

#[test]
fn two_folders_are_two_logins_in_one_keyring() {
    let root = tempfile::tempdir().unwrap();
    let (fake, keyring) = Fake::new(Mood::Well);
    let folders = ["https://a.test", "https://b.test"].map(|url| Folder::inside(root.path(), url, keyring.clone()));
    folders.iter().zip(["gwr-a", "gwr-b"]).for_each(|(folder, token)| keep(folder, token));
    assert_eq!(fake.secrets().len(), 2);
    folders[0].forget_tokens().unwrap();
    assert_eq!(kept(&folders[1]).as_deref(), Some("gwr-b"));
}
