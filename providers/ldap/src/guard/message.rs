//! The few message types that a client may receive, field by field.

use bytes::Bytes;

use super::GuardFault;
use crate::ber::{BOOLEAN, BerFault, ENUMERATED, Element, INTEGER, OCTET_STRING, Reader, SEQUENCE, SET};

const BIND_RESPONSE: u8 = 0x61;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_RESPONSE: u8 = 0x78;
const CONTROLS: u8 = 0xa0;
const REFERRAL: u8 = 0xa3;
const SASL_CREDENTIALS: u8 = 0x87;
const RESPONSE_NAME: u8 = 0x8a;
const RESPONSE_VALUE: u8 = 0x8b;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The answer to a bind.
    Bind,
    /// One entry that a search found.
    Entry,
    /// The end of a search.
    Done,
    /// A continuation reference: part of the tree lives on another server. Never followed.
    Reference,
    /// The answer to an extended operation, with its result code.
    Extended(u32),
    /// Unsolicited (message id 0): the server is about to disconnect.
    Notice,
}

/// One whole message whose every field is as RFC 4511 §4 says.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    bytes: Bytes,
    kind: Kind,
    elements: usize,
}

impl Message {
    pub(super) fn parse(bytes: Bytes, elements: usize) -> Result<Self, GuardFault> {
        let kind = kind(&bytes)?;
        Ok(Self { bytes, kind, elements })
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What holding the decoded message costs, in bytes, roughly: each element becomes an object.
    pub(crate) fn cost(&self) -> usize {
        self.bytes.len().saturating_add(self.elements.saturating_mul(64))
    }
}

fn kind(bytes: &[u8]) -> Result<Kind, GuardFault> {
    let mut fields = Reader::new(bytes).expect(SEQUENCE)?.inside();
    let id = fields.expect(INTEGER)?.unsigned()?;
    let operation = fields.next()?.ok_or(BerFault::Unexpected)?;
    if id == 0 {
        // Nothing of it is used, and Active Directory's notice is known to be malformed.
        return Ok(Kind::Notice);
    }
    let kind = match operation.tag {
        BIND_RESPONSE => result(operation, &[SASL_CREDENTIALS]).map(|_| Kind::Bind)?,
        SEARCH_ENTRY => entry(operation).map(|()| Kind::Entry)?,
        SEARCH_DONE => result(operation, &[]).map(|_| Kind::Done)?,
        SEARCH_REFERENCE => texts(operation.inside()).map(|()| Kind::Reference)?,
        EXTENDED_RESPONSE => result(operation, &[RESPONSE_NAME, RESPONSE_VALUE]).map(Kind::Extended)?,
        _ => return Err(GuardFault::Unasked),
    };
    if let Some(list) = fields.accept(CONTROLS)? {
        controls(list.inside())?;
    }
    fields.end()?;
    Ok(kind)
}

/// `LDAPResult` and what may follow it; gives the result code.
fn result(operation: Element<'_>, extras: &[u8]) -> Result<u32, BerFault> {
    let mut fields = operation.inside();
    let code = fields.expect(ENUMERATED)?.unsigned()?;
    fields.expect(OCTET_STRING)?.text()?;
    fields.expect(OCTET_STRING)?.text()?;
    if let Some(referral) = fields.accept(REFERRAL)? {
        texts(referral.inside())?;
    }
    for tag in extras {
        if let Some(extra) = fields.accept(*tag)?
            && *tag == RESPONSE_NAME
        {
            extra.text()?;
        }
    }
    fields.end()?;
    Ok(code)
}

fn entry(operation: Element<'_>) -> Result<(), BerFault> {
    let mut fields = operation.inside();
    fields.expect(OCTET_STRING)?.text()?;
    let mut attributes = fields.expect(SEQUENCE)?.inside();
    fields.end()?;
    while let Some(attribute) = attributes.accept(SEQUENCE)? {
        let mut parts = attribute.inside();
        parts.expect(OCTET_STRING)?.text()?;
        let mut values = parts.expect(SET)?.inside();
        parts.end()?;
        while values.accept(OCTET_STRING)?.is_some() {}
        values.end()?;
    }
    attributes.end()
}

fn texts(mut list: Reader<'_>) -> Result<(), BerFault> {
    while let Some(item) = list.accept(OCTET_STRING)? {
        item.text()?;
    }
    list.end()
}

fn controls(mut list: Reader<'_>) -> Result<(), BerFault> {
    while let Some(control) = list.accept(SEQUENCE)? {
        let mut fields = control.inside();
        fields.expect(OCTET_STRING)?.text()?;
        if let Some(criticality) = fields.accept(BOOLEAN)?
            && criticality.content.len() != 1
        {
            return Err(BerFault::Unexpected);
        }
        fields.accept(OCTET_STRING)?;
        fields.end()?;
    }
    list.end()
}
