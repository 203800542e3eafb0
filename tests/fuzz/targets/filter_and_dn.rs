//! What somebody types is a value in a filter and in a name, and never a part of its shape.
#![no_main]

use auth_ldap::fuzzing::{canonical_dn, escaped, filled_in};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let filter = filled_in("(&(objectClass=person)(uid={input}))", input);
    assert_eq!(filter.matches('(').count(), 3, "{filter}");
    assert_eq!(filter.matches(')').count(), 3, "{filter}");
    assert!(!filter.contains('*') && !filter.contains('\0'), "{filter}");
    if let Some(canonical) = canonical_dn(input) {
        assert_eq!(canonical_dn(&canonical).as_deref(), Some(canonical.as_str()), "{input:?}");
    }
    if !input.is_empty() {
        let name = canonical_dn(&format!("cn={},dc=x", escaped(input))).expect("an escaped value is a value");
        assert!(name.ends_with("=x"), "{name}");
    }
});
