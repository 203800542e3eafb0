//! What is kept between two starts: `<cache>/kubectl-gatewarden/<gateway>/`, readable by its owner alone.
//!
//! | file | |
//! |---|---|
//! | `gateway.json` | the address, and the authority behind its certificate |
//! | `access.json` | the access token and its end: all that the usual case reads |
//! | `refresh.json` | the refresh token, or that the keyring has it |
//! | `failed.json` | why the last login or refresh came to nothing, for those who waited for it |
//! | `*.aside-1` | what stood in place of one of these and could not be trusted or understood, until a logout |
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
use url::Url;

use crate::environment;
use crate::failure::Failure;
use crate::keyring::Keyring;

pub(crate) const NAME: &str = "kubectl-gatewarden";

/// What is known of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    /// Its origin: `https://kube.example.org:8443`.
    pub(crate) url: String,
    /// The authority behind its certificate, as PEM; what the system trusts when `None`.
    pub(crate) ca: Option<String>,
    /// The host names by which it and its clusters are reached, as far as they were asked for since the login.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
}

impl Gateway {
    pub(crate) const fn at(url: String) -> Self {
        Self { url, ca: None, names: Vec::new() }
    }

    /// Whether an origin is this gateway by one of its names: at the same port, by TLS.
    pub(crate) fn has(&self, origin: &str) -> bool {
        let (Ok(own), Ok(other)) = (Url::parse(&self.url), Url::parse(origin)) else { return false };
        let host = other.host_str().unwrap_or_default().trim_matches(['[', ']']);
        other.scheme() == "https"
            && own.port_or_known_default() == other.port_or_known_default()
            && other.username().is_empty()
            && self.names.iter().any(|name| name == host)
    }
}

/// An access token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Access {
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
}

/// A refresh token. It is good for one use, so only the holder of the lock reads it.
#[derive(Clone)]
pub(crate) struct Refresh {
    pub(crate) token: String,
}

/// Where the refresh token is. The file says it, so that only who has something in a keyring ever asks one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Whereabouts {
    /// In the file itself: `{"token":"…"}`.
    Token(String),
    /// `"keyring"`.
    Keyring,
}

/// What the last login or refresh came to, when it came to nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    at: Timestamp,
    kind: u8,
    text: String,
}

/// What is found of one of these.
enum Kept<T> {
    Nothing,
    Good(T),
    /// It is not to be trusted, or not to be understood; why.
    Unfit(String),
}

impl<T> Kept<T> {
    fn good(self) -> Option<T> {
        if let Self::Good(value) = self { Some(value) } else { None }
    }

    fn fault(self) -> Option<String> {
        if let Self::Unfit(why) = self { Some(why) } else { None }
    }
}

const GATEWAY: &str = "gateway.json";
const ACCESS: &str = "access.json";
const REFRESH: &str = "refresh.json";
const FAILED: &str = "failed.json";

/// The name of a file that is not to be trusted or not to be understood, and why.
pub(crate) type Unfit = (&'static str, String);

/// The folder of one gateway.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    keyring: Keyring,
}

impl Folder {
    pub(crate) fn of(gateway_url: &str) -> Result<Self, Failure> {
        Ok(Self::inside(&environment::cache_folder()?, gateway_url, Keyring::of_this_machine()))
    }

    fn inside(root: &Path, gateway_url: &str, keyring: Keyring) -> Self {
        let hash = digest(&SHA256, gateway_url.as_bytes());
        let name: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { path: root.join(name), keyring }
    }

    /// Every gateway that somebody logged in to.
    pub(crate) fn all() -> Result<Vec<Gateway>, Failure> {
        let root = environment::cache_folder()?;
        let Ok(entries) = fs::read_dir(root) else { return Ok(Vec::new()) };
        let here = |entry: fs::DirEntry| Self { path: entry.path(), keyring: Keyring::of_this_machine() };
        let folders = entries.filter_map(Result::ok).map(here);
        let known: Result<Vec<Option<Gateway>>, Failure> = folders.map(|folder| folder.known()).collect();
        let mut known: Vec<Gateway> = known?.into_iter().flatten().collect();
        known.sort_by(|one, other| one.url.cmp(&other.url));
        Ok(known)
    }

    /// One that cannot be read is an error: to leave it out would say that it is not there.
    fn known(&self) -> Result<Option<Gateway>, Failure> {
        match self.look(GATEWAY)? {
            Kept::Nothing => Ok(None),
            Kept::Good(gateway) => Ok(Some(gateway)),
            Kept::Unfit(why) => Err(Failure::other(format!(
                "{} {why}; say which gateway you mean, by --gateway",
                self.path.join(GATEWAY).display()
            ))),
        }
    }

    pub(crate) fn gateway(&self) -> Result<Option<Gateway>, Failure> {
        self.look(GATEWAY).map(Kept::good)
    }

    pub(crate) fn access(&self) -> Result<Option<Access>, Failure> {
        self.look(ACCESS).map(Kept::good)
    }

    /// The refresh token. One in a keyring that cannot be used now is an error: it is not gone.
    pub(crate) fn refresh(&self) -> Result<Option<Refresh>, Failure> {
        let token = match self.whereabouts()? {
            None => None,
            Some(Whereabouts::Token(token)) => Some(token),
            Some(Whereabouts::Keyring) => self.keyring.read(&self.account()).map_err(|why| {
                Failure::LoginNeeded(format!(
                    "{why}, and your login is in it: unlock it, or run `kubectl gatewarden login`"
                ))
            })?,
        };
        Ok(token.map(|token| Refresh { token }))
    }

    /// Whether the refresh token is in a keyring; `None` where there is none at all.
    pub(crate) fn is_in_keyring(&self) -> Result<Option<bool>, Failure> {
        Ok(self.whereabouts()?.map(|place| matches!(place, Whereabouts::Keyring)))
    }

    pub(crate) const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    fn whereabouts(&self) -> Result<Option<Whereabouts>, Failure> {
        self.look(REFRESH).map(Kept::good)
    }

    /// Under what the keyring has this folder's token: two folders are two logins, even at one gateway.
    pub(crate) fn account(&self) -> String {
        self.path.display().to_string()
    }

    /// Each file that is not to be trusted or not to be understood, and why.
    pub(crate) fn unfit(&self) -> Result<Vec<Unfit>, Failure> {
        let found = [
            (GATEWAY, self.look::<Gateway>(GATEWAY)?.fault()),
            (ACCESS, self.look::<Access>(ACCESS)?.fault()),
            (REFRESH, self.look::<Whereabouts>(REFRESH)?.fault()),
            (FAILED, self.look::<Failed>(FAILED)?.fault()),
        ];
        Ok(found.into_iter().filter_map(|(name, why)| Some((name, why?))).collect())
    }

    /// Puts each such file aside, and says so: a login then mends it, and nothing is lost. Only the holder of the lock may,
    /// or it could move what another has just written. Answers whether a token is among them.
    pub(crate) fn put_aside(&self, _: &Held) -> Result<bool, Failure> {
        let unfit = self.unfit()?;
        for (name, why) in &unfit {
            let path = self.path.join(name);
            let aside = file::put_aside(&path)?;
            eprint(&format!("{} {why}; it was put aside as {}", path.display(), aside.display()));
        }
        Ok(unfit.iter().any(|(name, _)| [ACCESS, REFRESH].contains(name)))
    }

    pub(crate) fn keep_gateway(&self, gateway: &Gateway) -> Result<(), Failure> {
        self.write(GATEWAY, gateway)
    }

    pub(crate) fn keep_access(&self, access: &Access) -> Result<(), Failure> {
        self.write(ACCESS, access)
    }

    /// Keeps the token of a new login: in the keyring where there is one that can be used now, else in the file.
    pub(crate) fn keep_refresh(&self, refresh: &Refresh) -> Result<(), Failure> {
        let place = match self.keyring.keep(&self.account(), &refresh.token) {
            Ok(()) => Whereabouts::Keyring,
            Err(_) => Whereabouts::Token(refresh.token.clone()),
        };
        self.write(REFRESH, &place)
    }

    /// Keeps the next token of a login where the one before was: without a keyring, nothing is asked of one.
    pub(crate) fn keep_next_refresh(&self, refresh: &Refresh) -> Result<(), Failure> {
        match self.whereabouts()? {
            Some(Whereabouts::Token(_)) => self.write(REFRESH, &Whereabouts::Token(refresh.token.clone())),
            _ => self.keep_refresh(refresh),
        }
    }

    /// Forgets the tokens, and keeps which gateway it is.
    pub(crate) fn forget_tokens(&self) -> Result<(), Failure> {
        file::remove(&self.path.join(ACCESS))?;
        self.forget_refresh()?;
        file::remove_leftovers(&self.path)
    }

    pub(crate) fn forget_refresh(&self) -> Result<(), Failure> {
        if let Some(Whereabouts::Keyring) = self.whereabouts()? {
            // One that cannot be used now keeps what is over at the gateway, until the next login takes its place.
            let _ = self.keyring.forget(&self.account());
        }
        file::remove(&self.path.join(REFRESH))
    }

    /// What whoever held the lock came to since then, when it came to nothing.
    pub(crate) fn failure_since(&self, then: Timestamp) -> Result<Option<Failure>, Failure> {
        let failed = self.look::<Failed>(FAILED)?.good().filter(|failed| failed.at >= then);
        Ok(failed.map(|failed| Failure::of(failed.kind, failed.text)))
    }

    /// Notes what a login or refresh came to.
    pub(crate) fn keep_failure(&self, failure: Option<&Failure>) -> Result<(), Failure> {
        match failure {
            None => file::remove(&self.path.join(FAILED)),
            Some(failure) => {
                let failed = Failed { at: environment::now(), kind: failure.kind(), text: failure.to_string() };
                self.write(FAILED, &failed)
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

    /// Has a file here for as long as something reads it. One that is left behind goes with the next logout.
    pub(crate) fn with_file<T>(
        &self,
        name: &str,
        bytes: &[u8],
        read: impl FnOnce(&Path) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        file::private_folder(&self.path)?;
        let path = self.path.join(format!("{name}.{}.{}", std::process::id(), file::DRAFT));
        file::write(&path, bytes)?;
        let done = read(&path);
        file::remove(&path)?;
        done
    }

    fn look<T: DeserializeOwned>(&self, name: &str) -> Result<Kept<T>, Failure> {
        Ok(match file::read(&self.path.join(name))? {
            file::Found::Nothing => Kept::Nothing,
            file::Found::Unfit(why) => Kept::Unfit(why.to_owned()),
            file::Found::Bytes(bytes) => match serde_json::from_slice(&bytes) {
                Ok(value) => Kept::Good(value),
                // What is wrong, and not the text: it may hold a token.
                Err(error) => Kept::Unfit(format!("cannot be understood (line {})", error.line())),
            },
        })
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
    // Nobody to tell it to is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{}", tame(line));
}

fn tame(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
