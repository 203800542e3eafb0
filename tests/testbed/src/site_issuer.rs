//! A site's own OpenID Connect issuer: panva's oidc-provider, with people that a test may change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::pki::Ca;
use crate::process::Process;
use crate::state::StateDir;
use crate::{npm, packages, ports, reaper, wait};

const NAME: &str = "site-issuer";
const SCRIPT: &str = include_str!("../data/site-issuer.mjs");
const PEOPLE: &str = "people.json";
const GATEWAY: &str = "gateway.json";

/// A running issuer. Stops when dropped.
#[derive(Debug)]
pub struct SiteIssuer {
    state: StateDir,
    port: u16,
    ca: Ca,
    people: Mutex<BTreeMap<String, Value>>,
    process: Option<Process>,
}

impl SiteIssuer {
    /// The gateway's id there.
    pub const CLIENT: &'static str = "gatewarden";
    /// The gateway's secret there.
    pub const SECRET: &'static str = "a-secret-between-the-site-and-its-gateway";

    /// Starts an issuer with nobody in it.
    ///
    /// # Errors
    /// When Node.js or the package is not installed, or it does not answer.
    pub fn start(dir: &Path) -> Result<Self> {
        let state = StateDir::create(dir)?;
        let ca = Ca::open(&state.path("pki"))?;
        let leaf = ca.server(NAME, &["localhost", "127.0.0.1"])?;
        let port = ports::free()?;
        state.write("site-issuer.mjs", SCRIPT)?;
        npm::link_into(state.root())?;
        let settings = json!({
            "issuer": format!("https://localhost:{port}"),
            "key": leaf.key,
            "certificate": leaf.certificate,
            "people": state.path(PEOPLE),
            "gateway": state.path(GATEWAY),
        });
        state.write("settings.json", &settings.to_string())?;
        let mut issuer = Self { state, port, ca, people: Mutex::default(), process: None };
        issuer.change(|_| {})?;
        issuer.resume()?;
        Ok(issuer)
    }

    /// Its identifier, which is its address.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority behind its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.certificate()
    }

    /// What it wrote.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.state.log(NAME))?)
    }

    /// Adds a person, or puts another in their place. Their id is their login behind `sub-`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&self, login: &str, password: &str, groups: &[&str]) -> Result<()> {
        let person = json!({"login": login, "password": password, "groups": groups});
        self.change(|people| _ = people.insert(format!("sub-{login}"), person))
    }

    /// Takes a person out.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, login: &str) -> Result<()> {
        self.change(|people| _ = people.remove(&format!("sub-{login}")))
    }

    /// Tells the gateway that listens on this port, and shows a certificate of this authority, when a login here is over.
    /// Before, nobody is told.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn tell(&self, port: u16, ca_file: &Path) -> Result<()> {
        self.state.write(GATEWAY, &json!({"port": port, "ca": ca_file}).to_string()).map(drop)
    }

    /// Stops it: an issuer that is down.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop(Duration::from_secs(10)))
    }

    /// Starts it again on the same port with the same people. What it had issued is gone.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn resume(&mut self) -> Result<()> {
        let mut command = packages::command("node")?;
        command.arg("site-issuer.mjs").arg("settings.json").current_dir(self.state.root());
        let process = Process::start(&self.state, NAME, command)?;
        wait::until("the site's issuer to listen", wait::START, || {
            process.check()?;
            Ok(std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok().then_some(()))
        })
        .with_context(|| process.log_tail(8))?;
        self.process = Some(process);
        Ok(())
    }

    /// Leaves it running when this value goes; [`crate::down()`] stops it.
    pub fn detach(mut self) {
        reaper::forget(self.state.root());
        if let Some(process) = &mut self.process {
            process.detach();
        }
    }

    /// Changes people, each under an id that is theirs for good: their `login`, `password`, `groups` and `disabled`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Value>)) -> Result<()> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut people);
        // Written beside and renamed, because it is read at any moment.
        let next = self.state.write("people.next", &serde_json::to_string(&*people)?)?;
        Ok(fs::rename(next, self.state.path(PEOPLE))?)
    }
}
