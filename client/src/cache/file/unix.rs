//! Owners and modes, as POSIX has them.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};

/// Opens what stands there itself, and waits for nobody: a pipe in its place would wait for whoever writes.
pub(super) fn not_followed(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
}

/// What is made by these is for its owner alone.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Why an open file is not to be trusted.
pub(super) fn unfit(facts: &Metadata) -> Option<&'static str> {
    if !facts.is_file() {
        return Some("is no file");
    }
    if !is_ours(facts) {
        return Some("belongs to somebody else");
    }
    (facts.mode() & 0o077 != 0).then_some("could be read by others")
}

/// Why what stands there cannot be opened by us, and is not to be trusted.
pub(super) fn why_unopened(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::LOOP => Some("leads elsewhere"),
        Errno::ACCESS => Some("cannot be opened by you"),
        Errno::NXIO => Some("is no file"),
        _ => None,
    }
}

pub(super) fn close_to_others(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o600))
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Why a folder is not to be trusted, and what mends it.
pub(super) fn unfit_folder(path: &Path, facts: &Metadata) -> Option<(&'static str, String)> {
    if !facts.is_dir() {
        return Some(("it leads elsewhere", "remove it".to_owned()));
    }
    if !is_ours(facts) {
        let advice = "remove it, or set XDG_CACHE_HOME to a folder of your own";
        return Some(("it belongs to somebody else", advice.to_owned()));
    }
    let open = facts.mode() & 0o077 != 0;
    open.then(|| ("others may enter it", format!("run chmod 700 {}", path.display())))
}

fn is_ours(facts: &Metadata) -> bool {
    facts.uid() == geteuid().as_raw()
}

/// A name that was changed is there after a power cut, too.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether a process is there.
pub(in super::super) fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // Somebody else's is there, too.
    pid.is_some_and(|pid| !matches!(test_kill_process(pid), Err(Errno::SRCH)))
}
