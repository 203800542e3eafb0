//! A small process that outlives us and stops what we could not.
//!
//! Servers held in a `static` are never dropped, and a test killed by Ctrl-C drops nothing. The
//! reaper waits at the other end of a pipe; when we are gone, however that came, the pipe closes and it stops
//! the folders that it was told of.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use anyhow::Result;

use crate::state::down;

/// Names the `testbed` program for processes that do not stand beside it.
pub const PROGRAM: &str = "TESTBED_PROGRAM";

static REAPER: OnceLock<Option<Mutex<Child>>> = OnceLock::new();

/// Has `dir` stopped when this process ends.
pub fn watch(dir: &Path) {
    tell("watch", dir);
}

/// Takes that back: the folder is meant to outlive us.
pub fn forget(dir: &Path) {
    tell("forget", dir);
}

/// The reaper's own life: reads orders until the pipe closes, then stops what is left.
///
/// # Errors
/// When something could not be stopped.
pub fn serve(orders: impl BufRead) -> Result<()> {
    let mut result = Ok(());
    for dir in folders(orders) {
        result = result.and(down(&dir));
    }
    result
}

fn folders(orders: impl BufRead) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for line in orders.lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("watch", dir)) => folders.insert(PathBuf::from(dir)),
            Some(("forget", dir)) => folders.remove(Path::new(dir)),
            _ => false,
        };
    }
    folders
}

fn tell(order: &str, dir: &Path) {
    let Some(reaper) = REAPER.get_or_init(start) else { return };
    if let Ok(mut reaper) = reaper.lock()
        && let Some(pipe) = &mut reaper.stdin
    {
        let _ = writeln!(pipe, "{order} {}", dir.display());
    }
}

/// Without the program (only a library's tests were built) nobody watches; dropping still stops all.
fn start() -> Option<Mutex<Child>> {
    let mut command = Command::new(program()?);
    command.arg("reap").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
    command.spawn().ok().map(Mutex::new)
}

fn program() -> Option<PathBuf> {
    if let Some(named) = env::var_os(PROGRAM) {
        return Some(named.into());
    }
    sibling("testbed")
}

/// A program that cargo built beside the one that runs now, which may be a test in `deps/`.
pub(crate) fn sibling(name: &str) -> Option<PathBuf> {
    let own = env::current_exe().ok()?;
    own.ancestors().skip(1).take(2).map(|dir| dir.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_folder_is_left_alone() {
        let orders = "watch /a\nwatch /b\nforget /a\n";
        assert_eq!(folders(orders.as_bytes()), BTreeSet::from([PathBuf::from("/b")]));
    }
}
