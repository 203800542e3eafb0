//! How much a worker holds open towards one cluster, and how long it waits.

use std::time::Duration;

/// Bounds of the connections to clusters; each worker has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// HTTP/2 connections to one endpoint, for short requests and again for long-running ones.
    pub connections: usize,
    /// HTTP/1.1 connections to one endpoint, where the server speaks nothing newer, and for upgrades.
    pub http1_connections: usize,
    /// Requests at once on one HTTP/2 connection, where the server allows as many.
    pub streams: u32,
    /// Response bytes that may arrive before the client takes them, for each stream.
    ///
    /// The window of a connection is `streams` times this, always: a smaller one would let a few clients that read
    /// slowly stop all others on that connection.
    pub stream_window: u32,
    /// Request bytes held for each stream whose server reads slowly.
    pub send_buffer: usize,
    /// Bytes of a response's head.
    pub head_bytes: u32,
    /// For a TCP connection to be made.
    pub dial: Duration,
    /// For its TLS handshake.
    pub handshake: Duration,
    /// A connection without requests closes after this time.
    pub idle: Duration,
    /// Between two pings on a silent HTTP/2 connection.
    pub ping_interval: Duration,
    /// For the answer to such a ping; without one the connection is dead.
    pub ping: Duration,
    /// Ends a terminal or port-forward on which nothing moves for so long. Never, by default.
    pub tunnel_idle: Option<Duration>,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            connections: 16,
            http1_connections: 512,
            streams: 100,
            stream_window: 256 * 1024,
            send_buffer: 256 * 1024,
            head_bytes: 128 * 1024,
            dial: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(90),
            ping_interval: Duration::from_secs(30),
            ping: Duration::from_secs(15),
            tunnel_idle: None,
        }
    }
}

impl PoolSettings {
    /// The window of one connection: room for every stream's own.
    pub(super) fn connection_window(&self) -> u32 {
        // HTTP/2 allows no window beyond 2^31 - 1.
        self.streams.saturating_mul(self.stream_window).min(i32::MAX as u32)
    }
}
