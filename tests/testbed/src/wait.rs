//! Waiting for something outside to become true, never longer than a limit.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a server may take to answer on a busy machine.
pub const START: Duration = Duration::from_secs(120);

/// Asks again and again until `attempt` yields something.
///
/// # Errors
/// When `attempt` itself fails (waiting longer is useless), or when the limit is over.
pub fn until<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt()? {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("{what}: not after {} s", limit.as_secs());
        }
        sleep(Duration::from_millis(50));
    }
}

/// The same for a plain condition.
///
/// # Errors
/// When the limit is over.
pub fn until_true(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    until(what, limit, || Ok(condition().then_some(())))
}
