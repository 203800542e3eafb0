//! `stateDir`, `store` and `keyFile`: what the gateway keeps.

use std::path::PathBuf;

use crate::config::yaml::Section;

const STATE_DIR: &str = "/var/lib/gatewarden";

/// The state folder, the SQLite file and the key file, in this order.
pub(in crate::config) fn read(file: &Section<'_>) -> (PathBuf, PathBuf, PathBuf) {
    let state_dir =
        file.optional("stateDir").and_then(|field| field.file()).unwrap_or_else(|| PathBuf::from(STATE_DIR));
    let store = file
        .optional("store")
        .and_then(|field| {
            field
                .section(&["sqlite"])?
                .required("sqlite", "{ path: /var/lib/gatewarden/gatewarden.db }")?
                .section(&["path"])?
                .required("path", "/var/lib/gatewarden/gatewarden.db")?
                .file()
        })
        .unwrap_or_else(|| state_dir.join("gatewarden.db"));
    let key_file = file.optional("keyFile").and_then(|field| field.file()).unwrap_or_else(|| state_dir.join("key"));
    (state_dir, store, key_file)
}
