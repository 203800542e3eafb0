//! How much one user and one address may ask for, and how large one request's head may be.

use std::time::Duration;

/// How much one user and one address may ask for.
///
/// The defaults let one kubectl's discovery burst (some forty parallel requests) and a dashboard pass unnoticed.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestLimits {
    /// Requests a second of one user, over time.
    pub user_rate: u32,
    /// Requests that one user may save up for a burst.
    pub user_burst: u32,
    /// Short requests of one user at once.
    pub user_in_flight: usize,
    /// Watches and logs of one user at once. Fewer than one worker's places at a cluster, so that some are left.
    pub user_long_running: usize,
    /// Terminals and port-forwards of one user at once. Far fewer than the connections for all users.
    pub user_upgrades: usize,
    /// Requests a second of one address, over time. Large offices share one.
    pub source_rate: u32,
    /// Requests that one address may save up for a burst.
    pub source_burst: u32,
    /// Refused credentials and logins a second of one address, over time; and as many other public requests.
    pub source_failure_rate: u32,
    /// Refused credentials and logins that one address may save up; and as many other public requests.
    pub source_failure_burst: u32,
    /// Bytes of a request's header lines. The listener stops reading at twice as many.
    pub header_bytes: u32,
    /// Header lines of a request. Enough for `kubectl --as` with 150 groups.
    pub header_lines: u32,
    /// Bytes of a request's path and query.
    pub uri_bytes: u32,
    /// How long a cluster may take to begin its answer to a short request.
    pub response_timeout: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            user_rate: 400,
            user_burst: 2_000,
            user_in_flight: 400,
            user_long_running: 1_000,
            user_upgrades: 100,
            source_rate: 5_000,
            source_burst: 20_000,
            source_failure_rate: 10,
            source_failure_burst: 200,
            header_bytes: 64 * 1024,
            header_lines: 256,
            uri_bytes: 16 * 1024,
            response_timeout: Duration::from_secs(60),
        }
    }
}
