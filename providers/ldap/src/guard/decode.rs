//! What the library does with a message that passed: it panics on shapes that the guard must not let through.
#![expect(clippy::unwrap_used, reason = "built for tests and fuzzing alone")]

use ldap3::LdapResult;
use ldap3::asn1::Tag;

use super::{Kind, Message};
use crate::entry::Entry;

/// Takes a message apart as the library would.
pub(crate) fn decode(message: &Message) {
    let (_, whole) = ldap3::asn1::parse_tag(message.bytes()).unwrap();
    let mut fields = whole.expect_constructed().unwrap().into_iter();
    assert!(fields.next().unwrap().expect_primitive().is_some());
    let operation = fields.next().unwrap();
    match message.kind() {
        Kind::Entry => assert!(Entry::decode(operation).is_some()),
        Kind::Bind | Kind::Done => drop(LdapResult::from(Tag::StructureTag(operation))),
        Kind::Reference | Kind::Extended(_) | Kind::Notice => return, // these never reach the library
    }
    for control in fields.flat_map(|list| list.expect_constructed().unwrap()) {
        let parts = control.expect_constructed().unwrap();
        assert!((1..=3).contains(&parts.len()));
        for part in parts {
            assert!(!(part.id == 1 && part.expect_primitive().unwrap().is_empty()));
        }
    }
}
