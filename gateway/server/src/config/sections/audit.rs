//! `audit`: where the records of who did what go.

use gatewarden_proxy::{AuditConfig, WhenFull};

use crate::config::yaml::Section;

pub(in crate::config) fn read(file: &Section<'_>) -> AuditConfig {
    let section = file.optional("audit").and_then(|field| field.section(&["file", "whenFull"]));
    let part = |key| section.as_ref().and_then(|section| section.optional(key));
    AuditConfig {
        file: part("file").and_then(|field| field.file()),
        when_full: part("whenFull")
            .and_then(|field| field.word(&[("refuse", WhenFull::Refuse), ("drop", WhenFull::Drop)]))
            .unwrap_or_default(),
    }
}
