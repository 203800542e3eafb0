//! RFC 4514 text into RDNs.

use std::iter::Peekable;
use std::str::Bytes;

use super::{DnFault, Rdn, Value};
use crate::ber::Reader;

const MAX_BYTES: usize = 8_192;

/// Attribute types that directories write in more than one way.
const SHORT_NAMES: [(&str, &str); 16] = [
    ("2.5.4.3", "cn"),
    ("2.5.4.4", "sn"),
    ("2.5.4.6", "c"),
    ("2.5.4.7", "l"),
    ("2.5.4.8", "st"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "o"),
    ("2.5.4.11", "ou"),
    ("0.9.2342.19200300.100.1.1", "uid"),
    ("0.9.2342.19200300.100.1.25", "dc"),
    ("commonname", "cn"),
    ("surname", "sn"),
    ("organizationname", "o"),
    ("organizationalunitname", "ou"),
    ("userid", "uid"),
    ("domaincomponent", "dc"),
];

pub(super) fn dn(text: &str) -> Result<Vec<Rdn>, DnFault> {
    if text.len() > MAX_BYTES {
        return Err(DnFault::TooLong);
    }
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut input = text.bytes().peekable();
    let mut rdns = Vec::new();
    let mut rdn = Rdn::new();
    loop {
        let kind = attribute_type(&mut input)?;
        let part = attribute_value(&mut input)?;
        rdn.push((kind, part.value));
        if part.separator == Some(b'+') {
            continue;
        }
        rdn.sort();
        rdns.push(std::mem::take(&mut rdn));
        if part.separator.is_none() {
            return Ok(rdns);
        }
    }
}

fn attribute_type(input: &mut Peekable<Bytes<'_>>) -> Result<String, DnFault> {
    let mut name = String::new();
    loop {
        match input.next().ok_or(DnFault::NoEquals)? {
            b'=' => break,
            byte @ (b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b' ') => {
                name.push(char::from(byte.to_ascii_lowercase()));
            }
            _ => return Err(DnFault::BadType),
        }
    }
    let name = name.trim();
    let name = name.strip_prefix("oid.").filter(|rest| is_oid(rest)).unwrap_or(name);
    if !is_oid(name) && !is_descriptor(name) {
        return Err(DnFault::BadType);
    }
    let short = SHORT_NAMES.iter().find(|(long, _)| *long == name).map_or(name, |(_, short)| short);
    Ok(short.to_owned())
}

/// `numericoid` of RFC 4512 §1.4, without its rule on leading zeros.
fn is_oid(name: &str) -> bool {
    name.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `keystring` of RFC 4512 §1.4.
fn is_descriptor(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A value, and the separator that ended it.
struct Part {
    value: Value,
    separator: Option<u8>,
}

fn attribute_value(input: &mut Peekable<Bytes<'_>>) -> Result<Part, DnFault> {
    while input.next_if_eq(&b' ').is_some() {}
    if input.next_if_eq(&b'#').is_some() {
        return hex_value(input);
    }
    let mut bytes = Vec::new();
    let separator = loop {
        match input.next() {
            None => break None,
            Some(separator @ (b',' | b';' | b'+')) => break Some(separator),
            Some(b'\\') => bytes.push(escaped(input)?),
            Some(b'"' | b'<' | b'>' | 0) => return Err(DnFault::Unescaped),
            Some(byte) => bytes.push(byte),
        }
    };
    Ok(Part { value: folded(bytes), separator })
}

fn escaped(input: &mut Peekable<Bytes<'_>>) -> Result<u8, DnFault> {
    let first = input.next().ok_or(DnFault::BadEscape)?;
    if let Some(high) = hex_digit(first) {
        let low = input.next().and_then(hex_digit).ok_or(DnFault::BadEscape)?;
        return Ok((high << 4) | low);
    }
    match first {
        b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\' => Ok(first),
        _ => Err(DnFault::BadEscape),
    }
}

/// `#` and the BER of the value; a string of a known type is the same name as its plain spelling.
fn hex_value(input: &mut Peekable<Bytes<'_>>) -> Result<Part, DnFault> {
    const STRINGS: [u8; 5] = [0x04, 0x0c, 0x13, 0x14, 0x16];
    let mut bytes = Vec::new();
    let separator = loop {
        match input.next() {
            None => break None,
            Some(separator @ (b',' | b';' | b'+')) => break Some(separator),
            Some(b' ') => {}
            Some(digit) => {
                let high = hex_digit(digit).ok_or(DnFault::BadEscape)?;
                let low = input.next().and_then(hex_digit).ok_or(DnFault::BadEscape)?;
                bytes.push((high << 4) | low);
            }
        }
    };
    let string = match Reader::new(&bytes).next() {
        Ok(Some(element)) if STRINGS.contains(&element.tag) => Some(element.content.to_vec()),
        _ => None,
    };
    Ok(Part { value: string.map_or(Value::Encoded(bytes), folded), separator })
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Case and insignificant spaces removed (RFC 4518 §2.6.1, for what directories put into names).
fn folded(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => {
            let lower = text.to_lowercase();
            Value::Text(lower.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        Err(error) => Value::Opaque(error.into_bytes()),
    }
}
