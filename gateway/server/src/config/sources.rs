//! The files that a configuration is made of, and whether any of them has changed since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

/// What was read, as digests. Contents are compared, not times: a mounted secret changes by swapping links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Sources {
    /// Reads a file of bytes and remembers its digest.
    pub(super) fn bytes(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        let read = std::fs::read(path);
        self.files.insert(path.to_owned(), read.as_ref().ok().map(|bytes| sum(bytes)));
        read.map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    }

    /// Reads a text file and remembers its digest.
    pub(super) fn text(&mut self, path: &Path) -> Result<String, String> {
        String::from_utf8(self.bytes(path)?).map_err(|_| format!("`{}` is not UTF-8 text", path.display()))
    }

    /// Remembers the digest of a file that another part reads.
    pub(super) fn watch(&mut self, path: &Path) {
        let now = std::fs::read(path).ok().map(|bytes| sum(&bytes));
        self.files.insert(path.to_owned(), now);
    }

    /// Takes what the files hold now for known, so that the same contents are not looked at twice.
    pub fn look_again(&mut self) {
        for (path, known) in &mut self.files {
            *known = std::fs::read(path).ok().map(|bytes| sum(&bytes));
        }
    }

    /// Whether any file reads differently now.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.files.iter().any(|(path, before)| std::fs::read(path).ok().map(|bytes| sum(&bytes)) != *before)
    }
}

fn sum(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}
