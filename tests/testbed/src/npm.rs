//! Packages of the npm registry, pinned by hash in `npm/package-lock.json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};

use crate::packages;
use crate::programs::{cache, lock_cache, say};

const PACKAGE: &str = include_str!("../npm/package.json");
const LOCK: &str = include_str!("../npm/package-lock.json");

/// Installs them beside the final folder and renames: whoever finds the folder finds it whole.
///
/// # Errors
/// When npm is missing, or the registry has one of them no more.
pub(crate) fn fetch() -> Result<()> {
    let _alone = lock_cache()?;
    if dir().is_dir() {
        return Ok(());
    }
    say("npm ci (once)");
    let partial = tempfile::Builder::new().prefix(".npm-").tempdir_in(cache())?;
    fs::write(partial.path().join("package.json"), PACKAGE)?;
    fs::write(partial.path().join("package-lock.json"), LOCK)?;
    // No package's own script runs.
    let output = packages::command("npm")?
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(partial.path())
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!("npm ci: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::rename(partial.path(), dir()).context("move the npm packages into place")
}

/// Makes the packages known to scripts in a folder.
///
/// # Errors
/// When they are not installed yet.
pub fn link_into(folder: &Path) -> Result<()> {
    let modules = dir().join("node_modules");
    ensure!(modules.is_dir(), "the npm packages are not installed yet: run `testbed fetch`");
    let link = folder.join("node_modules");
    if !link.exists() {
        std::os::unix::fs::symlink(modules, link)?;
    }
    Ok(())
}

/// Another lock is another folder.
fn dir() -> PathBuf {
    let hash = digest(&SHA256, LOCK.as_bytes());
    let short: String = hash.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    cache().join(format!("npm-{short}"))
}
