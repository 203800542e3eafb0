//! Ids there and back, and texts that are none.

use proptest::prelude::*;

use super::*;

fn external() -> impl Strategy<Value = String> {
    // Anything printable, with the characters that the grammar and DNs are made of well represented.
    proptest::string::string_regex("([^\\p{Cc}]|[_:/%=,+ \\\\\"#;<>가나다é]){1,80}")
        .unwrap()
        .prop_filter("no white space at the ends, bounded", |text| text.trim() == text && text.len() <= MAX_EXTERNAL)
}

fn kind() -> impl Strategy<Value = PrincipalType> {
    prop::sample::select(vec![PrincipalType::User, PrincipalType::Group, PrincipalType::Org, PrincipalType::Team])
}

proptest! {
    #[test]
    fn an_id_survives_text_path_and_json(instance in "[a-z]([a-z0-9-]{0,61}[a-z0-9])?", kind in kind(), external in external()) {
        let instance: InstanceId = instance.parse().unwrap();
        prop_assume!(!instance.is_local());
        let id = PrincipalId::new(&instance, kind, &external).unwrap();
        prop_assert_eq!(&id.to_string().parse::<PrincipalId>().unwrap(), &id);
        prop_assert_eq!(&PrincipalId::from_path_segment(&id.path_segment()).unwrap(), &id);
        let json = serde_json::to_string(&id).unwrap();
        prop_assert_eq!(serde_json::from_str::<PrincipalId>(&json).unwrap(), id);
    }

    #[test]
    fn local_ids_survive_too(external in external(), group in any::<bool>()) {
        let kind = if group { PrincipalType::Group } else { PrincipalType::User };
        let id = PrincipalId::new(&"local".parse().unwrap(), kind, &external).unwrap();
        let scheme = if group { "local_group://" } else { "local://" };
        prop_assert!(id.to_string().starts_with(scheme));
        prop_assert_eq!(id.to_string().parse::<PrincipalId>().unwrap(), id);
    }

    #[test]
    fn whatever_parses_has_one_spelling(text in ".{0,40}|[a-z]{1,5}(_(user|group|org|team))?://.{0,20}") {
        if let Ok(id) = text.parse::<PrincipalId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn a_path_segment_holds_only_what_a_path_may(external in external()) {
        let id = PrincipalId::new(&"corp".parse().unwrap(), PrincipalType::Group, &external).unwrap();
        prop_assert!(id.path_segment().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
    }

    #[test]
    fn an_id_holds_nothing_that_splits_a_header_or_a_log_line(text in "[a-z]{1,3}_user://.{0,10}[\r\n\0]?.{0,10}") {
        if let Ok(id) = text.parse::<PrincipalId>() {
            prop_assert!(!id.to_string().contains(['\r', '\n', '\0']));
        }
    }
}

#[test]
fn a_dn_is_a_legal_id() {
    let text = "corp_group://cn=Café \\, dev+ou=x,ou=그룹,dc=example,dc=org";
    let id: PrincipalId = text.parse().unwrap();
    assert_eq!(id.external_id(), "cn=Café \\, dev+ou=x,ou=그룹,dc=example,dc=org");
}

#[test]
fn an_external_id_may_hold_the_separators() {
    let id: PrincipalId = "corp_user://a://b_c".parse().unwrap();
    assert_eq!((id.instance().as_str(), id.external_id()), ("corp", "a://b_c"));
}

#[test]
fn hostile_and_misspelt_ids_are_refused() {
    let long = format!("corp_user://{}", "x".repeat(MAX_EXTERNAL + 1));
    for text in [
        "",
        "://",
        "corp",
        "corp://x",
        "corp_user:/x",
        "corp_user://",
        "_user://x",
        "corp_://x",
        "corp_admin://x",
        "corp_User://x",
        "Corp_user://x",
        "1corp_user://x",
        "corp-_user://x",
        "corp_x_user://x",
        "corp_user:// x",
        "corp_user://x ",
        "corp_user://x\n",
        "corp_user://a\r\nb",
        "corp_user://a\0b",
        "corp_user://a\u{7f}b",
        "corp_user://a\u{85}b",
        "corp_user://\u{3000}x",
        "local_user://x",
        "local_org://x",
        "local_team://x",
        "local://",
        "LOCAL://x",
        "system://x",
        &long,
    ] {
        assert!(text.parse::<PrincipalId>().is_err(), "{text:?}");
    }
}

#[test]
fn broken_path_segments_are_refused() {
    for segment in [
        "corp_user%3A%2F%2Fx%",
        "corp_user%3A%2F%2F%4",
        "corp_user%3A%2F%2F%zz",
        "corp_user%3A%2F%2F%ff%fe",
        "corp_user%3A%2F%2Fa%0Ab",
        "corp_user%3A%2F%2Fa%00",
        "..",
        "corp_user%3A%2F%2F%20x",
    ] {
        assert!(PrincipalId::from_path_segment(segment).is_err(), "{segment:?}");
    }
}

#[test]
fn the_refusal_does_not_repeat_the_hostile_text() {
    let error = "corp_user://evil\nline".parse::<PrincipalId>().unwrap_err();
    assert_eq!(error.to_string(), "not a valid principal id: the external id holds a control character");
}

#[test]
fn instance_ids_are_dns_labels_that_start_with_a_letter() {
    let longest = format!("a{}", "b".repeat(62));
    for text in ["a", "corp", "corp-2", longest.as_str()] {
        assert!(text.parse::<InstanceId>().is_ok(), "{text}");
    }
    let too_long = format!("a{}", "b".repeat(63));
    for text in ["", "-a", "a-", "2a", "A", "a_b", "a.b", "a b", "é", "a\n", too_long.as_str()] {
        assert!(text.parse::<InstanceId>().is_err(), "{text:?}");
    }
}
