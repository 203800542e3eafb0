//! Keys of `extra` inside header names.
//!
//! "Impersonate-Extra-( extra name ): … must be a valid HTTP header key, and all characters that are not legal in
//! HTTP header labels must be UTF-8 and percent-encoded." The API server lower-cases the name, then decodes it; a
//! key with a broken escape stays as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::HeaderName;

use super::IMPERSONATE_EXTRA_PREFIX;
use crate::percent;

/// The header that carries values of `key`; `None` for an empty key or one too long for a header name.
///
/// ```
/// use kube_wire::header::extra_header;
///
/// assert_eq!(extra_header("example.org/team").unwrap(), "impersonate-extra-example.org%2fteam");
/// ```
pub fn extra_header(key: &str) -> Option<HeaderName> {
    if key.is_empty() {
        return None;
    }
    HeaderName::try_from(format!("{IMPERSONATE_EXTRA_PREFIX}{}", escape_extra_key(key))).ok()
}

/// Writes a key so that the API server reads the same key back.
///
/// Beside what cannot stand in a header name and `%` itself, upper-case letters are escaped: header names lose their
/// case on the way, an escape does not.
pub fn escape_extra_key(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for byte in key.bytes() {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{byte:02x}");
        }
    }
    escaped
}

/// Reads a key as the API server does; `None` when the bytes are not UTF-8.
pub fn unescape_extra_key(escaped: &str) -> Option<String> {
    let lower = escaped.to_ascii_lowercase();
    if !percent::whole(&lower) {
        return Some(lower);
    }
    percent::decode_utf8(&lower).map(Cow::into_owned)
}

/// A token character of RFC 9110 §5.6.2 that survives lower-casing and is not the escape sign.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{escape_extra_key, extra_header, unescape_extra_key};

    #[test]
    fn a_key_is_read_as_the_api_server_reads_it() {
        for (escaped, key) in [
            ("scopes", "scopes"),
            ("Scopes", "scopes"),
            ("acme.com%2Fproject", "acme.com/project"),
            ("acme.com%2fproject", "acme.com/project"),
            ("%41", "A"),
            ("100%25", "100%"),
            ("%2525", "%25"),
            ("almost%zzpercent%", "almost%zzpercent%"),
            ("%2f%zz", "%2f%zz"),
            ("%ed%95%9c", "한"),
        ] {
            assert_eq!(unescape_extra_key(escaped).as_deref(), Some(key), "{escaped}");
        }
        assert_eq!(unescape_extra_key("%ff"), None, "not UTF-8");
    }

    #[test]
    fn no_key_is_no_header() {
        assert_eq!(extra_header(""), None);
        assert_eq!(extra_header(&"k".repeat(1 << 17)), None, "too long for a header name");
    }

    proptest! {
        #[test]
        fn every_key_survives_the_way_through_a_header_name(key in ".{1,64}") {
            let header = extra_header(&key).unwrap();
            let suffix = header.as_str().strip_prefix("impersonate-extra-").unwrap();
            prop_assert_eq!(unescape_extra_key(suffix), Some(key));
        }

        #[test]
        fn no_suffix_makes_the_decoder_panic(escaped in ".{0,64}|[%0-9a-fA-F]{0,32}") {
            let _ = unescape_extra_key(&escaped);
        }

        #[test]
        fn an_escaped_key_is_a_token(key in any::<String>()) {
            prop_assert!(escape_extra_key(&key).bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
