//! Whether the audit file can be written, tried before a start depends on it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use super::Loading;
use crate::config::Config;

pub(super) fn check(loading: &Loading<'_>, config: &Config) {
    let Some(file) = &config.audit.file else { return };
    if let Err(error) = writable(file) {
        loading.root.fault_inside(
            "audit.file",
            format!("cannot write `{}`: {error}", file.display()),
            "name a file in a folder that exists and that the gateway's user may write into",
        );
    }
}

/// A file that is there is opened as the gateway opens it. For one that is not, its folder is tried by a file of another
/// name: whoever made and removed the log itself could take it away from a running gateway that has just begun it.
fn writable(file: &Path) -> io::Result<()> {
    match OpenOptions::new().append(true).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let trial = file.with_file_name(format!(".gatewarden-check-{}", std::process::id()));
            OpenOptions::new().create(true).append(true).open(&trial)?;
            fs::remove_file(trial)
        }
        opened => opened.map(drop),
    }
}
