//! `limits` and `timeouts`: bounds on sizes, counts and waiting, each a setting with a safe default.
//!
//! The defaults stand with the parts that obey them; this file only names what an operator may change, and how far.

use std::ops::RangeInclusive;
use std::time::Duration;

use auth_core::MappingLimits;
use gatewarden_control::Settings as ControlSettings;
use gatewarden_proxy::{Limits as ListenerLimits, PoolSettings, RequestLimits, Timeouts as ListenerTimeouts};

use crate::config::yaml::{Field, Section};

/// Bounds on sizes, counts and waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// What clients may hold open.
    pub listener: ListenerLimits,
    /// How long clients may take.
    pub timeouts: ListenerTimeouts,
    /// What one user and one address may ask for.
    pub requests: RequestLimits,
    /// What is held open towards a cluster.
    pub pool: PoolSettings,
    /// How much identity one person may have.
    pub identity: MappingLimits,
    /// How long a provider may take to answer.
    pub provider: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            listener: ListenerLimits::default(),
            timeouts: ListenerTimeouts::default(),
            requests: RequestLimits::default(),
            pool: PoolSettings::default(),
            identity: MappingLimits::default(),
            provider: ControlSettings::default().provider_deadline,
        }
    }
}

pub(in crate::config) const LIMITS: &[&str] = &[
    "connections",
    "connectionsPerSource",
    "handshakes",
    "handshakesPerSource",
    "streamsPerConnection",
    "headerBytes",
    "headerLines",
    "uriBytes",
    "streamWindowBytes",
    "connectionWindowBytes",
    "streamBufferBytes",
    "pendingResets",
    "errorResets",
    "userRate",
    "userBurst",
    "userInFlight",
    "userLongRunning",
    "userUpgrades",
    "sourceRate",
    "sourceBurst",
    "sourceFailureRate",
    "sourceFailureBurst",
    "clusterConnections",
    "clusterStreams",
    "clusterHttp1Connections",
    "clusterHeaderBytes",
    "clusterStreamWindowBytes",
    "clusterStreamBufferBytes",
    "groups",
    "identityBytes",
];
pub(in crate::config) const TIMEOUTS: &[&str] = &[
    "handshake",
    "requestHeader",
    "idle",
    "pingInterval",
    "pingAnswer",
    "connectionAge",
    "drain",
    "drainWatches",
    "response",
    "clusterConnect",
    "clusterHandshake",
    "clusterIdle",
    "clusterPingInterval",
    "clusterPingAnswer",
    "provider",
    "tunnelIdle",
];

pub(in crate::config) fn read(file: &Section<'_>) -> Limits {
    let mut limits = Limits::default();
    if let Some(section) = file.optional("limits").and_then(|field| field.section(LIMITS)) {
        let settings = Settings(section);
        listener(&settings, &mut limits.listener);
        requests(&settings, &mut limits.requests);
        pool(&settings, &mut limits.pool);
        // More groups than these do not fit into the header block that a cluster accepts.
        settings.count("groups", &mut limits.identity.groups, 10_000);
        settings.count("identityBytes", &mut limits.identity.bytes, 512 * 1024);
        limits.listener = limits.listener.reading_heads_of(&limits.requests);
    }
    if let Some(section) = file.optional("timeouts").and_then(|field| field.section(TIMEOUTS)) {
        spans(&Settings(section), &mut limits);
    }
    limits
}

fn listener(settings: &Settings<'_>, limits: &mut ListenerLimits) {
    settings.count("connections", &mut limits.connections, 1_000_000);
    settings.count("connectionsPerSource", &mut limits.connections_per_source, 1_000_000);
    settings.count("handshakes", &mut limits.handshakes, 100_000);
    settings.count("handshakesPerSource", &mut limits.handshakes_per_source, 100_000);
    settings.count("streamsPerConnection", &mut limits.streams, 10_000);
    settings.within("streamWindowBytes", &mut limits.stream_window, WINDOW);
    settings.within("connectionWindowBytes", &mut limits.connection_window, 64 * 1024..=256 * 1024 * 1024);
    settings.within("streamBufferBytes", &mut limits.send_buffer, WINDOW);
    settings.count("pendingResets", &mut limits.pending_resets, 10_000);
    settings.count("errorResets", &mut limits.error_resets, 10_000);
}

fn requests(settings: &Settings<'_>, limits: &mut RequestLimits) {
    // A browser's own headers and a token take some 4 KiB.
    settings.within("headerBytes", &mut limits.header_bytes, 4 * 1024..=1024 * 1024);
    settings.within("headerLines", &mut limits.header_lines, 32..=4_096);
    // The HTTP library takes no target beyond 64 KiB.
    settings.within("uriBytes", &mut limits.uri_bytes, 1024..=32 * 1024);
    settings.count("userRate", &mut limits.user_rate, 1_000_000);
    settings.count("userBurst", &mut limits.user_burst, 1_000_000);
    settings.count("userInFlight", &mut limits.user_in_flight, 1_000_000);
    settings.count("userLongRunning", &mut limits.user_long_running, 1_000_000);
    settings.count("userUpgrades", &mut limits.user_upgrades, 1_000_000);
    settings.count("sourceRate", &mut limits.source_rate, 1_000_000);
    settings.count("sourceBurst", &mut limits.source_burst, 1_000_000);
    settings.count("sourceFailureRate", &mut limits.source_failure_rate, 100_000);
    settings.count("sourceFailureBurst", &mut limits.source_failure_burst, 100_000);
}

fn pool(settings: &Settings<'_>, pool: &mut PoolSettings) {
    settings.count("clusterConnections", &mut pool.connections, 1_024);
    settings.count("clusterStreams", &mut pool.streams, 1_000);
    settings.count("clusterHttp1Connections", &mut pool.http1_connections, 10_000);
    // The HTTP library reads no less.
    settings.within("clusterHeaderBytes", &mut pool.head_bytes, 8 * 1024..=1024 * 1024);
    settings.within("clusterStreamWindowBytes", &mut pool.stream_window, WINDOW);
    settings.within("clusterStreamBufferBytes", &mut pool.send_buffer, WINDOW);
}

/// One frame of HTTP/2 takes up to 16 KiB.
const WINDOW: RangeInclusive<u32> = 16 * 1024..=16 * 1024 * 1024;

fn spans(settings: &Settings<'_>, limits: &mut Limits) {
    let timeouts = &mut limits.timeouts;
    settings.span("handshake", &mut timeouts.handshake);
    settings.span("requestHeader", &mut timeouts.head);
    settings.span("idle", &mut timeouts.idle);
    settings.span("pingInterval", &mut timeouts.ping_interval);
    settings.span("pingAnswer", &mut timeouts.ping);
    settings.maybe("connectionAge", &mut timeouts.connection_age);
    settings.span("drain", &mut timeouts.drain);
    settings.span("drainWatches", &mut timeouts.drain_watches);
    settings.span("response", &mut limits.requests.response_timeout);
    settings.span("clusterConnect", &mut limits.pool.dial);
    settings.span("clusterHandshake", &mut limits.pool.handshake);
    settings.span("clusterIdle", &mut limits.pool.idle);
    settings.span("clusterPingInterval", &mut limits.pool.ping_interval);
    settings.span("clusterPingAnswer", &mut limits.pool.ping);
    settings.span("provider", &mut limits.provider);
    settings.maybe("tunnelIdle", &mut limits.pool.tunnel_idle);
}

/// A section whose keys each replace one default.
struct Settings<'a>(Section<'a>);

impl Settings<'_> {
    fn count<T: TryFrom<u64> + Copy>(&self, key: &str, setting: &mut T, most: u32) {
        self.within(key, setting, 1..=most);
    }

    fn within<T: TryFrom<u64> + Copy>(&self, key: &str, setting: &mut T, bounds: RangeInclusive<u32>) {
        let (least, most) = (u64::from(*bounds.start()), u64::from(*bounds.end()));
        let read = self.0.optional(key).and_then(|field| field.count(least, most));
        *setting = read.and_then(|count| T::try_from(count).ok()).unwrap_or(*setting);
    }

    fn span(&self, key: &str, setting: &mut Duration) {
        *setting = self.0.optional(key).and_then(|field| bounded(&field)).unwrap_or(*setting);
    }

    fn maybe(&self, key: &str, setting: &mut Option<Duration>) {
        *setting = self.0.optional(key).and_then(|field| bounded(&field)).or(*setting);
    }
}

fn bounded(field: &Field<'_>) -> Option<Duration> {
    field.duration(Duration::from_millis(100), Duration::from_hours(24))
}
