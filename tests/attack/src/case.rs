//! One attack as data.

/// One attack.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its id: the letter is the area, the number only tells cases apart.
    pub id: &'static str,
    /// What is tried, in a few words.
    pub what: &'static str,
    /// What the client sends.
    pub stimulus: Stimulus,
    /// What it must get.
    pub expected: Expected,
    /// What the cluster may see of it.
    pub upstream: Upstream,
}

/// A header line: its name, and its value in bytes.
pub type Line = (&'static str, &'static [u8]);

/// HTTP/2 header fields as a case writes them: `{T}` is Alice's token and `{H}` the gateway's host.
pub type Fields = &'static [(&'static str, &'static str)];

/// A field as it goes over the wire, or as it arrived.
pub(crate) type Field = (String, Vec<u8>);

/// What a client sends.
#[derive(Debug, Clone, Copy)]
pub enum Stimulus {
    /// Alice's `GET` of her pods with these header lines added, as the protocol at hand writes them.
    Lines(&'static [Line]),
    /// Alice's `GET` of this target.
    Target(&'static str),
    /// Alice's `GET` of her pods over HTTP/1.1 with these `Connection` lines, in Latin-1.
    Connection(&'static str),
    /// These bytes on an HTTP/1.1 connection; `{T}` is Alice's token and `{H}` the gateway's host.
    Raw(&'static str),
    /// A request of these HTTP/2 header fields alone, pseudo-header fields included, in this order.
    Fields(Fields),
    /// Alice's HTTP/2 `GET` of her pods with these fields more, or with these values for those that it has; then these
    /// DATA frames, and the end.
    Frames(Fields, &'static [&'static str], End),
    /// Alice's `GET` of her pods with so many headers more, with values of so many bytes.
    Bulk(usize, usize),
    /// This person's `GET` of Alice's pods.
    Person(&'static Person),
}

/// How a request over HTTP/2 ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// With its last frame.
    Here,
    /// With these trailers.
    Trailers(Fields),
    /// Not at all: more is announced and never comes.
    Never,
}

/// Somebody whom a provider knows, and the mapping of that provider.
#[derive(Debug)]
pub struct Person {
    /// The `mapping:` of the provider, as JSON.
    pub mapping: &'static str,
    /// What they log in with.
    pub login: &'static str,
    /// The provider's names of their groups.
    pub groups: &'static [&'static str],
    /// Further facts that the provider gives.
    pub extra: &'static [(&'static str, &'static str)],
}

/// What the client must get.
#[derive(Debug, Clone, Copy)]
pub enum Expected {
    /// This status; a refusal says why, as its surface does.
    Status(u16),
    /// One of these; a refusal says why, as its surface does.
    OneOf(&'static [u16]),
    /// No answer at all: the stream or the connection ends.
    Broken,
    /// Either of a refusal (400, 431, 501 …) and a broken stream.
    RefusedOrBroken,
}

/// What the cluster may see.
#[derive(Debug, Clone, Copy)]
pub enum Upstream {
    /// Nothing but the gateway's own questions.
    Nothing,
    /// Nothing, and no question of the gateway's whether the caller may act as another.
    NotEvenAsked,
    /// One request as Alice, for which all of these hold.
    Alice(&'static [Seen]),
    /// One request as this user, for which all of these hold.
    As(&'static str, &'static [Seen]),
    /// Nothing, or one request as Alice.
    AtMostAlice,
    /// One request, for which all of these hold.
    One(&'static [Seen]),
}

/// One thing about a request that arrived.
#[derive(Debug, Clone, Copy)]
pub enum Seen {
    /// No header of this name.
    Lacks(&'static str),
    /// Exactly one header of this name, with this value.
    Has(&'static str, &'static [u8]),
    /// Exactly these values of this name, in this order.
    All(&'static str, &'static [&'static [u8]]),
    /// This many headers of this name.
    Count(&'static str, usize),
    /// This target, byte for byte.
    Target(&'static str),
}

/// The protocol of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    H1,
    /// HTTP/2.
    H2,
}

impl Protocol {
    /// Its ALPN name.
    #[must_use]
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Self::H1 => b"http/1.1",
            Self::H2 => b"h2",
        }
    }
}

impl Stimulus {
    /// Whether it can be sent over this protocol.
    #[must_use]
    pub const fn fits(self, protocol: Protocol) -> bool {
        match self {
            Self::Lines(_) | Self::Target(_) | Self::Person(_) | Self::Bulk(..) => true,
            Self::Raw(_) | Self::Connection(_) => matches!(protocol, Protocol::H1),
            Self::Fields(_) | Self::Frames(..) => matches!(protocol, Protocol::H2),
        }
    }
}
