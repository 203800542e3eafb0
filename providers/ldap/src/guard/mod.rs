//! Stands between a directory and the LDAP decoder, and lets only sound messages through.
//!
//! The decoder behind it recurses without a bound (a reply nested 60,000 deep overflows the stack
//! and takes the process down) and panics on replies of a shape that it does not expect. So every
//! message is collected, measured and checked here before the decoder sees its first byte.

#[cfg(any(test, fuzzing))]
mod decode;
mod message;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use crate::ber::{self, BerFault, Reader, SEQUENCE};

#[cfg(any(test, fuzzing))]
pub(crate) use decode::decode;
pub(crate) use message::{Kind, Message};

/// What one message from a directory may look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of one message, its header included.
    pub(crate) message_bytes: usize,
    /// How deep elements may nest; the deepest reply that we ask for nests six deep.
    pub(crate) depth: usize,
    /// Elements of one message, each of which costs the decoder an allocation.
    pub(crate) elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: 4 << 20, depth: 16, elements: 100_000 }
    }
}

/// Why a directory's bytes were not let through. The connection ends; the site's directory is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum GuardFault {
    /// The message starts with something other than a SEQUENCE.
    #[error("something that is not an LDAP message")]
    NotAMessage,
    /// One message is larger than any reply that we ask for.
    #[error("a message of {0} bytes, more than the limit")]
    TooLong(usize),
    /// Nested so deep that only an attack explains it.
    #[error("a message nested too deep")]
    TooDeep,
    /// More elements than any reply that we ask for.
    #[error("a message of too many elements")]
    TooManyElements,
    /// Not BER, or not the fields that the message type has.
    #[error("a malformed message ({0})")]
    Malformed(#[from] BerFault),
    /// A reply to a question that was not asked.
    #[error("a message that nobody asked for")]
    Unasked,
    /// The replies to one question together are larger than we are willing to hold.
    #[error("more data than one request may bring")]
    TooMuch,
}

/// Cuts a byte stream into checked messages.
#[derive(Debug)]
pub(crate) struct Guard {
    limits: Limits,
    pending: BytesMut,
}

impl Guard {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, pending: BytesMut::new() }
    }

    /// Takes bytes as they come, in any chunking.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole, checked message; `None` asks for more bytes.
    ///
    /// A length beyond the limit is refused from the header alone, so a peer cannot make us wait
    /// for, or hold, what we would refuse anyway.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, GuardFault> {
        if self.pending.first().is_some_and(|tag| *tag != SEQUENCE) {
            return Err(GuardFault::NotAMessage);
        }
        let Some(header) = ber::header(&self.pending)? else { return Ok(None) };
        let length = header.bytes.saturating_add(header.content);
        if length > self.limits.message_bytes {
            return Err(GuardFault::TooLong(length));
        }
        if self.pending.len() < length {
            return Ok(None);
        }
        let bytes = self.pending.split_to(length).freeze();
        self.check(bytes).map(Some)
    }

    /// Whether bytes are held that do not make a message yet.
    pub(crate) fn holds_bytes(&self) -> bool {
        !self.pending.is_empty()
    }

    fn check(&self, bytes: Bytes) -> Result<Message, GuardFault> {
        let mut elements = 0;
        measure(Reader::new(&bytes), self.limits.depth, &mut elements, self.limits.elements)?;
        Message::parse(bytes, elements)
    }
}

/// Counts elements and refuses nesting; recursion is bounded by `depth`.
fn measure(mut reader: Reader<'_>, depth: usize, elements: &mut usize, limit: usize) -> Result<(), GuardFault> {
    while let Some(element) = reader.next()? {
        *elements += 1;
        if *elements > limit {
            return Err(GuardFault::TooManyElements);
        }
        if element.is_constructed() {
            let below = depth.checked_sub(1).filter(|below| *below > 0).ok_or(GuardFault::TooDeep)?;
            measure(element.inside(), below, elements, limit)?;
        }
    }
    Ok(())
}
