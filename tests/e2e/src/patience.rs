//! Bounded waiting: a test says what it waits for, and fails with that when it does not come.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Longer than anything takes on a slow machine. Nothing is asserted about how long it took.
pub const GUARD: Duration = Duration::from_secs(30);

/// Asks again until there is an answer, or fails with `what` after [`GUARD`].
///
/// # Errors
///
/// When `ask` fails, or has no answer in time.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > GUARD {
            bail!("waited {} s in vain: {what}", GUARD.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How many times as long as usual the tests go on that break things by chance: 1, or what `make soak` says.
///
/// # Errors
///
/// When the variable holds no positive number: a soak that is none must not pass.
pub fn times() -> Result<usize> {
    let Ok(told) = std::env::var("GATEWARDEN_SOAK") else { return Ok(1) };
    match told.parse() {
        Ok(times) if times > 0 => Ok(times),
        _ => bail!("GATEWARDEN_SOAK is {told:?}, and must be a number from 1 on"),
    }
}
