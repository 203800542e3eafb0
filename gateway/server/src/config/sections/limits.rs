//! `limits` and `timeouts`: bounds on sizes, counts and waiting, each a setting with a safe default.

use std::time::Duration;

use gatewarden_proxy::RequestLimits;

use crate::config::yaml::Section;

/// Bounds on sizes and counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// How much one user and one address may ask for.
    pub requests: RequestLimits,
    /// The header block of a request, in bytes.
    pub header_bytes: usize,
    /// The lines of a header block.
    pub header_count: usize,
    /// The request line's target, in bytes.
    pub uri_bytes: usize,
    /// Groups that one identity may have.
    pub groups: usize,
    /// The rendered identity, in bytes.
    pub identity_bytes: usize,
    /// Streams that one HTTP/2 connection may have open.
    pub streams_per_connection: u32,
}

/// Bounds on waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A client's TLS handshake.
    pub handshake: Duration,
    /// A client's header block.
    pub request_header: Duration,
    /// A connection of a client without a request.
    pub idle: Duration,
    /// The TCP connection to a cluster.
    pub connect: Duration,
    /// A cluster's first answer to a request that is neither watch nor stream.
    pub response_header: Duration,
    /// What may still run after a stop was asked for.
    pub drain: Duration,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

const LIMIT_KEYS: &[&str] = &[
    "headerBytes",
    "headerCount",
    "uriBytes",
    "groups",
    "identityBytes",
    "streamsPerConnection",
    "userRate",
    "userBurst",
    "userInFlight",
    "userLongRunning",
    "sourceRate",
    "sourceBurst",
    "sourceFailureRate",
    "sourceFailureBurst",
];

pub(in crate::config) fn read_limits(file: &Section<'_>) -> Limits {
    let section = file.optional("limits").and_then(|field| field.section(LIMIT_KEYS));
    let count = |key: &str, default: u32, least: u64, most: u64| {
        let read =
            section.as_ref().and_then(|section| section.optional(key)).and_then(|field| field.count(least, most));
        read.and_then(|value| u32::try_from(value).ok()).unwrap_or(default)
    };
    let rate = |key: &str, default: u32| count(key, default, 1, 1_000_000);
    let size = |key: &str, default: usize| rate(key, u32::try_from(default).unwrap_or(u32::MAX)) as usize;
    let usual = RequestLimits::default();
    let requests = RequestLimits {
        user_rate: rate("userRate", usual.user_rate),
        user_burst: rate("userBurst", usual.user_burst),
        user_in_flight: size("userInFlight", usual.user_in_flight),
        user_long_running: size("userLongRunning", usual.user_long_running),
        source_rate: rate("sourceRate", usual.source_rate),
        source_burst: rate("sourceBurst", usual.source_burst),
        source_failure_rate: rate("sourceFailureRate", usual.source_failure_rate),
        source_failure_burst: rate("sourceFailureBurst", usual.source_failure_burst),
        ..usual
    };
    Limits {
        requests,
        header_bytes: count("headerBytes", 65_536, 8_192, 1_048_576) as usize,
        header_count: count("headerCount", 256, 64, 4_096) as usize,
        uri_bytes: count("uriBytes", 16_384, 1_024, 65_536) as usize,
        groups: count("groups", 1_000, 1, 10_000) as usize,
        identity_bytes: count("identityBytes", 65_536, 1_024, 524_288) as usize,
        streams_per_connection: count("streamsPerConnection", 200, 1, 10_000),
    }
}

pub(in crate::config) fn read_timeouts(file: &Section<'_>) -> Timeouts {
    let keys = &["handshake", "requestHeader", "idle", "connect", "responseHeader", "drain"];
    let section = file.optional("timeouts").and_then(|field| field.section(keys));
    let span = |key: &str, default: u64| {
        let read =
            section.as_ref().and_then(|section| section.optional(key)).and_then(|field| field.duration(SECOND, HOUR));
        read.unwrap_or(Duration::from_secs(default))
    };
    Timeouts {
        handshake: span("handshake", 10),
        request_header: span("requestHeader", 10),
        idle: span("idle", 120),
        connect: span("connect", 5),
        response_header: span("responseHeader", 60),
        drain: span("drain", 60),
    }
}
