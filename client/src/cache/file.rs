//! Files for their owner alone: read only when nobody else could have written or read them, replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};

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
    let file = match OpenOptions::new().read(true).custom_flags(no_follow()).open(path) {
        Ok(file) => file,
        Err(error) => return unopened(path, &error),
    };
    // Asked of the open file: the path could lead elsewhere by now.
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Ok(Found::Unfit("is no file"));
    }
    if !is_ours(&facts) {
        return Ok(Found::Unfit("belongs to somebody else"));
    }
    if facts.mode() & 0o077 != 0 {
        return Ok(Found::Unfit("could be read by others"));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(Found::Bytes(bytes))
}

fn unopened(path: &Path, error: &io::Error) -> Result<Found, Failure> {
    match (error.kind(), Errno::from_io_error(error)) {
        (io::ErrorKind::NotFound, _) => Ok(Found::Nothing),
        (_, Some(Errno::LOOP)) => Ok(Found::Unfit("leads elsewhere")),
        (_, Some(Errno::ACCESS)) => Ok(Found::Unfit("cannot be opened by you")),
        (_, Some(Errno::NXIO)) => Ok(Found::Unfit("is no file")),
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
        let _ = fs::set_permissions(&aside, fs::Permissions::from_mode(0o600));
    }
    Ok(aside)
}

const ASIDE: &str = "aside-";

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
    let draft = path.with_extension(format!("{}.new", process::id()));
    let _ = fs::remove_file(&draft);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
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
        (ending == "new" || ending.starts_with(ASIDE)) && fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file())
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| left(path))
        .try_for_each(|path| remove(&path))
}

/// Makes the folder where there is none, and looks whose it is.
pub(super) fn private_folder(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| refused(path, &error.to_string(), "remove what is in its place"))?;
    let facts = fs::symlink_metadata(path)?;
    if !facts.is_dir() {
        return Err(refused(path, "it leads elsewhere", "remove it"));
    }
    if !is_ours(&facts) {
        let advice = "remove it, or set XDG_CACHE_HOME to a folder of your own";
        return Err(refused(path, "it belongs to somebody else", advice));
    }
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

fn is_ours(facts: &fs::Metadata) -> bool {
    facts.uid() == geteuid().as_raw()
}

/// Whether a process is there.
pub(super) fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // Somebody else's is there, too.
    pid.is_some_and(|pid| !matches!(test_kill_process(pid), Err(Errno::SRCH)))
}

fn no_follow() -> i32 {
    // A pipe in its place would wait for whoever writes.
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

fn refused(path: &Path, why: &str, advice: &str) -> Failure {
    Failure::other(format!("{}: {why}; {advice}", path.display()))
}
