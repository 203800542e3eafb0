//! `audit`: where the records of who did what go.

use gatewarden_proxy::{AuditConfig, Rotation, WhenFull};

use crate::config::yaml::Section;

/// Older files that are kept, unless the operator says otherwise.
const KEEP: u32 = 10;

pub(in crate::config) fn read(file: &Section<'_>) -> AuditConfig {
    let keys = &["file", "maxBytes", "keep", "whenFull"];
    let Some(section) = file.optional("audit").and_then(|field| field.section(keys)) else {
        return AuditConfig::default();
    };
    AuditConfig {
        file: section.optional("file").and_then(|field| field.file()),
        rotation: rotation(&section),
        when_full: section
            .optional("whenFull")
            .and_then(|field| field.word(&[("refuse", WhenFull::Refuse), ("drop", WhenFull::Drop)]))
            .unwrap_or_default(),
    }
}

fn rotation(section: &Section<'_>) -> Option<Rotation> {
    let keep = section.optional("keep");
    let Some(max_bytes) = section.optional("maxBytes") else {
        if let Some(keep) = keep {
            keep.fault(
                "nothing is rotated without `audit.maxBytes`",
                "add `maxBytes: 104857600`, or take this line out",
            );
        }
        return None;
    };
    let keep = keep.and_then(|field| field.count(1, 10_000)).and_then(|keep| u32::try_from(keep).ok());
    Some(Rotation { max_bytes: max_bytes.count(64 * 1024, 1 << 40)?, keep: keep.unwrap_or(KEEP) })
}
