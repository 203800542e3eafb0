//! Files for their owner alone: read only when nobody else could have written or read them, replaced whole.
//!
//! How a system says whose a file is, and who may read it, is in one module for each kind of system.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;

pub(super) use system::is_alive;

use crate::failure::Failure;

/// Far more than any token takes.
const MOST: u64 = 256 * 1024;

/// What is found in place of a file.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Bytes(Vec<u8>),
    /// What nobody should read for our own; why.
    Unfit(&'static str),
}

/// Reads a file that nobody else can have written or read.
pub(super) fn read(path: &Path) -> Result<Found, Failure> {
    let file = match system::not_followed(OpenOptions::new().read(true)).open(path) {
        Ok(file) => file,
        Err(error) => return unopened(path, &error),
    };
    // Asked of the open file: the path could lead elsewhere by now.
    if let Some(why) = system::unfit(&file.metadata()?) {
        return Ok(Found::Unfit(why));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(Found::Bytes(bytes))
}

pub(super) fn unopened(path: &Path, error: &io::Error) -> Result<Found, Failure> {
    match (error.kind(), system::why_unopened(error)) {
        (io::ErrorKind::NotFound, _) => Ok(Found::Nothing),
        (_, Some(why)) => Ok(Found::Unfit(why)),
        _ => Err(refused(path, &error.to_string(), "try again")),
    }
}

/// Gives what stands there a name of its own beside it, and answers which. A link is moved, not followed.
pub(super) fn put_aside(path: &Path) -> Result<PathBuf, Failure> {
    let aside = (1..).map(|number| named(path, &format!("{ASIDE}{number}"))).find(|path| !is_there(path));
    let aside = aside.ok_or_else(|| Failure::other("no name is free"))?;
    fs::rename(path, &aside).map_err(|error| refused(path, &error.to_string(), "remove it"))?;
    if fs::symlink_metadata(&aside)?.is_file() {
        // Somebody else's file is closed by the folder alone.
        let _ = system::close_to_others(&aside);
    }
    Ok(aside)
}

const ASIDE: &str = "aside-";
/// How the name of a file ends that is there for a moment.
pub(super) const DRAFT: &str = "new";

fn named(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Puts a file in place of the old one: whoever reads sees the one or the other, also after a power cut.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let draft = path.with_extension(format!("{}.{DRAFT}", process::id()));
    let _ = fs::remove_file(&draft);
    let written = system::private(OpenOptions::new().write(true).create_new(true)).open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), system::sync_folder)
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.map_err(|error| refused(path, &error.to_string(), "make room, or let yourself write there"))
}

pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes what a writer left that was killed, and what was put aside: both may hold a token. What is no file is left.
pub(super) fn remove_leftovers(folder: &Path) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let left = |path: &Path| {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        (ending == DRAFT || ending.starts_with(ASIDE)) && fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file())
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| left(path))
        .try_for_each(|path| remove(&path))
}

/// Makes the folder where there is none, and looks whose it is.
pub(super) fn private_folder(path: &Path) -> Result<(), Failure> {
    let made = system::make_folder(path);
    made.map_err(|error| refused(path, &error.to_string(), "remove what is in its place"))?;
    match system::unfit_folder(path, &fs::symlink_metadata(path)?) {
        None => Ok(()),
        Some((why, advice)) => Err(refused(path, why, &advice)),
    }
}

/// Opens the file whose lock is taken.
pub(super) fn lock_file(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    let opened = system::not_followed(system::private(options.read(true).write(true).create(true))).open(path);
    opened.map_err(|error| refused(path, &error.to_string(), "remove it"))
}

fn refused(path: &Path, why: &str, advice: &str) -> Failure {
    Failure::other(format!("{}: {why}; {advice}", path.display()))
}
