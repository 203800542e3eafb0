use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

#[test]
fn spellings_of_one_name_are_equal() {
    for (one, other) in [
        ("CN=Doe\\, Jane,OU=X", "cn=doe\\2c jane, ou=x"),
        ("cn=a+uid=b,dc=c", "UID=B+CN=A,DC=C"),
        ("2.5.4.3=x,dc=y", "cn=x,dc=y"),
        ("OID.2.5.4.3=x", "commonName=X"),
        ("cn=#0403666F6F,dc=y", "cn=foo,dc=y"),
        ("cn=a  b\\ ,dc=y", "cn=a b,dc=y"),
        ("cn=홍길동,dc=y", "cn=\\ed\\99\\8d길동 , dc=y"),
        ("cn=ÉCOLE", "cn=école"),
    ] {
        assert_eq!(dn(one), dn(other), "{one} and {other}");
    }
}

#[test]
fn different_names_stay_different() {
    for (one, other) in
        [("cn=a,dc=b", "cn=a\\,dc=b"), ("cn=a+uid=b", "cn=a,uid=b"), ("cn=\\ff", "cn=\\fe"), ("cn=ab", "cn=a b")]
    {
        assert_ne!(dn(one), dn(other), "{one} and {other}");
    }
}

#[test]
fn only_whole_parts_count_as_below() {
    assert!(dn("uid=a,dc=corp").is_within(&dn("DC=Corp")));
    assert!(!dn("uid=a,dc=evil-corp").is_within(&dn("dc=corp")));
    assert!(!dn("uid=a\\,dc=corp").is_within(&dn("dc=corp")));
    assert!(!dn("dc=corp").is_within(&dn("uid=a,dc=corp")));
}

#[test]
fn what_is_not_a_name_is_refused() {
    for text in ["alice", "=x", "cn=a,,dc=b", "cn=\\zz", "cn=\\4", "cn=\"a\"", "cn=#0g", "c n=x", "cn=a,"] {
        assert!(text.parse::<Dn>().is_err(), "{text}");
    }
}

#[test]
fn what_is_no_string_is_written_as_it_was_read() {
    for text in ["cn=#020101,dc=y", "cn=#040366,dc=y", "cn=\\80\\ff,dc=y"] {
        assert_eq!(dn(&dn(text).to_string()), dn(text), "{text}");
    }
    assert_ne!(dn("cn=#80"), dn("cn=\\80"), "the BER of something, and a byte");
    assert_ne!(dn("cn=#020101"), dn("cn=\\02\\01\\01"));
}

#[test]
fn an_attribute_type_is_a_name_or_an_oid() {
    for text in ["oid.oid.=x", "1..2=x", ".1=x", "-a=x", "a.b=x", "oid.=x", "1a=x"] {
        assert_eq!(text.parse::<Dn>(), Err(DnFault::BadType), "{text}");
    }
}

proptest! {
    #[test]
    fn an_escaped_value_is_one_value(values in vec("\\PC{1,20}", 1..4)) {
        let text = values.iter().map(|value| format!("cn={}", escape_value(value))).collect::<Vec<_>>().join(",");
        prop_assert_eq!(dn(&text).0.len(), values.len());
    }

    #[test]
    fn the_canonical_spelling_reads_back(values in vec("\\PC{0,20}", 1..5)) {
        let text = values.iter().map(|value| format!("ou={}", escape_value(value))).collect::<Vec<_>>().join(" ,");
        let name = dn(&text);
        prop_assert_eq!(dn(&name.to_string()), name);
    }

    #[test]
    fn no_text_makes_the_parser_fail_otherwise_than_by_refusing(text in "\\PC{0,60}") {
        let _ = text.parse::<Dn>();
    }
}
