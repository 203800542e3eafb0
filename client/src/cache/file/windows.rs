//! Windows: what lies below a person's own `AppData\\Local` is for them, administrators and the system alone, by lists that
//! every file there inherits. So nothing here sets a list; what leads elsewhere is refused.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// Of `CreateFileW`: a link is opened itself.
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
/// Of a file's attributes: it is a link, or something else that leads elsewhere.
const REPARSE_POINT: u32 = 0x0000_0400;

pub(super) fn not_followed(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OPEN_REPARSE_POINT)
}

pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

pub(super) fn unfit(facts: &Metadata) -> Option<&'static str> {
    if leads_elsewhere(facts) {
        return Some("leads elsewhere");
    }
    (!facts.is_file()).then_some("is no file")
}

pub(super) fn why_unopened(error: &io::Error) -> Option<&'static str> {
    // A folder answers so, too.
    (error.kind() == io::ErrorKind::PermissionDenied).then_some("cannot be opened by you")
}

#[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
pub(super) fn close_to_others(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

pub(super) fn unfit_folder(_: &Path, facts: &Metadata) -> Option<(&'static str, String)> {
    (leads_elsewhere(facts) || !facts.is_dir()).then(|| ("it leads elsewhere", "remove it".to_owned()))
}

fn leads_elsewhere(facts: &Metadata) -> bool {
    facts.file_attributes() & REPARSE_POINT != 0
}

/// NTFS keeps names in its journal; a folder cannot be flushed.
#[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether a process is there; when that cannot be told, it is.
pub(in super::super) fn is_alive(pid: u32) -> bool {
    let filter = format!("PID eq {pid}");
    let listed = Command::new("tasklist").args(["/NH", "/FI", &filter]).stdin(Stdio::null()).output();
    listed.map_or(true, |listed| String::from_utf8_lossy(&listed.stdout).contains(&pid.to_string()))
}
