//! The audit file: whole lines are appended, and it is renamed before it would grow too large.
//!
//! A rename loses no line: nothing is copied or cut, and only this thread writes. The names are those of logrotate
//! (`audit.log.1` is the newest), so that what reads rotated files need not know who rotated them.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

/// When the file is renamed, and how many older ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The most bytes of one file, unless a single line has more.
    pub max_bytes: u64,
    /// Older files that are kept. The oldest makes room for the newest.
    pub keep: u32,
}

/// The file that is written to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    rotation: Option<Rotation>,
    /// Bytes beyond the bound that are allowed, since the file could not be renamed.
    excess: u64,
    file: Option<File>,
    /// The last write broke off inside a line.
    torn: bool,
}

impl LogFile {
    pub(super) fn open(path: PathBuf, rotation: Option<Rotation>) -> io::Result<Self> {
        let torn = is_torn(&path);
        let file = Some(append_to(&path)?);
        Ok(Self { path, rotation, excess: 0, file, torn })
    }

    /// The next line opens the file anew.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Appends whole lines, each of which ends in a line feed; tells how often the file was rotated.
    pub(super) fn append(&mut self, mut lines: &[u8]) -> io::Result<u64> {
        let mut rotated = 0;
        while !lines.is_empty() {
            let length = self.ready()?;
            match lines.split_at_checked(self.fitting(lines, length)) {
                Some((fitting, rest)) if !fitting.is_empty() => {
                    self.write(fitting)?;
                    lines = rest;
                }
                _ => rotated += u64::from(self.rotate(length)?),
            }
        }
        Ok(rotated)
    }

    /// Opens the file anew if something moved it away; tells how long it is.
    fn ready(&mut self) -> io::Result<u64> {
        let here = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        if let Some(ours) = self.file.as_ref().and_then(|file| file.metadata().ok())
            && fs::metadata(&self.path).is_ok_and(|named| here(&named) == here(&ours))
        {
            return Ok(ours.len());
        }
        self.torn = is_torn(&self.path);
        let file = append_to(&self.path)?;
        let length = file.metadata()?.len();
        self.file = Some(file);
        Ok(length)
    }

    /// How many bytes of `lines` the file takes before it is rotated: never a part of a line, and at least one line if
    /// it is empty.
    fn fitting(&self, lines: &[u8], length: u64) -> usize {
        let Some(rotation) = self.rotation else { return lines.len() };
        let room = rotation.max_bytes.saturating_add(self.excess).saturating_sub(length);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if lines.len() <= room {
            return lines.len();
        }
        let ends_in = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        match lines.get(..room).and_then(ends_in) {
            Some(end) => end,
            None if length == 0 => lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1),
            None => 0,
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.torn {
            file.write_all(b"\n")?;
        }
        // A line that breaks off must not swallow the next one.
        self.torn = true;
        file.write_all(lines)?;
        self.torn = false;
        Ok(())
    }

    /// Renames the file and begins a new one. A file that cannot be renamed is written to all the same: it is tried again
    /// after as many bytes.
    fn rotate(&mut self, length: u64) -> io::Result<bool> {
        let Some(rotation) = self.rotation else { return Ok(false) };
        if let Err(error) = self.rename(rotation.keep) {
            if error.kind() == io::ErrorKind::NotFound {
                // Somebody moved it away just now: the next line begins a new one.
                self.file = None;
                return Ok(false);
            }
            tracing::error!(%error, "the audit file cannot be rotated, and grows beyond `audit.maxBytes`");
            self.excess = length.max(rotation.max_bytes);
            return Ok(false);
        }
        self.excess = 0;
        self.file = Some(append_to(&self.path)?);
        self.torn = false;
        Ok(true)
    }

    fn rename(&self, keep: u32) -> io::Result<()> {
        // A link or a device is somebody else's to move.
        if !fs::symlink_metadata(&self.path)?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        // A gap that a stop left between two renames is filled, before anything is given up for it.
        let free = (1..keep).find(|number| !self.older(*number).exists()).unwrap_or(keep);
        for number in (1..free).rev() {
            fs::rename(self.older(number), self.older(number + 1))?;
        }
        fs::rename(&self.path, self.older(1))
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Whether a file ends inside a line: an earlier process, or a disk that was full, left it so.
fn is_torn(path: &PathBuf) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        // Of a device there is nothing to read, and nothing to mend.
        if !file.metadata()?.is_file() || file.seek(SeekFrom::End(0))? == 0 {
            return Ok(b'\n');
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        let [byte] = last;
        Ok::<u8, io::Error>(byte)
    };
    last().is_ok_and(|byte| byte != b'\n')
}

fn append_to(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    const ROTATION: Rotation = Rotation { max_bytes: 20, keep: 2 };

    fn log(folder: &Path) -> (PathBuf, LogFile) {
        let path = folder.join("audit.log");
        let log = LogFile::open(path.clone(), Some(ROTATION)).unwrap();
        (path, log)
    }

    fn texts(path: &Path) -> Vec<String> {
        let name = |ending: &str| format!("{}{ending}", path.display());
        ["", ".1", ".2", ".3"].iter().filter_map(|ending| fs::read_to_string(name(ending)).ok()).collect()
    }

    #[test]
    fn a_file_is_renamed_between_lines_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut log) = log(folder.path());
        assert_eq!(log.append(b"line 1\nline 2\n").unwrap(), 0);
        assert_eq!(log.append(b"line 3\nline 4\nline 5\nline 6\nline 7\n").unwrap(), 3);
        assert_eq!(texts(&path), ["line 7\n", "line 5\nline 6\n", "line 3\nline 4\n"]);
    }

    #[test]
    fn a_file_that_is_moved_away_at_that_moment_lets_none_grow() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut log) = log(folder.path());
        log.append(b"line 1\nline 2\n").unwrap();
        fs::rename(&path, folder.path().join("taken")).unwrap();
        assert!(!log.rotate(14).unwrap());
        assert_eq!(log.excess, 0);
        log.append(b"line 3\n").unwrap();
        assert_eq!(texts(&path), ["line 3\n"]);
    }

    #[test]
    fn a_line_that_an_earlier_process_left_unfinished_swallows_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        fs::write(&path, "half a li").unwrap();
        let mut log = LogFile::open(path.clone(), None).unwrap();
        log.append(b"line 1\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "half a li\nline 1\n");
        fs::write(&path, "half a li").unwrap();
        log.close();
        log.append(b"line 2\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "half a li\nline 2\n");
    }

    #[test]
    fn what_was_written_before_a_start_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut log) = log(folder.path());
        log.append(b"line 1\nline 2\n").unwrap();
        let mut log = LogFile::open(log.path, Some(ROTATION)).unwrap();
        log.append(b"line 3\n").unwrap();
        assert_eq!(texts(&path), ["line 3\n", "line 1\nline 2\n"]);
    }

    #[test]
    fn a_line_beyond_the_bound_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut log) = log(folder.path());
        log.append(b"line 1\na line that is longer than all\nline 2\n").unwrap();
        assert_eq!(texts(&path), ["line 2\n", "a line that is longer than all\n", "line 1\n"]);
    }

    #[test]
    fn a_gap_is_filled_before_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut log) = log(folder.path());
        fs::write(log.older(2), "old\n").unwrap();
        log.append(b"line 1\nline 2\nline 3\n").unwrap();
        assert_eq!(texts(&path), ["line 3\n", "line 1\nline 2\n", "old\n"]);
    }

    #[test]
    fn a_file_that_cannot_be_renamed_is_written_to_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (path, real) = (folder.path().join("audit.log"), folder.path().join("real"));
        symlink(&real, &path).unwrap();
        let mut log = LogFile::open(path, Some(ROTATION)).unwrap();
        for _ in 0..20 {
            assert_eq!(log.append(b"line 1\n").unwrap(), 0);
        }
        assert_eq!(fs::read_to_string(real).unwrap(), "line 1\n".repeat(20));
    }
}
