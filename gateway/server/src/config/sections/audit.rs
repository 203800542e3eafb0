//! `audit`: where the records of who did what go.

use std::path::PathBuf;

use crate::config::yaml::Section;

/// Where audit records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The file, one JSON object a line. Absent: none is written.
    pub file: Option<PathBuf>,
    /// What happens to a request whose record cannot be written.
    pub when_full: WhenFull,
}

/// What happens to a request whose record cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused with 503: nothing happens unrecorded.
    Refuse,
    /// It goes on, and the loss is counted.
    Drop,
}

pub(in crate::config) fn read(file: &Section<'_>) -> Audit {
    let section = file.optional("audit").and_then(|field| field.section(&["file", "whenFull"]));
    let part = |key| section.as_ref().and_then(|section| section.optional(key));
    Audit {
        file: part("file").and_then(|field| field.file()),
        when_full: part("whenFull")
            .and_then(|field| field.word(&[("refuse", WhenFull::Refuse), ("drop", WhenFull::Drop)]))
            .unwrap_or(WhenFull::Refuse),
    }
}
