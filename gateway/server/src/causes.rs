//! An error in one line, with what caused it.

use std::error::Error;

/// The error's text and those of its causes. A cause that a text already tells is not repeated: some libraries write
/// theirs into both.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let told = cause.to_string();
        if !text.ends_with(&told) {
            text = format!("{text}: {told}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] std::io::Error);

    #[test]
    fn each_cause_is_told_once() {
        let cause = || std::io::Error::other("the disk is gone");
        assert_eq!(with_causes(&Outer("cannot write", cause())), "cannot write: the disk is gone");
        assert_eq!(with_causes(&Outer("cannot write: the disk is gone", cause())), "cannot write: the disk is gone");
    }
}
