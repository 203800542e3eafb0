//! How the keys lie on the disk.
//!
//! ```text
//! gatewarden-keys-v1
//! 2 nWx…43 characters of base64url…
//! 1 fZk…
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::Key;

const HEADER: &str = "gatewarden-keys-v1";
/// Far more keys than anybody keeps; a wrong path (a disk, a log) is not read into memory.
const MAX_BYTES: u64 = 64 * 1024;

/// Why the key file cannot be used. The gateway does not start: the message is the one line that the operator reads.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The operator takes the rights away and, if others used them, replaces the key.
    #[error("key file {} has mode {mode:04o}: others may read it; run chmod 600 on it", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The operator brings back the file from a backup, or removes it (which ends every token).
    #[error("key file {} is not a key file: {why}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What was wrong, without a byte of a key.
        why: &'static str,
    },
    /// The operator looks at the path and its owner.
    #[error("key file {} cannot be read or made", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The cryptographic library gave no randomness or refused a length.
    #[error("the cryptographic library failed")]
    Crypto,
}

pub(super) fn open_or_create(path: &Path) -> Result<Vec<Key>, KeyFault> {
    match read(path) {
        Err(KeyFault::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            create(path)?;
            read(path)
        }
        done => done,
    }
}

fn read(path: &Path) -> Result<Vec<Key>, KeyFault> {
    let fault = |source| KeyFault::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(fault)?;
    // Asked of the open file: the path could lead elsewhere by now.
    let facts = file.metadata().map_err(fault)?;
    let mode = facts.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFault::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    let read = file.take(MAX_BYTES).read_to_string(&mut text);
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(KeyFault::Malformed { path: path.to_owned(), why: "it is not text" });
        }
        other => other.map_err(fault)?,
    };
    parse(&text).map_err(|why| KeyFault::Malformed { path: path.to_owned(), why })
}

fn parse(text: &str) -> Result<Vec<Key>, &'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err("its first line must read gatewarden-keys-v1");
    }
    let mut keys: Vec<Key> = Vec::new();
    for line in lines {
        let (id, key) = line.split_once(' ').ok_or("a line must hold an id, a space and a key")?;
        let id: u8 = id.parse().map_err(|_| "a key id must be a number from 0 to 255")?;
        if keys.iter().any(|known| known.id == id) {
            return Err("a key id stands there twice");
        }
        let mut bytes = Zeroizing::new([0; 32]);
        let length =
            URL_SAFE_NO_PAD.decode_slice(key, &mut *bytes).map_err(|_| "a key is not base64url of 32 bytes")?;
        if length != bytes.len() {
            return Err("a key is not base64url of 32 bytes");
        }
        keys.push(Key { id, bytes });
    }
    if keys.is_empty() { Err("it holds no key") } else { Ok(keys) }
}

/// Written under another name and linked: whoever looks sees no file or a whole one, and of two processes that start
/// at once only one makes the keys.
fn create(path: &Path) -> Result<(), KeyFault> {
    let mut key = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(&mut *key).map_err(|_| KeyFault::Crypto)?;
    let text = Zeroizing::new(format!("{HEADER}\n1 {}\n", *Zeroizing::new(URL_SAFE_NO_PAD.encode(*key))));
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", uuid::Uuid::new_v4().simple()));
    let draft = PathBuf::from(draft);
    let made = write_private(&draft, text.as_bytes()).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let removed = fs::remove_file(&draft);
    let kept = made.and(removed).and_then(|()| sync_folder(path));
    kept.map_err(|source| KeyFault::File { path: path.to_owned(), source })
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Without this a power cut may lose the name of a file whose bytes are on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
