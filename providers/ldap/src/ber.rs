//! Reads BER without trusting it: definite lengths, single-byte tags, never past the end.
//!
//! LDAP uses a small part of BER (RFC 4511 §5.1), and this reader knows only that part. It never
//! allocates and never recurses, so a length or a nesting that a peer made up costs nothing here.

use thiserror::Error;

/// Universal BOOLEAN.
pub(crate) const BOOLEAN: u8 = 0x01;
/// Universal INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// Universal OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// Universal ENUMERATED.
pub(crate) const ENUMERATED: u8 = 0x0a;
/// Universal SEQUENCE, constructed.
pub(crate) const SEQUENCE: u8 = 0x30;
/// Universal SET, constructed.
pub(crate) const SET: u8 = 0x31;

const CONSTRUCTED: u8 = 0x20;
const MULTI_BYTE_TAG: u8 = 0x1f;
const LONG_LENGTH: u8 = 0x80;

/// Why bytes are not BER as LDAP uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum BerFault {
    /// LDAP has no tag above 30.
    #[error("a tag of more than one byte")]
    MultiByteTag,
    /// RFC 4511 §5.1: only the definite form of length encoding is used.
    #[error("an indefinite length")]
    IndefiniteLength,
    /// Longer than any address space that we serve.
    #[error("a length of more than eight bytes")]
    LengthTooLong,
    /// An element claims more bytes than what holds it has.
    #[error("an element longer than what holds it")]
    Overrun,
    /// A field that must be there is not, or has another type.
    #[error("an element of an unexpected type")]
    Unexpected,
}

/// One element: its tag byte and what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
}

impl<'a> Element<'a> {
    /// Whether the content is itself a run of elements.
    pub(crate) fn is_constructed(&self) -> bool {
        self.tag & CONSTRUCTED != 0
    }

    /// Reads what is inside.
    pub(crate) fn inside(&self) -> Reader<'a> {
        Reader::new(self.content)
    }

    /// The value of an INTEGER or ENUMERATED that is not negative and fits `u32`.
    pub(crate) fn unsigned(&self) -> Result<u32, BerFault> {
        match self.content {
            [first, ..] if self.content.len() <= 4 && *first < 0x80 => {
                Ok(self.content.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
            }
            _ => Err(BerFault::Unexpected),
        }
    }

    /// The content as text.
    pub(crate) fn text(&self) -> Result<&'a str, BerFault> {
        std::str::from_utf8(self.content).map_err(|_| BerFault::Unexpected)
    }
}

/// Walks a run of elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next element, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Element<'a>>, BerFault> {
        let Some(tag) = self.rest.first().copied() else { return Ok(None) };
        let header = header(self.rest)?.ok_or(BerFault::Overrun)?;
        let end = header.bytes.checked_add(header.content).ok_or(BerFault::Overrun)?;
        let content = self.rest.get(header.bytes..end).ok_or(BerFault::Overrun)?;
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok(Some(Element { tag, content }))
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, BerFault> {
        self.next()?.filter(|element| element.tag == tag).ok_or(BerFault::Unexpected)
    }

    /// The next element when it has this tag; otherwise nothing is consumed.
    pub(crate) fn accept(&mut self, tag: u8) -> Result<Option<Element<'a>>, BerFault> {
        if self.rest.first() == Some(&tag) { self.next() } else { Ok(None) }
    }

    /// That nothing is left.
    pub(crate) fn end(self) -> Result<(), BerFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(BerFault::Unexpected) }
    }
}

/// How long an element's header is, and how long it says its content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) bytes: usize,
    pub(crate) content: usize,
}

/// Reads the header at the start of `bytes`; `None` asks for more of them.
pub(crate) fn header(bytes: &[u8]) -> Result<Option<Header>, BerFault> {
    let Some(tag) = bytes.first() else { return Ok(None) };
    if tag & MULTI_BYTE_TAG == MULTI_BYTE_TAG {
        return Err(BerFault::MultiByteTag);
    }
    let Some(first) = bytes.get(1).copied() else { return Ok(None) };
    if first < LONG_LENGTH {
        return Ok(Some(Header { bytes: 2, content: usize::from(first) }));
    }
    let count = usize::from(first ^ LONG_LENGTH);
    match count {
        0 => return Err(BerFault::IndefiniteLength),
        1..=8 => {}
        _ => return Err(BerFault::LengthTooLong),
    }
    let Some(octets) = bytes.get(2..2 + count) else { return Ok(None) };
    let length = octets.iter().fold(0_u64, |length, octet| (length << 8) | u64::from(*octet));
    let content = usize::try_from(length).map_err(|_| BerFault::LengthTooLong)?;
    Ok(Some(Header { bytes: 2 + count, content }))
}

/// Writes one element with a definite length.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < LONG_LENGTH => bytes.push(short),
        _ => {
            let octets = content.len().to_be_bytes();
            let significant: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
            bytes.push(LONG_LENGTH | u8::try_from(significant.len()).unwrap_or(8));
            bytes.extend(significant);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}
