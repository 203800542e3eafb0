//! The gateway: authentication, identity headers, metrics and audit on, as an operator runs it.

use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{Answer, Https, Protocol};
use serde_json::{Value, json};
use testbed::process::Process;
use testbed::{Place, StateDir, http, kept, wait};

use super::{CONSOLE, Contender, Ground};
use crate::spent::Group;
use crate::visitor::Visitor;

/// The gateway and what its users do.
#[derive(Debug)]
pub struct Gatewarden {
    place: Place,
    ca: PathBuf,
    process: Process,
    /// From the start of the process until it said that it is ready.
    pub(crate) ready: Duration,
}

/// Who logs in, in the groups `dev`, `ops` and `qa`.
pub(crate) const PERSON: &str = "alice";
const PASSWORD: &str = "correct horse battery staple";
/// How often the start of the process is looked at.
const LOOK: Duration = Duration::from_millis(1);

impl Gatewarden {
    /// Starts it in front of the stub, and times the start.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start(ground: &Ground) -> Result<Self> {
        Self::start_as(ground, Ok)
    }

    /// The same, by another command than the usual one.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start_as(ground: &Ground, command: impl Fn(Command) -> Result<Command>) -> Result<Self> {
        Self::start_in(ground, ("gatewarden", &stub(ground)), command)
    }

    /// The same in another folder.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) fn start_alone(ground: &Ground, folder: &str) -> Result<Self> {
        Self::start_in(ground, (folder, &stub(ground)), Ok)
    }

    /// The same in front of these clusters, as YAML list items.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) fn start_in(
        ground: &Ground,
        (folder, clusters): (&str, &str),
        command: impl Fn(Command) -> Result<Command>,
    ) -> Result<Self> {
        let place = Place::new(&ground.folder(folder))?;
        place.write("impersonator", kept::IMPERSONATOR)?;
        place.write("reviewer", kept::REVIEWER)?;
        place.write("gatewarden.yaml", &config(&place, ground, clusters))?;
        // The first start makes keys; what is timed is the start of a gateway that has them.
        let user = ["user", "add", PERSON, "--group", "dev", "--group", "ops", "--group", "qa", "--password-stdin"];
        place.run_with_input(&user, PASSWORD.as_bytes())?.ok()?;
        let first = serve(&place, place.command(&["serve"])?)?;
        drop(first);
        let (process, ready) = serve(&place, command(place.command(&["serve"])?)?)?;
        Ok(Self { place, ca: ground.ca.clone(), process, ready })
    }

    /// Stops it and times further starts.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) fn start_again(self, times: usize) -> Result<Vec<Duration>> {
        let Self { place, process, .. } = self;
        drop(process);
        (0..times).map(|_| Ok(serve(&place, place.command(&["serve"])?)?.1)).collect()
    }

    /// It as a server under load, for a person who is logged in.
    ///
    /// # Errors
    /// When the login fails or the upstream is not proven in time.
    pub fn contender(&self) -> Result<Contender> {
        self.contender_for(super::pod())
    }

    /// The same for another request.
    ///
    /// # Errors
    /// As [`Self::contender`].
    pub(crate) fn contender_for(&self, path: String) -> Result<Contender> {
        let contender = Contender {
            name: "gatewarden",
            upstream: "HTTP/2",
            group: self.group(),
            ca: self.ca.clone(),
            certificate: None,
            port: self.place.port,
            path,
            token: Some(self.login()?),
            _process: None,
        };
        // An API server that has to read whom it trusts takes its time.
        wait::until("the cluster to be proven", wait::START, || {
            let answer = contender.https()?.send(Protocol::Http2, contender.request()?)?;
            ensure!([200, 503].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text());
            Ok((answer.status == 200).then_some(()))
        })?;
        Ok(contender)
    }

    /// Somebody who has not logged in, at the console's host.
    ///
    /// # Errors
    /// When the authority's certificate is unreadable.
    pub(crate) fn visitor(&self) -> Result<Visitor> {
        Visitor::new(self.place.port, &self.ca, (PERSON, PASSWORD))
    }

    /// What a command of it prints.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Result<String> {
        self.place.run(arguments)?.ok()
    }

    /// What a program of a user must know of it: its address, and the authority behind its certificate.
    pub(crate) fn address(&self) -> (String, PathBuf) {
        (self.place.url(), self.ca.clone())
    }

    /// Logs a person in and returns the token.
    ///
    /// # Errors
    /// When the login is refused.
    pub fn login(&self) -> Result<String> {
        let body = json!({ "username": PERSON, "password": PASSWORD }).to_string();
        let request = ::http::Request::post("/api/v1/providers/local/login").header("content-type", "application/json");
        let answer: Answer = self.https()?.send(Protocol::Http2, request.body(body.into())?)?;
        ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
        Ok(answer.json()?.get("token").and_then(Value::as_str).context("a token")?.to_owned())
    }

    /// Its processes.
    pub(crate) fn group(&self) -> Group {
        Group(self.process.pid())
    }

    fn https(&self) -> Result<Https> {
        Https::new("localhost", self.place.port, &self.ca)
    }
}

fn serve(place: &Place, program: Command) -> Result<(Process, Duration)> {
    let url = format!("{}/readyz", place.operations_url());
    let state = StateDir::open(place.config_file().parent().context("a folder")?)?;
    let begun = Instant::now();
    let process = Process::start(&state, "gatewarden", program)?;
    while !http::get(&url).is_ok_and(|response| response.status == 200) {
        process.check()?;
        ensure!(begun.elapsed() < Duration::from_secs(30), "not ready: {}", process.log_tail(8));
        sleep(LOOK);
    }
    Ok((process, begun.elapsed()))
}

/// The stub as a cluster.
fn stub(ground: &Ground) -> String {
    let (port, ca) = (ground.stub, ground.ca.display());
    let accounts = "impersonator: { tokenFile: ./impersonator }, reviewer: { tokenFile: ./reviewer }";
    format!("  - {{ id: stub, server: \"https://127.0.0.1:{port}\", caFile: {ca}, {accounts} }}\n")
}

fn config(place: &Place, ground: &Ground, clusters: &str) -> String {
    format!(
        r#"apiVersion: gatewarden/v1
listeners:
  main: {{ address: "127.0.0.1:{port}", tls: {{ certificateFile: {certificate}, keyFile: {key}, caFile: {ca} }} }}
  operations: {{ address: "127.0.0.1:{operations}" }}
hosts: {{ clusters: [localhost, "127.0.0.1"], console: {CONSOLE} }}
stateDir: ./state
providers:
  - {{ id: local, kind: local }}
clusters:
{clusters}sessions: {{ perUser: 100000 }}
grants:
  - {{ subjects: ["group:local:dev"], clusters: ["*"] }}
audit: {{ file: ./audit.log }}
limits: {{ clusterConnections: 64, userRate: 1000000, userBurst: 1000000, userInFlight: 100000, userLongRunning: 100000, sourceRate: 1000000, sourceBurst: 1000000, sourceFailureRate: 10000, sourceFailureBurst: 10000 }}
"#,
        port = place.port,
        operations = place.operations_port,
        certificate = ground.leaf.certificate.display(),
        key = ground.leaf.key.display(),
        ca = ground.ca.display(),
    )
}
