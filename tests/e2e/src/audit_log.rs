//! What a server recorded: one `audit.k8s.io/v1` event per line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kube_wire::audit::{Event, Stage};

use crate::eventually;

/// An audit log file that a server writes to.
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

impl AuditLog {
    /// Reads the log at `path`.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Every record so far, oldest first.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or a whole line is no event.
    pub fn events(&self) -> Result<Vec<Event<'static>>> {
        let text = std::fs::read_to_string(&self.path).with_context(|| self.path.display().to_string())?;
        // The last line may still be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// Waits for a finished request that `wanted` picks.
    ///
    /// # Errors
    ///
    /// When no such record comes.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Event<'static>) -> bool) -> Result<Event<'static>> {
        self.wait_for_stage(what, Stage::ResponseComplete, wanted)
    }

    /// Waits for a record of one stage that `wanted` picks.
    ///
    /// # Errors
    ///
    /// When no such record comes.
    pub fn wait_for_stage(
        &self,
        what: &str,
        stage: Stage,
        wanted: impl Fn(&Event<'static>) -> bool,
    ) -> Result<Event<'static>> {
        eventually(&format!("{what} in {}", self.path.display()), || {
            Ok(self.events()?.into_iter().rev().find(|event| event.stage == stage && wanted(event)))
        })
    }
}
