//! An error on one line of a log, with what caused it.

use std::error::Error;
use std::iter::successors;

/// More links than any real error has, and fewer than one that has no end.
const LINKS: usize = 16;

/// The error's text and those of its causes, on one line.
///
/// A cause that a text already tells is not repeated: some libraries write theirs into both. No control character can
/// start another line of a log.
///
/// ```
/// #[derive(Debug, thiserror::Error)]
/// #[error("cannot write")]
/// struct CannotWrite(#[source] std::io::Error);
///
/// let error = CannotWrite(std::io::Error::other("the disk is gone"));
/// assert_eq!(auth_core::with_causes(&error), "cannot write: the disk is gone");
/// ```
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in successors(error.source(), |&cause| cause.source()).take(LINKS) {
        let told = cause.to_string();
        if !text.ends_with(&told) {
            text = format!("{text}: {told}");
        }
    }
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] std::io::Error);

    #[test]
    fn each_cause_is_told_once_and_on_one_line() {
        let cause = || std::io::Error::other("the disk\nis gone");
        assert_eq!(with_causes(&Outer("cannot write", cause())), "cannot write: the disk is gone");
        assert_eq!(with_causes(&Outer("cannot write: the disk\nis gone", cause())), "cannot write: the disk is gone");
    }

    #[derive(Debug)]
    struct Circle(u8);

    impl std::fmt::Display for Circle {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}", self.0)
        }
    }

    impl Error for Circle {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            static TURNS: [Circle; 2] = [Circle(0), Circle(1)];
            TURNS.get(usize::from(1 - self.0)).map(|next| next as &dyn Error)
        }
    }

    #[test]
    fn a_chain_without_an_end_is_cut() {
        assert!(with_causes(&Circle(0)).len() < 100);
    }
}
