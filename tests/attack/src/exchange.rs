//! One exchange as data: what a client asks, what the cluster answers, also wrongly, and what the client may see of it.

use crate::case::Protocol;

/// One exchange.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// Its id.
    pub id: &'static str,
    /// What is tried, in a few words.
    pub what: &'static str,
    /// What the client asks.
    pub ask: Ask,
    /// What the cluster answers.
    pub answer: Answer,
    /// What the client sees.
    pub told: Told,
}

/// What a client asks as Alice.
#[derive(Debug, Clone, Copy)]
pub enum Ask {
    /// With this method, for her pods.
    Plain(&'static str),
    /// With this method, for a terminal, with these header lines; the bytes follow at once.
    Upgrade(&'static str, &'static str, &'static str),
}

/// What the cluster answers.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// Over HTTP/1.1: these bytes.
    pub http1: &'static str,
    /// These bytes so many times before.
    pub before: (&'static str, usize),
    /// Over HTTP/2, where it can be said there.
    pub http2: Option<Http2>,
    /// What the cluster does then.
    pub then: Then,
}

/// An answer over HTTP/2.
#[derive(Debug, Clone, Copy)]
pub struct Http2 {
    /// The status.
    pub status: u16,
    /// Header fields.
    pub fields: &'static [(&'static str, &'static str)],
    /// What the body holds; `None` for a stream that ends with its headers.
    pub body: Option<&'static str>,
}

/// What the cluster does behind its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It reads the next request.
    Goes,
    /// It closes, or resets the stream.
    Closes,
    /// It reads what a tunnel carries.
    Tunnels,
}

/// What the client sees.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    /// A whole answer with this status, these facts of its headers and this body.
    Whole(u16, &'static [Header], &'static str),
    /// An answer of the gateway's own with this status.
    Refused(u16),
    /// An answer with this status that ends so that nobody takes it for a whole one; or 502, where the break is seen first.
    Cut(u16),
    /// A 101 and then these bytes; the cluster got those that the client sent.
    Tunnel(&'static str),
}

/// One thing about the headers of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Header {
    /// Exactly one of this name with this value.
    Is(&'static str, &'static str),
    /// Exactly one of this name.
    Once(&'static str),
    /// None of this name.
    None(&'static str),
}

impl Exchange {
    /// Why it cannot be tried on this pair.
    #[must_use]
    pub const fn misfit(&self, down: Protocol, up: Protocol) -> Option<&'static str> {
        match (self.ask, down, up) {
            (Ask::Upgrade(..), Protocol::H2, _) => Some("cannot be written in this protocol"),
            (Ask::Plain(_), _, Protocol::H2) if self.answer.http2.is_none() => {
                Some("cannot be answered in this protocol")
            }
            _ => None,
        }
    }
}
