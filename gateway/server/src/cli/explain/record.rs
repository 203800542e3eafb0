//! The search in the audit file and in those that it was rotated to.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use kube_wire::audit::Event;

use crate::cli::CommandError;

/// What the search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The request's events, in the order in which they happened.
    pub(super) events: Vec<Event<'static>>,
    /// The files that were read.
    pub(super) searched: Vec<PathBuf>,
    /// Rotated files that are compressed, and were not read.
    pub(super) packed: Vec<PathBuf>,
}

/// Endings of compressed files.
const PACKED: [&str; 5] = ["gz", "xz", "zst", "bz2", "lz4"];

/// Finds all events of a request in `file` and beside it: `audit.log`, `audit.log.1`, `audit.log-2026…`.
pub(super) fn find(file: &Path, audit_id: &str) -> Result<Found, CommandError> {
    let mut found = Found::default();
    for path in beside(file)? {
        if path.extension().is_some_and(|ending| PACKED.iter().any(|packed| ending == *packed)) {
            found.packed.push(path);
            continue;
        }
        let opened = File::open(&path).map_err(|error| unreadable(&path, &error))?;
        read(opened, audit_id, &mut found.events).map_err(|error| unreadable(&path, &error))?;
        found.searched.push(path);
    }
    found.events.sort_by_key(|event| event.stage_timestamp);
    Ok(found)
}

/// Says where was looked.
pub(super) fn not_found(audit_id: &str, searched: &[PathBuf], packed: &[PathBuf]) -> String {
    let names = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut text = format!("no request {audit_id:?} in {}", names(searched));
    if !packed.is_empty() {
        text += &format!("; unpack {} to look there too", names(packed));
    }
    text + ". The id stands in the `Audit-Id` header of the answer; `kubectl -v=8` shows it"
}

fn beside(file: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let ours = entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| !path.is_dir());
    let mut paths: Vec<PathBuf> =
        ours.filter(|path| path.file_name().is_some_and(|found| found.to_string_lossy().starts_with(&*name))).collect();
    paths.sort();
    Ok(paths)
}

/// Reads line by line, on bytes: a log of many gigabytes is not held, and one broken line hides no other.
fn read(file: impl io::Read, audit_id: &str, events: &mut Vec<Event<'static>>) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let may_be = line.windows(audit_id.len().max(1)).any(|window| window == audit_id.as_bytes());
        if may_be
            && let Ok(event) = serde_json::from_slice::<Event<'static>>(&line)
            && event.audit_id == audit_id
        {
            events.push(event);
        }
        line.clear();
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> CommandError {
    CommandError::Input(format!("cannot read {}: {error}; run this as the gateway's user", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, stage: &str) -> String {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{id}","stage":"{stage}","requestURI":"/api","verb":"get","requestReceivedTimestamp":"2026-01-02T03:04:05Z","stageTimestamp":"2026-01-02T03:04:0{}Z"}}"#,
            if stage == "RequestReceived" { 5 } else { 6 }
        )
    }

    #[test]
    fn a_request_is_found_over_rotated_files_and_broken_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("audit.log");
        fs::write(dir.path().join("audit.log.1"), format!("{}\nid-1 {{broken\n", line("id-1", "RequestReceived")))
            .unwrap();
        fs::write(&file, format!("{}\n{}\n", line("id-10", "ResponseComplete"), line("id-1", "ResponseComplete")))
            .unwrap();
        fs::write(dir.path().join("audit.log.2.gz"), [0xff, 0xfe]).unwrap();
        fs::write(dir.path().join("other.log"), line("id-1", "Panic")).unwrap();
        fs::create_dir(dir.path().join("audit.log.old")).unwrap();
        let found = find(&file, "id-1").unwrap();
        let stages: Vec<String> = found.events.iter().map(|event| format!("{:?}", event.stage)).collect();
        assert_eq!(stages, ["RequestReceived", "ResponseComplete"]);
        assert_eq!((found.searched.len(), found.packed.len()), (2, 1));
        let missing = find(&file, "id-2").unwrap();
        assert!(missing.events.is_empty());
        assert!(not_found("id-2", &missing.searched, &missing.packed).contains("unpack"));
    }
}
