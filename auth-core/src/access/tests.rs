//! Who is let in, mode by mode.

use super::*;

fn id(text: &str) -> PrincipalId {
    text.parse().unwrap()
}

fn decide(mode: AccessMode, allowed: &[&str], groups: &[&str], granted: bool) -> bool {
    let policy = AccessPolicy::new(mode, allowed.iter().map(|text| id(text)));
    let groups: Vec<_> = groups.iter().map(|text| id(text)).collect();
    policy.decide(&id("corp_user://1"), &groups, granted).allowed
}

#[test]
fn unrestricted_lets_everybody_in() {
    assert!(decide(AccessMode::Unrestricted, &[], &[], false));
}

#[test]
fn required_lets_in_listed_users_and_members_of_listed_groups_only() {
    let required = AccessMode::Required;
    assert!(decide(required, &["corp_user://1"], &[], false));
    assert!(decide(required, &["corp_team://9"], &["corp_group://1", "corp_team://9"], false));
    assert!(!decide(required, &["corp_user://2", "corp_group://9"], &["corp_group://1"], false));
    assert!(!decide(required, &[], &["corp_group://1"], false), "an empty list lets nobody in");
}

#[test]
fn a_grant_opens_restricted_and_never_required() {
    assert!(decide(AccessMode::Restricted, &[], &[], true));
    assert!(!decide(AccessMode::Restricted, &[], &[], false));
    assert!(!decide(AccessMode::Required, &["corp_user://2"], &[], true));
}

#[test]
fn the_type_and_the_instance_are_part_of_the_match() {
    assert!(!decide(AccessMode::Required, &["corp_group://1"], &[], false), "user 1 is not group 1");
    assert!(!decide(AccessMode::Required, &["other_user://1"], &[], false), "corp is not other");
}

#[test]
fn the_explanation_names_what_decided() {
    let policy = AccessPolicy::new(AccessMode::Restricted, [id("corp_group://9")]);
    let told = policy.decide(&id("corp_user://1"), &[id("corp_group://9")], false);
    assert!(told.explanation().contains("corp_group://9 is in the allowed list"), "{}", told.explanation());
    let told = policy.decide(&id("corp_user://1"), &[], false);
    assert!(told.explanation().ends_with("no grant names them\nso they may not enter"), "{}", told.explanation());
}

#[test]
fn a_misspelt_key_or_id_is_an_error_not_an_open_door() {
    let read = |json: &str| serde_json::from_str::<AccessPolicy>(json);
    assert!(read(r#"{"mode":"required","allowed":["corp_group://9"]}"#).is_ok());
    assert!(read(r#"{"mod":"required"}"#).is_err());
    assert!(read(r#"{"mode":"Required"}"#).is_err());
    assert!(read(r#"{"allowed":["dev"]}"#).is_err());
}
