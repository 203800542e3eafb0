//! Everything that this program learns from its surroundings: variables, the clock, the terminal.
#![expect(clippy::disallowed_methods, reason = "the one place that reads the environment and the clock")]

use std::env;
use std::io::{IsTerminal, stderr, stdin};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use crate::failure::Failure;

/// What kubectl says of the cluster that it wants a credential for (`KUBERNETES_EXEC_INFO`).
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ExecInfo {
    #[serde(default)]
    pub(crate) spec: ExecSpec,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ExecSpec {
    /// Whether somebody is there to log in.
    #[serde(default)]
    pub(crate) interactive: bool,
    pub(crate) cluster: Option<ExecCluster>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ExecCluster {
    pub(crate) server: String,
    /// PEM in base64.
    pub(crate) certificate_authority_data: Option<String>,
}

impl ExecCluster {
    /// The authority that is said to be behind the certificate at this origin.
    pub(crate) fn authority_of(&self, origin: &str) -> Option<&str> {
        let own = Url::parse(&self.server).is_ok_and(|server| server.origin().ascii_serialization() == origin);
        self.certificate_authority_data.as_deref().filter(|_| own)
    }
}

/// What kubectl said, when it is kubectl that asks.
pub(crate) fn exec_info() -> Result<Option<ExecInfo>, Failure> {
    let Ok(text) = env::var("KUBERNETES_EXEC_INFO") else { return Ok(None) };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|error| Failure::Usage(format!("KUBERNETES_EXEC_INFO is no ExecCredential: {error}")))
}

/// What a variable says; nothing when it says nothing.
pub(crate) fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where this program lies.
pub(crate) fn program() -> PathBuf {
    env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default()
}

/// Where the first program of this name in `PATH` lies, which is the one that kubectl starts.
pub(crate) fn found_in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&path).map(|folder| folder.join(&name)).find(|path| path.is_file())?.canonicalize().ok()
}

/// The folder for what may be lost: `$XDG_CACHE_HOME`, or the one that the system has for it.
pub(crate) fn cache_folder() -> Result<PathBuf, Failure> {
    let given = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let found = given("XDG_CACHE_HOME").or_else(|| given("LOCALAPPDATA")).or_else(|| Some(given("HOME")?.join(usual)));
    let found = found.filter(|path| path.is_absolute());
    Ok(found.ok_or_else(|| Failure::other("set HOME: there is no folder to keep a login in"))?.join(crate::cache::NAME))
}

/// Whether a browser can be opened where somebody sees it.
pub(crate) fn has_browser() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("SSH_CONNECTION") || set("SSH_TTY") {
        return false;
    }
    cfg!(not(target_os = "linux")) || set("DISPLAY") || set("WAYLAND_DISPLAY") || set("BROWSER")
}

/// Whether somebody sits at this terminal.
pub(crate) fn is_terminal() -> bool {
    stdin().is_terminal()
}

/// Whether somebody sees what is told to people.
pub(crate) fn is_seen() -> bool {
    stderr().is_terminal()
}

/// What this machine is called, for the page that asks whose device it is.
#[cfg(unix)]
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What this machine is called, for the page that asks whose device it is.
#[cfg(windows)]
pub(crate) fn host_name() -> String {
    given("COMPUTERNAME").unwrap_or_else(|| "Windows".to_owned())
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A moment after which nothing is waited for any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }

    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.0
    }
}

pub(crate) fn pause(wait: Duration) {
    thread::sleep(wait);
}
