//! A principal id reads back as it was written, and no two spellings are one person.
#![no_main]

use auth_core::PrincipalId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<PrincipalId>() {
        assert_eq!(id.to_string(), text, "another spelling of the same");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
});
