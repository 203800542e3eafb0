//! What one listener takes on, and how long it waits: every bound in one place, each with a safe default.

use std::time::Duration;

use crate::boundary::RequestLimits;

/// How much clients may hold open or send at once.
///
/// Header limits come from those of requests, see [`Limits::reading_heads_of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones are closed on arrival.
    pub connections: usize,
    /// Connections at once from one address (one /64 in IPv6). A load balancer that hides its clients counts as one.
    pub connections_per_source: usize,
    /// TLS handshakes at once: they cost the most and come before any credential.
    pub handshakes: usize,
    /// TLS handshakes at once from one address.
    pub handshakes_per_source: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// Bytes of a request's head.
    pub head_bytes: u32,
    /// Header lines of an HTTP/1.1 request.
    pub head_lines: usize,
    /// Bytes of a request's body that may arrive before somebody wants them, for each HTTP/2 stream.
    pub stream_window: u32,
    /// The same for a whole HTTP/2 connection.
    pub connection_window: u32,
    /// Response bytes held for each HTTP/2 stream whose client reads slowly.
    pub send_buffer: usize,
    /// Streams that a client may open and reset before we accept them, in the manner of "rapid reset".
    pub pending_resets: usize,
    /// Streams that a client may make us reset by its own errors, in the manner of "made you reset".
    pub error_resets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = Self {
            connections: 20_000,
            connections_per_source: 5_000,
            handshakes: 2_048,
            handshakes_per_source: 512,
            streams: 250,
            head_bytes: 0,
            head_lines: 0,
            stream_window: 256 * 1024,
            connection_window: 4 * 1024 * 1024,
            send_buffer: 256 * 1024,
            pending_resets: 20,
            error_resets: 100,
        };
        limits.reading_heads_of(&RequestLimits::default())
    }
}

impl Limits {
    /// Reads heads of twice the size that requests may have, so that one which is a little too large gets our own answer,
    /// with a reason, and only a hostile one gets the HTTP library's bare status.
    #[must_use]
    pub fn reading_heads_of(self, requests: &RequestLimits) -> Self {
        // In HTTP/1.1 the target lies in the same buffer: twice the larger one holds both.
        let bytes = requests.header_bytes.max(requests.uri_bytes).saturating_mul(2);
        let lines = usize::try_from(requests.header_lines).unwrap_or(usize::MAX).saturating_mul(2);
        // hyper panics when it is told to read less.
        Self { head_bytes: bytes.max(8 * 1024), head_lines: lines, ..self }
    }
}

/// How long the listener waits for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For a TLS handshake to end.
    pub handshake: Duration,
    /// For the head of a request to arrive, counted from its first byte.
    pub head: Duration,
    /// For the next request on a connection that carries none. HTTP/2 may wait for up to twice as long.
    pub idle: Duration,
    /// Between two pings on a silent HTTP/2 connection.
    pub ping_interval: Duration,
    /// For the answer to such a ping; without one the client is gone.
    pub ping: Duration,
    /// After this age, give or take a tenth, a connection is asked to end, so that clients spread over new replicas.
    pub connection_age: Option<Duration>,
    /// When draining: for requests, logs and terminals to end by themselves. What is left then is cut.
    pub drain: Duration,
    /// When draining: the span over which watches end, so that their clients do not all come back at once.
    pub drain_watches: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            ping_interval: Duration::from_secs(30),
            ping: Duration::from_secs(15),
            connection_age: None,
            drain: Duration::from_secs(60),
            drain_watches: Duration::from_secs(30),
        }
    }
}
