//! Files for their owner alone: read only when nobody else could have written or read them, replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::failure::Failure;

/// Far more than any token takes.
const MOST: u64 = 256 * 1024;

/// The bytes of a file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let opened = OpenOptions::new().read(true).custom_flags(no_follow()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(path, &error.to_string(), "remove it")),
    };
    // Asked of the open file: the path could lead elsewhere by now.
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(refused(path, "it is no file", "remove it"));
    }
    check_owner(path, &facts)?;
    if facts.mode() & 0o077 != 0 {
        return Err(refused(path, "others may read it", &format!("run chmod 600 {}", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Puts a file in place of the old one: whoever reads sees the one or the other, also after a power cut.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let draft = path.with_extension(format!("{}.new", process::id()));
    let _ = fs::remove_file(&draft);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
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

/// Removes what a writer left that was killed: it may hold a token.
pub(super) fn remove_drafts(folder: &Path) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let drafts = entries.filter_map(Result::ok).map(|entry| entry.path());
    drafts.filter(|path| path.extension().is_some_and(|ending| ending == "new")).try_for_each(|path| remove(&path))
}

/// Makes the folder where there is none, and looks whose it is.
pub(super) fn private_folder(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| refused(path, &error.to_string(), "remove what is in its place"))?;
    let facts = fs::symlink_metadata(path)?;
    if !facts.is_dir() {
        return Err(refused(path, "it leads elsewhere", "remove it"));
    }
    check_owner(path, &facts)?;
    if facts.mode() & 0o077 != 0 {
        return Err(refused(path, "others may enter it", &format!("run chmod 700 {}", path.display())));
    }
    Ok(())
}

/// Opens the file whose lock is taken.
pub(super) fn lock_file(path: &Path) -> Result<File, Failure> {
    let opened =
        OpenOptions::new().read(true).write(true).create(true).mode(0o600).custom_flags(no_follow()).open(path);
    opened.map_err(|error| refused(path, &error.to_string(), "remove it"))
}

fn check_owner(path: &Path, facts: &fs::Metadata) -> Result<(), Failure> {
    if facts.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(refused(path, "it belongs to somebody else", "remove it, or set XDG_CACHE_HOME to a folder of your own"))
}

fn no_follow() -> i32 {
    // A pipe in its place would wait for whoever writes.
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

fn refused(path: &Path, why: &str, advice: &str) -> Failure {
    Failure::other(format!("{}: {why}; {advice}", path.display()))
}
