//! What fuzzing may call.
#![allow(clippy::unwrap_used, missing_docs, reason = "built for fuzzing alone")]

use crate::dn::{Dn, escape_value};
use crate::filter::parse;
use crate::guard::{Guard, Limits, decode};

/// A filter with what somebody typed.
#[must_use]
pub fn filled_in(template: &str, input: &str) -> String {
    parse(template).unwrap().with_input(input).render()
}

/// A name in its one spelling.
#[must_use]
pub fn canonical_dn(text: &str) -> Option<String> {
    Some(text.parse::<Dn>().ok()?.to_string())
}

/// A value as it stands in a name.
#[must_use]
pub fn escaped(value: &str) -> String {
    escape_value(value)
}

/// The sizes of the messages that the guard lets through, up to the first that it refuses; each is decoded.
#[must_use]
pub fn messages(bytes: &[u8], cut: usize) -> Vec<usize> {
    let mut guard = Guard::new(Limits::default());
    let mut passed = Vec::new();
    for piece in bytes.chunks(cut) {
        guard.push(piece);
        loop {
            match guard.next() {
                Ok(Some(message)) => {
                    decode(&message);
                    passed.push(message.bytes().len());
                }
                Ok(None) => break,
                Err(_) => return passed,
            }
        }
    }
    passed
}
