//! The store on a disk that cannot be written: read from a copy, so that known sessions go on.
//!
//! What was written last may stand in the write-ahead log alone, and SQLite reads that only where it may write beside it. So
//! the two files are copied to a private folder and opened there, and no connection may write: a login that cannot be
//! kept is refused. A command that wrote to the store itself would not be seen; whoever serves from a copy must end as
//! soon as the store can be written again.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth_core::Clock;

use super::{Store, StoreFault};

/// A folder that is gone when this is.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the copy of the store stays; delete it");
        }
    }
}

impl Store {
    /// Opens a copy of the file, which cannot be written, in a new folder below `scratch`.
    ///
    /// # Errors
    /// When there is no room for the copy, or the file is not a store.
    pub async fn open_copy(path: &Path, scratch: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreFault> {
        // The log lies beside the file that a link leads to.
        let path = fs::canonicalize(path).map_err(|source| StoreFault::File { path: path.to_owned(), source })?;
        let folder = scratch.join(format!("gatewarden-{}", uuid::Uuid::new_v4()));
        let copy = folder.join("gatewarden.db");
        let failed = |source| StoreFault::File { path: copy.clone(), source };
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let folder = Scratch(folder);
        fs::copy(&path, &copy).map_err(failed)?;
        match fs::copy(log_of(&path), log_of(&copy)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        Self::open_in(&copy, clock, Some(folder)).await
    }
}

/// SQLite's write-ahead log of a file.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
