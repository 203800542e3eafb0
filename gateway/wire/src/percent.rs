//! Percent-decoding that tells a broken escape from a whole one.
//!
//! The usual decoders leave a broken escape as it stands. Go refuses it, and where the two differ a path could mean
//! one thing to the gateway and another to the API server.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes `text`, or says by `None` that an escape in it is broken.
///
/// Bytes that are not UTF-8 become U+FFFD: they can be compared and logged, but never match a real name.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    whole(text).then(|| percent_decode_str(text).decode_utf8_lossy())
}

/// Decodes `text` to UTF-8, or says by `None` that an escape is broken or the bytes are not UTF-8.
pub(crate) fn decode_utf8(text: &str) -> Option<Cow<'_, str>> {
    if !whole(text) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// Tells whether every `%` is followed by two hexadecimal digits.
pub(crate) fn whole(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes().take(2);
        matches!((digits.next(), digits.next()), (Some(a), Some(b)) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
    })
}
