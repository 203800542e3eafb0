//! The demo: one person, two clusters, every command shown before it runs.

use anyhow::{Result, bail};

/// Runs the demo.
///
/// # Errors
/// When a step fails.
pub fn run() -> Result<()> {
    bail!("the demo is not written yet")
}

/// Stops the demo.
///
/// # Errors
/// When something cannot be stopped.
pub fn down() -> Result<()> {
    crate::down(&crate::programs::cache().join("demo"))
}
