//! `limits` and `timeouts`: bounds on sizes, counts and waiting, each a setting with a safe default.
//!
//! The defaults stand with the parts that obey them; this file only names what an operator may change, and how far.

use std::time::Duration;

use auth_core::MappingLimits;
use gatewarden_proxy::{Limits as ListenerLimits, PoolSettings, RequestLimits, Timeouts as ListenerTimeouts};

use crate::config::yaml::{Field, Section};

/// Bounds on sizes, counts and waiting.
#[derive(Clone, Debug, Default, PartialEq)]
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
}

pub(in crate::config) const LIMITS: &[&str] = &[
    "connections",
    "connectionsPerSource",
    "handshakes",
    "handshakesPerSource",
    "streamsPerConnection",
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
    "groups",
    "identityBytes",
];
pub(in crate::config) const TIMEOUTS: &[&str] = &[
    "handshake",
    "requestHeader",
    "idle",
    "connectionAge",
    "drain",
    "drainWatches",
    "response",
    "clusterConnect",
    "clusterHandshake",
    "clusterIdle",
    "tunnelIdle",
];

pub(in crate::config) fn read(file: &Section<'_>) -> Limits {
    let mut limits = Limits::default();
    if let Some(section) = file.optional("limits").and_then(|field| field.section(LIMITS)) {
        counts(&Settings(section), &mut limits);
    }
    if let Some(section) = file.optional("timeouts").and_then(|field| field.section(TIMEOUTS)) {
        spans(&Settings(section), &mut limits);
    }
    limits
}

fn counts(settings: &Settings<'_>, limits: &mut Limits) {
    let listener = &mut limits.listener;
    settings.size("connections", &mut listener.connections, 1_000_000);
    settings.size("connectionsPerSource", &mut listener.connections_per_source, 1_000_000);
    settings.size("handshakes", &mut listener.handshakes, 100_000);
    settings.size("handshakesPerSource", &mut listener.handshakes_per_source, 100_000);
    settings.count("streamsPerConnection", &mut listener.streams, 10_000);
    let requests = &mut limits.requests;
    settings.count("userRate", &mut requests.user_rate, 1_000_000);
    settings.count("userBurst", &mut requests.user_burst, 1_000_000);
    settings.size("userInFlight", &mut requests.user_in_flight, 1_000_000);
    settings.size("userLongRunning", &mut requests.user_long_running, 1_000_000);
    settings.size("userUpgrades", &mut requests.user_upgrades, 1_000_000);
    settings.count("sourceRate", &mut requests.source_rate, 1_000_000);
    settings.count("sourceBurst", &mut requests.source_burst, 1_000_000);
    settings.count("sourceFailureRate", &mut requests.source_failure_rate, 100_000);
    settings.count("sourceFailureBurst", &mut requests.source_failure_burst, 100_000);
    settings.size("clusterConnections", &mut limits.pool.connections, 1_024);
    settings.count("clusterStreams", &mut limits.pool.streams, 1_000);
    // More groups than these do not fit into the header block that a cluster accepts.
    settings.size("groups", &mut limits.identity.groups, 10_000);
    settings.size("identityBytes", &mut limits.identity.bytes, 512 * 1024);
}

fn spans(settings: &Settings<'_>, limits: &mut Limits) {
    let timeouts = &mut limits.timeouts;
    settings.span("handshake", &mut timeouts.handshake);
    settings.span("requestHeader", &mut timeouts.head);
    settings.span("idle", &mut timeouts.idle);
    settings.maybe("connectionAge", &mut timeouts.connection_age);
    settings.span("drain", &mut timeouts.drain);
    settings.span("drainWatches", &mut timeouts.drain_watches);
    settings.span("response", &mut limits.requests.response_timeout);
    settings.span("clusterConnect", &mut limits.pool.dial);
    settings.span("clusterHandshake", &mut limits.pool.handshake);
    settings.span("clusterIdle", &mut limits.pool.idle);
    settings.maybe("tunnelIdle", &mut limits.pool.tunnel_idle);
}

/// A section whose keys each replace one default.
struct Settings<'a>(Section<'a>);

impl Settings<'_> {
    fn count(&self, key: &str, setting: &mut u32, most: u32) {
        let read = self.0.optional(key).and_then(|field| field.count(1, u64::from(most)));
        *setting = read.and_then(|count| u32::try_from(count).ok()).unwrap_or(*setting);
    }

    fn size(&self, key: &str, setting: &mut usize, most: u32) {
        let read = self.0.optional(key).and_then(|field| field.count(1, u64::from(most)));
        *setting = read.and_then(|count| usize::try_from(count).ok()).unwrap_or(*setting);
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
