//! Distinguished names, compared the way a directory compares them.
//!
//! `CN=Doe\, Jane,OU=X` and `cn=doe\2c jane, ou=x` name the same entry (RFC 4514, RFC 4518), and a
//! comparison of strings says that they differ. Where we remember a DN, or ask whether one lies
//! under another, we compare this form: types in lower case by their short names, values unescaped,
//! case-folded and with inner spaces squeezed, the parts of a multi-valued RDN sorted.
//!
//! It is for comparing only. What goes to a directory is always the string that the directory gave.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Why a string is not a distinguished name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum DnFault {
    /// An RDN has no `=`.
    #[error("a part without \"=\"")]
    NoEquals,
    /// The left of `=` is not an attribute name or OID.
    #[error("a part whose attribute name is not a name or an OID")]
    BadType,
    /// A backslash that escapes nothing known, or a `#` value that is not hexadecimal.
    #[error("a broken escape")]
    BadEscape,
    /// `"` and friends must be escaped.
    #[error("a special character that is not escaped")]
    Unescaped,
    /// Longer than any real name.
    #[error("more than 8,192 bytes")]
    TooLong,
}

/// A name in its form for comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Dn(Vec<Rdn>);

type Rdn = Vec<(String, Value)>;

/// What an attribute of a name is equal to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value {
    Text(String),
    /// Not UTF-8, or of a syntax that we do not know: compared byte for byte.
    Opaque(Vec<u8>),
    /// The BER of something that is no string.
    Encoded(Vec<u8>),
}

impl Dn {
    /// Whether this name is `base` or lies below it; only whole RDNs count.
    pub(crate) fn is_within(&self, base: &Self) -> bool {
        self.0.ends_with(&base.0)
    }

    /// Whether this is the empty name (the root DSE, or an anonymous bind).
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Dn {
    type Err = DnFault;

    fn from_str(text: &str) -> Result<Self, DnFault> {
        parse::dn(text).map(Self)
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, rdn) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            for (part, (kind, value)) in rdn.iter().enumerate() {
                let plus = if part > 0 { "+" } else { "" };
                match value {
                    Value::Text(text) => write!(f, "{plus}{kind}={}", escape_value(text))?,
                    Value::Opaque(bytes) => {
                        write!(f, "{plus}{kind}=")?;
                        bytes.iter().try_for_each(|byte| write!(f, "\\{byte:02x}"))?;
                    }
                    Value::Encoded(bytes) => {
                        write!(f, "{plus}{kind}=#")?;
                        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Escapes text so that it is one attribute value of a DN and nothing more (RFC 4514 §2.4).
pub(crate) fn escape_value(text: &str) -> String {
    let last = text.len().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || at == last => escaped.push_str("\\ "),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    escaped.push_str(&format!("\\{byte:02x}"));
                }
            }
            c => escaped.push(c),
        }
    }
    escaped
}
