//! Search filters as a tree, so that what a person typed can only ever be a value.
//!
//! A template from the configuration is parsed once; `{input}` becomes a place in the tree, and the
//! text that fills it is escaped when the tree is written out. Every filter of this crate is built
//! from the same tree: there is no second way, in which escaping could be forgotten (RFC 4515 §3).

mod parse;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use thiserror::Error;

pub(crate) use parse::{is_attribute_name, parse};

/// What is wrong with a filter of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FilterFault {
    /// A filter starts and ends with a parenthesis.
    #[error("expected \"{expected}\" at character {at}")]
    Expected {
        /// What should stand there.
        expected: char,
        /// Where, counted from 1.
        at: usize,
    },
    /// The left of the comparison is not an attribute name.
    #[error("\"{0}\" is not an attribute name")]
    BadAttribute(String),
    /// A backslash must be followed by two hexadecimal digits.
    #[error("a backslash must be followed by two hexadecimal digits (\"\\2a\" is a star)")]
    BadEscape,
    /// Only `{input}` may be used.
    #[error("unknown placeholder \"{0}\"; only {{input}}, what the person typed, may be used")]
    UnknownPlaceholder(String),
    /// Under a negation what a person types would widen the search.
    #[error("{{input}} may not stand inside \"(!…)\"")]
    NegatedInput,
    /// Deeper than any filter that a person writes.
    #[error("nested more than 16 deep")]
    TooDeep,
}

/// A search filter (RFC 4511 §4.5.1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// `attribute OPERATOR value`, where the operator is `=`, `>=`, `<=` or `~=`.
    Compare(String, &'static str, Value),
    /// `attribute=a*b*c`: two parts or more, of which some may be empty.
    Substrings(String, Vec<Value>),
    Present(String),
    /// `attribute:rule:=value`; the attribute stands alone too, for when there is no input.
    Extensible {
        attribute: String,
        rule: String,
        value: Value,
    },
}

/// An assertion value: bytes, and places that input fills.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Value(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Input,
}

impl Filter {
    /// `(attribute=value)`.
    pub(crate) fn equal(attribute: &str, value: impl Into<Vec<u8>>) -> Self {
        Self::Compare(attribute.to_owned(), "=", Value(vec![Piece::Bytes(value.into())]))
    }

    /// `(attribute:1.2.840.113556.1.4.1941:=value)`: Active Directory follows the attribute through any number of entries
    /// (LDAP_MATCHING_RULE_IN_CHAIN).
    pub(crate) fn in_chain(attribute: &str, value: impl Into<Vec<u8>>) -> Self {
        let (attribute, rule) = (attribute.to_owned(), ":1.2.840.113556.1.4.1941".to_owned());
        Self::Extensible { attribute, rule, value: Value(vec![Piece::Bytes(value.into())]) }
    }

    /// `(attribute=text*)`; everything that has the attribute when `text` is empty.
    pub(crate) fn prefix(attribute: &str, text: &str) -> Self {
        if text.is_empty() {
            return Self::Present(attribute.to_owned());
        }
        Self::Substrings(attribute.to_owned(), vec![Value(vec![Piece::Bytes(text.into())]), Value::default()])
    }

    /// Whether `{input}` stands anywhere.
    pub(crate) fn takes_input(&self) -> bool {
        match self {
            Self::And(list) | Self::Or(list) => list.iter().any(Self::takes_input),
            Self::Not(inner) => inner.takes_input(),
            Self::Compare(_, _, value) | Self::Extensible { value, .. } => value.takes_input(),
            Self::Substrings(_, parts) => parts.iter().any(Value::takes_input),
            Self::Present(_) => false,
        }
    }

    /// The same filter with `input`, as a value, in every place for it.
    pub(crate) fn with_input(&self, input: &str) -> Self {
        match self {
            Self::And(list) => Self::And(list.iter().map(|inner| inner.with_input(input)).collect()),
            Self::Or(list) => Self::Or(list.iter().map(|inner| inner.with_input(input)).collect()),
            Self::Not(inner) => Self::Not(Box::new(inner.with_input(input))),
            Self::Compare(name, operator, value) => Self::Compare(name.clone(), operator, value.with_input(input)),
            Self::Substrings(name, parts) => {
                Self::Substrings(name.clone(), parts.iter().map(|part| part.with_input(input)).collect())
            }
            Self::Present(name) => Self::Present(name.clone()),
            Self::Extensible { attribute, rule, value } => {
                Self::Extensible { attribute: attribute.clone(), rule: rule.clone(), value: value.with_input(input) }
            }
        }
    }

    /// The same filter for anybody: each comparison with the input asks only for the attribute.
    pub(crate) fn for_anyone(&self) -> Self {
        match self {
            Self::And(list) => Self::And(list.iter().map(Self::for_anyone).collect()),
            Self::Or(list) => Self::Or(list.iter().map(Self::for_anyone).collect()),
            Self::Compare(name, ..) | Self::Substrings(name, _) | Self::Extensible { attribute: name, .. }
                if self.takes_input() =>
            {
                Self::Present(name.clone())
            }
            Self::Not(_) | Self::Compare(..) | Self::Substrings(..) | Self::Present(_) | Self::Extensible { .. } => {
                self.clone()
            }
        }
    }

    /// The text form. A place for input that nothing filled is written as an empty value.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        text.push('(');
        match self {
            Self::And(list) => {
                text.push('&');
                list.iter().for_each(|inner| inner.write(text));
            }
            Self::Or(list) => {
                text.push('|');
                list.iter().for_each(|inner| inner.write(text));
            }
            Self::Not(inner) => {
                text.push('!');
                inner.write(text);
            }
            Self::Compare(name, operator, value) => {
                text.push_str(name);
                text.push_str(operator);
                value.write(text);
            }
            Self::Substrings(name, parts) => {
                text.push_str(name);
                text.push('=');
                for (position, part) in parts.iter().enumerate() {
                    if position > 0 {
                        text.push('*');
                    }
                    part.write(text);
                }
            }
            Self::Present(name) => {
                text.push_str(name);
                text.push_str("=*");
            }
            Self::Extensible { attribute, rule, value } => {
                text.push_str(attribute);
                text.push_str(rule);
                text.push_str(":=");
                value.write(text);
            }
        }
        text.push(')');
    }
}

impl Value {
    fn takes_input(&self) -> bool {
        self.0.contains(&Piece::Input)
    }

    fn with_input(&self, input: &str) -> Self {
        let fill = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => Piece::Bytes(bytes.clone()),
            Piece::Input => Piece::Bytes(input.into()),
        };
        Self(self.0.iter().map(fill).collect())
    }

    /// Everything but letters, digits and a few harmless marks becomes `\xx`.
    fn write(&self, text: &mut String) {
        for piece in &self.0 {
            let Piece::Bytes(bytes) = piece else { continue };
            for byte in bytes {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'@' | b'=' | b',' => {
                        text.push(char::from(*byte));
                    }
                    _ => {
                        let _ = write!(text, "\\{byte:02x}");
                    }
                }
            }
        }
    }
}
