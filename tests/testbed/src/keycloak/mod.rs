//! Keycloak as a site's issuer: a realm with a client, groups and people, whom its administrator changes.

mod install;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use url::Url;

use crate::http::Client;
use crate::pki::{Ca, Leaf};
use crate::process::Process;
use crate::programs::say;
use crate::state::StateDir;
use crate::{packages, ports, wait};

const NAME: &str = "keycloak";

/// A running Keycloak. Stops when dropped.
#[derive(Debug)]
pub struct Keycloak {
    port: u16,
    ca: Ca,
    client: Client,
    process: Process,
}

impl Keycloak {
    /// The gateway's id there.
    pub const CLIENT: &'static str = "gatewarden";
    /// The gateway's secret there.
    pub const SECRET: &'static str = "a-secret-between-keycloak-and-its-gateway";
    /// Its administrator.
    pub const ADMIN: &'static str = "admin";
    /// The administrator's password.
    pub const ADMIN_PASSWORD: &'static str = "Password of admin";

    /// Brings what this machine lacks. A machine that cannot have Keycloak tests everything else, and is told so.
    pub fn fetch() {
        if let Err(fault) = install::fetch() {
            say(&format!("tests with Keycloak will be skipped, since it cannot be had: {fault:#}"));
        }
    }

    /// Why it cannot run here, in the operator's words.
    pub fn unsupported() -> Option<String> {
        let absent = !install::dir().is_dir() || packages::find("java").is_none();
        absent.then(|| "Keycloak is not installed: `testbed fetch` installs it, or tells why it cannot".into())
    }

    /// Starts it with the people of `data/keycloak-realm.json`, whose passwords are `Password of <login>`.
    ///
    /// # Errors
    /// When it is not installed, or does not answer.
    pub fn start(dir: &Path) -> Result<Self> {
        let state = StateDir::create(dir)?;
        let ca = Ca::open(&state.path("pki"))?;
        let leaf = ca.server(NAME, &["localhost", "127.0.0.1"])?;
        let port = ports::free()?;
        let home = install::home(&state)?;
        // Java asks the system, which may know no names below `localhost`.
        let hosts = state.write("hosts", "127.0.0.1 localhost console.localhost\n")?;
        let mut command = install::command(&home, Some(&hosts))?;
        command
            .args([format!("--https-port={port}"), format!("--hostname=https://localhost:{port}")])
            .arg(format!("--https-certificate-file={}", leaf.certificate.display()))
            .arg(format!("--https-certificate-key-file={}", leaf.key.display()))
            .arg(format!("--truststore-paths={}", ca.certificate().display()));
        let process = Process::start(&state, NAME, command)?;
        let client = Client::trusting(&ca.certificate())?;
        let keycloak = Self { port, ca, client, process };
        wait::until("Keycloak to answer", wait::START, || {
            keycloak.process.check()?;
            Ok(keycloak.client.get(&keycloak.url()).ok().filter(|answer| answer.status == 200))
        })
        .with_context(|| keycloak.process.log_tail(8))?;
        Ok(keycloak)
    }

    /// Its identifier, which is the address of its realm.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/realms/site", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority behind its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.certificate()
    }

    /// A certificate that it believes: of the authority that its own is of.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn leaf(&self, file: &str, names: &[&str]) -> Result<Leaf> {
        self.ca.server(file, names)
    }

    /// Lets the gateway's browsers come back to this address.
    ///
    /// # Errors
    /// When the administrator is refused.
    pub fn allow_callback(&self, callback: &str) -> Result<()> {
        self.alter_client(json!({ "redirectUris": [callback] }))
    }

    /// Tells this address when somebody's login here is over.
    ///
    /// # Errors
    /// When the administrator is refused.
    pub fn tell(&self, address: &str) -> Result<()> {
        let attributes = json!({ "backchannel.logout.url": address, "backchannel.logout.session.required": "true" });
        self.alter_client(json!({ "attributes": attributes }))
    }

    /// Ends all logins of a person, as its administrator does.
    ///
    /// # Errors
    /// As [`Keycloak::edit`].
    pub fn log_out(&self, login: &str) -> Result<()> {
        self.administer("POST", &format!("users/{}/logout", self.person(login)?), None).map(drop)
    }

    /// Changes what it holds of the gateway.
    fn alter_client(&self, change: Value) -> Result<()> {
        let found = self.administer("GET", &format!("clients?clientId={}", Self::CLIENT), None)?;
        let id = id_of(&found).context("the gateway's client")?;
        self.administer("PUT", &format!("clients/{id}"), Some(change)).map(drop)
    }

    /// Where the login form of this page is sent; `None` when it has none.
    pub fn login_form(page: &str) -> Option<Url> {
        let (_, form) = page.split_once(r#"id="kc-form-login""#)?;
        let (_, action) = form.split_once(r#"action=""#)?;
        action.split('"').next()?.replace("&amp;", "&").parse().ok()
    }

    /// Adds a person.
    ///
    /// # Errors
    /// When the administrator is refused.
    pub fn add(&self, login: &str, password: &str, groups: &[&str]) -> Result<()> {
        let groups: Vec<_> = groups.iter().map(|group| format!("/{group}")).collect();
        // Without a name and an address the person would be asked for them at the first login.
        let person = json!({
            "username": login, "enabled": true, "email": format!("{login}@example.org"), "emailVerified": true,
            "firstName": login, "lastName": "of the site", "groups": groups,
            "credentials": [{ "type": "password", "value": password, "temporary": false }],
        });
        self.administer("POST", "users", Some(person)).map(drop)
    }

    /// Changes what Keycloak holds of a person: `enabled`, `username`.
    ///
    /// # Errors
    /// When there is no such person, or the administrator is refused.
    pub fn edit(&self, login: &str, change: Value) -> Result<()> {
        self.administer("PUT", &format!("users/{}", self.person(login)?), Some(change)).map(drop)
    }

    /// Takes a person out.
    ///
    /// # Errors
    /// As [`Keycloak::edit`].
    pub fn remove(&self, login: &str) -> Result<()> {
        self.administer("DELETE", &format!("users/{}", self.person(login)?), None).map(drop)
    }

    /// Puts a person into a group.
    ///
    /// # Errors
    /// As [`Keycloak::edit`], and when there is no such group.
    pub fn join(&self, login: &str, group: &str) -> Result<()> {
        let place = format!("users/{}/groups/{}", self.person(login)?, self.group(group)?);
        self.administer("PUT", &place, None).map(drop)
    }

    /// Takes a person out of a group.
    ///
    /// # Errors
    /// As [`Keycloak::join`].
    pub fn leave(&self, login: &str, group: &str) -> Result<()> {
        let place = format!("users/{}/groups/{}", self.person(login)?, self.group(group)?);
        self.administer("DELETE", &place, None).map(drop)
    }

    /// Leaves it running when this value goes; [`crate::down()`] stops it.
    pub fn detach(mut self) {
        self.process.detach();
    }

    fn person(&self, login: &str) -> Result<String> {
        let found = self.administer("GET", &format!("users?exact=true&username={}", encoded(login)), None)?;
        id_of(&found).with_context(|| format!("nobody is called {login}"))
    }

    fn group(&self, name: &str) -> Result<String> {
        let found = self.administer("GET", &format!("groups?exact=true&search={}", encoded(name)), None)?;
        id_of(&found).with_context(|| format!("no group is called {name}"))
    }

    /// One request to the realm's administration, with a token of its own: they last a minute.
    fn administer(&self, method: &str, place: &str, body: Option<Value>) -> Result<Value> {
        let root = format!("https://localhost:{}", self.port);
        let token = format!("{root}/realms/master/protocol/openid-connect/token");
        let password = [("grant_type", "password"), ("client_id", "admin-cli")];
        let who = [("username", Self::ADMIN), ("password", Self::ADMIN_PASSWORD)];
        let answer = self.client.post_form(&token, &[password, who].concat())?;
        let told = answer.json()?;
        let token = told.get("access_token").and_then(Value::as_str).with_context(|| answer.body.clone())?;
        let client = self.client.clone().with_token(token);
        let place = format!("{root}/admin/realms/site/{place}");
        let answer = client.send(method, &place, body.map(|body| body.to_string()).as_deref())?;
        ensure!((200..300).contains(&answer.status), "{method} {place}: {} {}", answer.status, answer.body);
        if answer.body.is_empty() { Ok(Value::Null) } else { answer.json() }
    }
}

fn id_of(found: &Value) -> Option<String> {
    found.pointer("/0/id")?.as_str().map(str::to_owned)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
