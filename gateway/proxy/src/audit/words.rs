//! How much of a client's words goes on record.
//!
//! Whoever is refused costs a line; a line must not be as long as the client likes, and must not keep a secret.

use std::borrow::Cow;

use crate::spill;

/// The most bytes of a target.
pub(super) const TARGET: usize = 2_048;
/// The most bytes of a user agent, a reason or a method.
pub(super) const SENTENCE: usize = 1_024;
/// The most bytes of one part of a path; a name in Kubernetes has at most 253.
pub(super) const PART: usize = 256;

/// The text without secrets, cut to a length; `…` says that more followed.
pub(super) fn brief(text: &str, most: usize) -> Cow<'_, str> {
    // The secret goes before the cut, so that a cut token is not taken for none.
    let text = spill::redacted(text);
    if text.len() <= most {
        return text;
    }
    let end = text.floor_char_boundary(most);
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// A text that is brief already stays as it is.
pub(super) fn shorten(text: Cow<'_, str>, most: usize) -> Cow<'_, str> {
    match brief(&text, most) {
        Cow::Owned(short) => Cow::Owned(short),
        Cow::Borrowed(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_says_so_and_stays_text() {
        assert_eq!(brief("abc", 3), "abc");
        assert_eq!(brief("abcd", 3), "abc…");
        assert_eq!(brief("aéé", 2), "a…");
    }
}
