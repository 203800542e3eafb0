//! RFC 4515 text into a tree.

use super::{Filter, FilterFault, Piece, Value};

const MAX_DEPTH: usize = 16;
const INPUT: &str = "{input}";

/// Reads a filter of the configuration.
pub(crate) fn parse(text: &str) -> Result<Filter, FilterFault> {
    let mut parser = Parser { text, at: 0 };
    let filter = parser.filter(MAX_DEPTH)?;
    if parser.rest().is_empty() { Ok(filter) } else { Err(parser.expected(' ')) }
}

/// Whether text is an attribute name with options, or an OID; nothing else may reach a filter.
pub(crate) fn is_attribute_name(text: &str) -> bool {
    let mut parts = text.split(';');
    let base = parts.next().unwrap_or_default();
    let is_oid =
        base.starts_with(|c: char| c.is_ascii_digit()) && base.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_name = base.starts_with(|c: char| c.is_ascii_alphabetic()) && is_key(base);
    (is_oid || is_name) && text.len() <= 128 && parts.all(|option| !option.is_empty() && is_key(option))
}

fn is_key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn expected(&self, expected: char) -> FilterFault {
        let before = self.text.get(..self.at).unwrap_or_default();
        FilterFault::Expected { expected, at: before.chars().count() + 1 }
    }

    fn take(&mut self, c: char) -> Result<(), FilterFault> {
        if !self.rest().starts_with(c) {
            return Err(self.expected(c));
        }
        self.at += c.len_utf8();
        Ok(())
    }

    fn filter(&mut self, depth: usize) -> Result<Filter, FilterFault> {
        let below = depth.checked_sub(1).ok_or(FilterFault::TooDeep)?;
        self.take('(')?;
        let filter = match self.rest().chars().next() {
            Some('&') => Filter::And(self.list(below)?),
            Some('|') => Filter::Or(self.list(below)?),
            Some('!') => {
                self.at += 1;
                let inner = self.filter(below)?;
                if inner.takes_input() {
                    return Err(FilterFault::NegatedInput);
                }
                Filter::Not(Box::new(inner))
            }
            _ => self.item()?,
        };
        self.take(')')?;
        Ok(filter)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Filter>, FilterFault> {
        self.at += 1;
        let mut list = Vec::new();
        while self.rest().starts_with('(') {
            list.push(self.filter(depth)?);
        }
        if list.is_empty() { Err(self.expected('(')) } else { Ok(list) }
    }

    fn item(&mut self) -> Result<Filter, FilterFault> {
        let rest = self.rest();
        let end = rest.find([')', '(']).ok_or_else(|| self.expected(')'))?;
        let item = rest.get(..end).unwrap_or_default();
        let (left, value) = item.split_once('=').ok_or_else(|| self.expected('='))?;
        self.at += end;
        comparison(left, value)
    }
}

fn comparison(left: &str, value: &str) -> Result<Filter, FilterFault> {
    if let Some(head) = left.strip_suffix(':') {
        let (attribute, rule) = head.find(':').map_or((head, ""), |at| head.split_at(at));
        let rule_is_sound = rule.split(':').skip(1).all(is_attribute_name);
        if !rule_is_sound {
            return Err(FilterFault::BadAttribute(head.to_owned()));
        }
        return Ok(Filter::Extensible { attribute: name(attribute)?, rule: rule.to_owned(), value: pieces(value)? });
    }
    for (suffix, operator) in [(">", ">="), ("<", "<="), ("~", "~=")] {
        if let Some(attribute) = left.strip_suffix(suffix) {
            return Ok(Filter::Compare(name(attribute)?, operator, pieces(value)?));
        }
    }
    let attribute = name(left)?;
    if value == "*" {
        return Ok(Filter::Present(attribute));
    }
    let mut parts = value.split('*').map(pieces).collect::<Result<Vec<_>, _>>()?;
    Ok(match parts.len() {
        1 => Filter::Compare(attribute, "=", parts.pop().unwrap_or_default()),
        _ => Filter::Substrings(attribute, parts),
    })
}

fn name(text: &str) -> Result<String, FilterFault> {
    if is_attribute_name(text) { Ok(text.to_owned()) } else { Err(FilterFault::BadAttribute(text.to_owned())) }
}

fn pieces(text: &str) -> Result<Value, FilterFault> {
    let mut pieces = Vec::new();
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(INPUT) {
            if !bytes.is_empty() {
                pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
            }
            pieces.push(Piece::Input);
            rest = after;
        } else if c == '{' {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            return Err(FilterFault::UnknownPlaceholder(rest.get(..end).unwrap_or_default().to_owned()));
        } else if let Some(after) = rest.strip_prefix('\\') {
            let digits = after
                .get(..2)
                .filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))
                .ok_or(FilterFault::BadEscape)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| FilterFault::BadEscape)?);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.extend_from_slice(c.to_string().as_bytes());
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    if !bytes.is_empty() {
        pieces.push(Piece::Bytes(bytes));
    }
    Ok(Value(pieces))
}
