//! What is kept between two starts: `<cache>/kubectl-gatewarden/<gateway>/`, readable by its owner alone.
//!
//! | file | |
//! |---|---|
//! | `gateway.json` | the address, and the authority behind its certificate |
//! | `access.json` | the access token and its end: all that the usual case reads |
//! | `refresh.json` | the refresh token |
//! | `failed.json` | why the last login or refresh came to nothing, for those who waited for it |
//! | `lock` | held by the one process that refreshes or logs in |

mod file;
mod lock;

pub(crate) use lock::{Held, Lock};

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::environment;
use crate::failure::Failure;

pub(crate) const NAME: &str = "kubectl-gatewarden";

/// What is known of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    /// Its origin: `https://kube.example.org:8443`.
    pub(crate) url: String,
    /// The authority behind its certificate, as PEM; what the system trusts when `None`.
    pub(crate) ca: Option<String>,
}

/// An access token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Access {
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
}

/// A refresh token. It is good for one use, so only the holder of the lock reads it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    pub(crate) token: String,
}

/// What the last login or refresh came to, when it came to nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    at: Timestamp,
    kind: u8,
    text: String,
}

/// The folder of one gateway.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn of(gateway_url: &str) -> Result<Self, Failure> {
        Ok(Self::inside(&environment::cache_folder()?, gateway_url))
    }

    fn inside(root: &Path, gateway_url: &str) -> Self {
        let hash = digest(&SHA256, gateway_url.as_bytes());
        let name: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { path: root.join(name) }
    }

    /// Every gateway that somebody logged in to.
    pub(crate) fn all() -> Result<Vec<Gateway>, Failure> {
        let root = environment::cache_folder()?;
        let Ok(entries) = fs::read_dir(root) else { return Ok(Vec::new()) };
        let folders = entries.filter_map(Result::ok).map(|entry| Self { path: entry.path() });
        // One that cannot be read is an error: to leave it out would say that it is not there.
        let known: Result<Vec<Option<Gateway>>, Failure> = folders.map(|folder| folder.gateway()).collect();
        let mut known: Vec<Gateway> = known?.into_iter().flatten().collect();
        known.sort_by(|one, other| one.url.cmp(&other.url));
        Ok(known)
    }

    pub(crate) fn gateway(&self) -> Result<Option<Gateway>, Failure> {
        self.read("gateway.json")
    }

    pub(crate) fn access(&self) -> Result<Option<Access>, Failure> {
        self.read("access.json")
    }

    pub(crate) fn refresh(&self) -> Result<Option<Refresh>, Failure> {
        self.read("refresh.json")
    }

    pub(crate) fn keep_gateway(&self, gateway: &Gateway) -> Result<(), Failure> {
        self.write("gateway.json", gateway)
    }

    pub(crate) fn keep_access(&self, access: &Access) -> Result<(), Failure> {
        self.write("access.json", access)
    }

    pub(crate) fn keep_refresh(&self, refresh: &Refresh) -> Result<(), Failure> {
        self.write("refresh.json", refresh)
    }

    /// Forgets the tokens, and keeps which gateway it is.
    pub(crate) fn forget_tokens(&self) -> Result<(), Failure> {
        file::remove(&self.path.join("access.json"))?;
        file::remove(&self.path.join("refresh.json"))?;
        file::remove_drafts(&self.path)
    }

    pub(crate) fn forget_refresh(&self) -> Result<(), Failure> {
        file::remove(&self.path.join("refresh.json"))
    }

    /// What whoever held the lock came to since then, when it came to nothing.
    pub(crate) fn failure_since(&self, then: Timestamp) -> Result<Option<Failure>, Failure> {
        let failed = self.read::<Failed>("failed.json")?.filter(|failed| failed.at >= then);
        Ok(failed.map(|failed| Failure::of(failed.kind, failed.text)))
    }

    /// Notes what a login or refresh came to.
    pub(crate) fn keep_failure(&self, failure: Option<&Failure>) -> Result<(), Failure> {
        match failure {
            None => file::remove(&self.path.join("failed.json")),
            Some(failure) => {
                let failed = Failed { at: environment::now(), kind: failure.kind(), text: failure.to_string() };
                self.write("failed.json", &failed)
            }
        }
    }

    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        file::private_folder(&self.path)?;
        Lock::open(&self.path.join("lock"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What a file holds. One that cannot be understood is put aside: a login mends it, and nothing is lost.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let path = self.path.join(name);
        let Some(bytes) = file::read(&path)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let aside = path.with_extension("broken");
                fs::rename(&path, &aside)?;
                eprint(&format!(
                    "{} cannot be read ({error}) and was put aside as {}",
                    path.display(),
                    aside.display()
                ));
                Ok(None)
            }
        }
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        file::private_folder(&self.path)?;
        let bytes = serde_json::to_vec(value).map_err(|error| Failure::other(error.to_string()))?;
        file::write(&self.path.join(name), &bytes)
    }
}

/// One line for people, without what would move their cursor: parts of it come from servers. Standard output belongs to
/// whoever called us.
pub(crate) fn eprint(line: &str) {
    let tame = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    let line: String = line.chars().map(tame).collect();
    // Nobody to tell it to is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::inside(root.path(), "https://gw.test:8443");
        (root, folder)
    }

    fn access() -> Access {
        Access { token: "secret".to_owned(), expires_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn what_is_kept_is_for_its_owner_alone_and_comes_back() {
        let (_root, folder) = folder();
        assert!(folder.access().unwrap().is_none());
        folder.keep_access(&access()).unwrap();
        assert_eq!(folder.access().unwrap().unwrap().token, "secret");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder.path()), mode(&folder.path().join("access.json"))), (0o700, 0o600));
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["access.json"], "no draft stays behind");
        fs::write(folder.path().join("refresh.123.new"), "a token").unwrap();
        folder.forget_tokens().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing stays behind");
        folder.forget_tokens().unwrap();
    }

    #[test]
    fn a_file_that_others_may_read_or_that_leads_elsewhere_is_refused() {
        let (root, folder) = folder();
        folder.keep_access(&access()).unwrap();
        let file = folder.path().join("access.json");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(folder.access().err().unwrap().to_string().contains("chmod 600"));
        fs::rename(&file, root.path().join("elsewhere")).unwrap();
        fs::set_permissions(root.path().join("elsewhere"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink(root.path().join("elsewhere"), &file).unwrap();
        assert!(folder.access().is_err(), "a link");
        folder.keep_access(&access()).unwrap();
        assert!(folder.access().unwrap().is_some(), "what is written takes the place of a link");
        assert!(!fs::symlink_metadata(&file).unwrap().is_symlink());
    }

    #[test]
    fn a_folder_that_leads_elsewhere_is_refused() {
        let (root, folder) = folder();
        fs::create_dir(root.path().join("elsewhere")).unwrap();
        symlink(root.path().join("elsewhere"), folder.path()).unwrap();
        assert!(folder.keep_access(&access()).is_err());
    }

    #[test]
    fn a_broken_file_is_put_aside() {
        let (_root, folder) = folder();
        folder.keep_access(&access()).unwrap();
        fs::write(folder.path().join("access.json"), "{\"token\":").unwrap();
        assert!(folder.access().unwrap().is_none());
        assert_eq!(fs::read_to_string(folder.path().join("access.broken")).unwrap(), "{\"token\":");
    }
}
