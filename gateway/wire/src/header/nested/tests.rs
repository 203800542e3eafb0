//! What a client may say, and everything that must be refused instead of repaired.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{ImpersonationFault as Fault, nested_target};
use crate::header::is_impersonation;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    raw(&lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect::<Vec<_>>())
}

/// A header line as it stands on the wire.
type Line<'a> = (&'a str, &'a [u8]);

fn raw(lines: &[Line<'_>]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    map
}

fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

#[test]
fn everything_that_was_asked_is_read() {
    let target = nested_target(&headers(&[
        ("Impersonate-User", "jane"),
        ("iMpErSoNaTe-GrOuP", "dev"),
        ("Impersonate-Group", "a,b"),
        ("Impersonate-Uid", "42"),
        ("Impersonate-Extra-Scopes", "view"),
        ("Impersonate-Extra-scopes", "edit"),
        ("Impersonate-Extra-acme.com%2Fproject", "한글"),
        ("X-Other", "x"),
    ]));
    let target = target.unwrap().unwrap();
    assert_eq!((target.username.as_str(), target.uid.as_deref()), ("jane", Some("42")));
    assert_eq!(target.groups, ["dev", "a,b"], "a comma is a part of a group's name");
    assert_eq!(target.extra["scopes"], ["view", "edit"]);
    assert_eq!(target.extra["acme.com/project"], ["한글"]);
}

#[test]
fn two_spellings_of_one_key_are_one_key() {
    let target = nested_target(&headers(&[
        ("impersonate-user", "jane"),
        ("impersonate-extra-a%2fb", "1"),
        ("impersonate-extra-%61%2fb", "2"),
    ]));
    assert_eq!(target.unwrap().unwrap().extra["a/b"].len(), 2);
}

#[test]
fn headers_that_need_a_user_are_refused_without_one() {
    for name in ["impersonate-group", "impersonate-uid", "impersonate-extra-x"] {
        let fault = nested_target(&headers(&[(name, "v")])).unwrap_err();
        assert_eq!(fault, Fault::WithoutUser { header: named(name) });
    }
}

#[test]
fn a_second_user_or_uid_is_refused_even_when_equal() {
    for name in ["impersonate-user", "impersonate-uid"] {
        let fault = nested_target(&headers(&[("impersonate-user", "jane"), (name, "v"), (name, "v")])).unwrap_err();
        assert_eq!(fault, Fault::Repeated { header: named(name) });
    }
}

#[test]
fn an_empty_value_is_refused() {
    for name in ["impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-x"] {
        let mut lines = vec![(name, "")];
        if name != "impersonate-user" {
            lines.push(("impersonate-user", "jane"));
        }
        assert_eq!(nested_target(&headers(&lines)).unwrap_err(), Fault::Empty { header: named(name) });
    }
}

#[test]
fn bytes_that_are_no_plain_name_are_refused() {
    for value in [&b"\xff"[..], b"a\tb", b" jane", b"jane ", "\u{a0}jane".as_bytes(), "a\u{85}b".as_bytes()] {
        for name in ["impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-x"] {
            let mut lines: Vec<Line<'_>> = vec![(name, value)];
            if name != "impersonate-user" {
                lines.push(("impersonate-user", b"jane"));
            }
            assert_eq!(nested_target(&raw(&lines)).unwrap_err(), Fault::Malformed { header: named(name) }, "{value:?}");
        }
    }
    for name in ["impersonate-extra-%ff", "impersonate-extra-%0a", "impersonate-extra-%20x"] {
        let fault = nested_target(&headers(&[("impersonate-user", "jane"), (name, "v")])).unwrap_err();
        assert_eq!(fault, Fault::Malformed { header: named(name) });
    }
}

#[test]
fn an_unknown_name_of_the_family_is_refused() {
    for name in ["impersonate-", "impersonate-ev", "impersonate-extra-", "impersonate-extra", "impersonate-groups"] {
        let fault = nested_target(&headers(&[("impersonate-user", "jane"), (name, "v")])).unwrap_err();
        assert_eq!(fault, Fault::Unknown { header: named(name) });
    }
}

#[test]
fn the_family_is_known_by_its_prefix() {
    for name in ["Impersonate-User", "IMPERSONATE-NEW-THING", "impersonate-", "iMpErSoNaTe-extra-a"] {
        assert!(is_impersonation(&HeaderName::from_bytes(name.as_bytes()).unwrap()), "{name}");
    }
    for name in ["impersonate", "impersonation", "impersonate_user", "-impersonate-user", "impersonate%2duser"] {
        assert!(!is_impersonation(&HeaderName::from_bytes(name.as_bytes()).unwrap()), "{name}");
    }
}

proptest! {
    #[test]
    fn whatever_is_read_was_asked_for(
        lines in proptest::collection::vec(("impersonate-(user|group|uid|extra-[a-z%0-9]{0,6}|[a-z]{0,4})", ".{0,12}"), 0..8)
    ) {
        let map: Vec<_> = lines.iter().filter(|(_, value)| HeaderValue::from_str(value).is_ok()).collect();
        let map = headers(&map.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>());
        if let Ok(Some(target)) = nested_target(&map) {
            prop_assert_eq!(map.get_all("impersonate-user").iter().count(), 1);
            prop_assert_eq!(map.get("impersonate-user").unwrap().as_bytes(), target.username.as_bytes());
            prop_assert_eq!(map.get_all("impersonate-group").iter().count(), target.groups.len());
            let values = usize::from(target.uid.is_some()) + 1 + target.groups.len()
                + target.extra.values().map(Vec::len).sum::<usize>();
            prop_assert_eq!(values, map.len(), "no line is lost");
        }
    }
}
