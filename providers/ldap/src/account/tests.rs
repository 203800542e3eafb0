use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::entry::Entry;

fn reply(code: u32, text: &str, policy: Option<&[u8]>) -> BindReply {
    BindReply { code, text: text.to_owned(), policy: policy.map(<[u8]>::to_vec) }
}

fn judged(code: u32, policy: &[u8]) -> &'static str {
    judge(&reply(code, "", Some(policy)), Preset::Openldap).map_or_else(|error| error.audit_code(), |()| "ok")
}

#[test]
fn what_the_password_policy_says_after_a_right_password_is_told() {
    assert_eq!(judged(0, &[0x30, 0]), "ok");
    assert_eq!(judged(0, &[0x30, 5, 0xa0, 3, 0x80, 1, 60]), "ok", "a warning is no objection");
    assert_eq!(judged(0, &[0x30, 3, 0x81, 1, 2]), "must-change-password");
    assert_eq!(judged(49, &[0x30, 3, 0x81, 1, 0]), "password-expired");
}

#[test]
fn a_lock_that_anybody_can_see_is_told_as_a_wrong_password() {
    assert_eq!(judged(49, &[0x30, 3, 0x81, 1, 1]), "bad-credentials");
    let text = "80090308: LdapErr: DSID-0C090, comment: AcceptSecurityContext error, data 775, v4563";
    let error = judge(&reply(49, text, None), Preset::ActiveDirectory).unwrap_err();
    assert_eq!(error.audit_code(), "bad-credentials");
}

#[test]
fn a_broken_policy_control_is_never_a_login() {
    for value in [&[0x30_u8, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x30, 3, 0x81, 1], &[], &[0x30, 3, 0x81, 1, 2, 0]] {
        assert_eq!(judged(0, value), "protocol", "{value:?}");
    }
}

#[test]
fn active_directory_says_why_in_its_text() {
    for (data, expected) in [
        ("52e", "bad-credentials"),
        ("525", "bad-credentials"),
        ("530", "policy-denied"),
        ("532", "password-expired"),
        ("533", "disabled"),
        ("701", "account-expired"),
        ("773", "must-change-password"),
        ("zzz", "bad-credentials"),
        ("5333", "bad-credentials"),
    ] {
        let text =
            format!("80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v2580\0");
        let error = judge(&reply(49, &text, None), Preset::ActiveDirectory).unwrap_err();
        assert_eq!(error.audit_code(), expected, "{data}");
    }
}

#[test]
fn a_directory_in_trouble_is_not_a_wrong_password() {
    for code in [1, 51, 52, 80] {
        assert_eq!(judge(&reply(code, "busy", None), Preset::Openldap).unwrap_err().http_status(), 503, "{code}");
    }
    assert_eq!(judge(&reply(13, "", None), Preset::Openldap).unwrap_err().audit_code(), "misconfigured");
}

fn entry(attributes: &[(&str, &str)]) -> Entry {
    let values: Vec<_> = attributes.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    Entry::of("cn=x", &values)
}

#[test]
fn the_entry_alone_tells_the_state() {
    let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    let of = |preset, attributes: &[(&str, &str)]| state(&entry(attributes), preset, now).unwrap();
    let open = |attributes: &[(&str, &str)]| of(Preset::Openldap, attributes);
    assert_eq!(open(&[]), AccountState::Active);
    assert_eq!(open(&[("pwdAccountLockedTime", "000001010000Z")]), AccountState::Disabled);
    assert_eq!(open(&[("pwdAccountLockedTime", "20261122000000Z")]), AccountState::Active, "the bind says that");
    assert_eq!(open(&[("nsAccountLock", "true")]), AccountState::Disabled);
    assert_eq!(open(&[("pwdReset", "TRUE")]), AccountState::MustChangePassword);
    assert_eq!(open(&[("pwdEndTime", "20261122235959Z")]), AccountState::Expired);
    assert_eq!(open(&[("pwdEndTime", "20261123000001.5Z")]), AccountState::Active);
    let active = |attributes: &[(&str, &str)]| of(Preset::ActiveDirectory, attributes);
    assert_eq!(active(&[("userAccountControl", "512")]), AccountState::Active);
    assert_eq!(active(&[("userAccountControl", "514")]), AccountState::Disabled);
    assert_eq!(active(&[("userAccountControl", "512"), ("pwdLastSet", "0")]), AccountState::MustChangePassword);
    assert_eq!(active(&[("userAccountControl", "512"), ("accountExpires", "1")]), AccountState::Expired);
    let never = i64::MAX.to_string();
    assert_eq!(active(&[("userAccountControl", "512"), ("accountExpires", &never)]), AccountState::Active);
    let computed = "msDS-User-Account-Control-Computed";
    assert_eq!(active(&[("userAccountControl", "512"), (computed, "16")]), AccountState::Locked);
}

#[test]
fn a_state_that_cannot_be_read_is_not_active() {
    let now = Timestamp::UNIX_EPOCH;
    assert!(state(&entry(&[]), Preset::ActiveDirectory, now).is_err());
    assert!(state(&entry(&[("userAccountControl", "many")]), Preset::ActiveDirectory, now).is_err());
}

proptest! {
    #[test]
    fn no_policy_control_breaks_its_decoder(value in vec(any::<u8>(), 0..64)) {
        let _ = policy::decode(&value);
    }
}
