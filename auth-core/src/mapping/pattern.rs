//! Patterns for group names: `*` stands for any text, everything else for itself.

use std::fmt;

/// A pattern, cut at its stars.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Vec<String>);

impl Pattern {
    pub(super) fn new(text: String) -> Self {
        Self(text.split('*').map(str::to_owned).collect())
    }

    /// Matches in one pass without going back: the first place where a middle part fits is as good as any later.
    pub(super) fn fits(&self, name: &str) -> bool {
        match self.0.as_slice() {
            [] => false,
            [whole] => whole == name,
            [first, middle @ .., last] => {
                let Some(mut rest) =
                    name.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
                else {
                    return false;
                };
                middle.iter().all(|part| match rest.split_once(part.as_str()) {
                    Some((_, after)) => {
                        rest = after;
                        true
                    }
                    None => false,
                })
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("*"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern.to_owned()).fits(name)
    }

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_is_special() {
        for (pattern, name) in [
            ("dev", "dev"),
            ("*", ""),
            ("*", "x"),
            ("k8s-*", "k8s-"),
            ("*-ops", "eu-ops"),
            ("a*b*c", "a1b2c"),
            ("a**c", "ac"),
            ("*개발*", "서울개발팀"),
            ("a.c", "a.c"),
            ("a*a", "aa"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("dev", "devs"),
            ("dev", "Dev"),
            ("k8s-*", "xk8s-"),
            ("a*b*c", "a1c"),
            ("a.c", "abc"),
            ("a*a", "a"),
            ("", "x"),
            ("a*b", "ab\n"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
