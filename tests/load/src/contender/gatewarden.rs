//! The gateway: authentication, identity headers, metrics and audit on, as an operator runs it.

use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Answer, Https, Protocol};
use serde_json::{Value, json};
use testbed::process::Process;
use testbed::{Place, StateDir, http, kept, wait};

use super::{Contender, Ground};
use crate::spent::Group;

/// The gateway and what its users do.
#[derive(Debug)]
pub struct Gatewarden {
    place: Place,
    ca: PathBuf,
    process: Process,
    /// From the start of the process until it said that it is ready.
    pub(crate) ready: Duration,
}

const PERSON: &str = "alice";
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
        let place = Place::new(&ground.dir.join("gatewarden"))?;
        place.write("impersonator", kept::IMPERSONATOR)?;
        place.write("reviewer", kept::REVIEWER)?;
        place.write("gatewarden.yaml", &config(&place, ground))?;
        // The first start makes keys; what is timed is the start of a gateway that has them.
        let user = ["user", "add", PERSON, "--group", "dev", "--group", "ops", "--group", "qa", "--password-stdin"];
        place.run_with_input(&user, PASSWORD.as_bytes())?.ok()?;
        let first = serve(&place, place.command(&["serve"])?)?;
        drop(first);
        let (process, ready) = serve(&place, command(place.command(&["serve"])?)?)?;
        Ok(Self { place, ca: ground.ca_file(), process, ready })
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
        let token = self.login()?;
        let contender = Contender {
            name: "gatewarden",
            upstream: "HTTP/2",
            group: self.group(),
            port: self.place.port,
            path: super::pod(),
            token: Some(token.clone()),
            _process: None,
        };
        let path = contender
            .url()
            .split_once("127.0.0.1")
            .and_then(|(_, rest)| rest.split_once('/'))
            .context("path")?
            .1
            .to_owned();
        wait::until("the stub to be proven", Duration::from_secs(30), || {
            let request = ::http::Request::get(format!("/{path}")).header("authorization", format!("Bearer {token}"));
            let answer = self.https()?.send(Protocol::Http2, request.body(Bytes::new())?)?;
            ensure!([200, 503].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text());
            Ok((answer.status == 200).then_some(()))
        })?;
        Ok(contender)
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

fn config(place: &Place, ground: &Ground) -> String {
    format!(
        r#"apiVersion: gatewarden/v1
listeners:
  main: {{ address: "127.0.0.1:{port}", tls: {{ certificateFile: {certificate}, keyFile: {key}, caFile: {ca} }} }}
  operations: {{ address: "127.0.0.1:{operations}" }}
hosts: {{ clusters: [localhost, "127.0.0.1"] }}
stateDir: ./state
providers:
  - {{ id: local, kind: local }}
clusters:
  - id: stub
    server: https://127.0.0.1:{stub}
    caFile: {ca}
    impersonator: {{ tokenFile: ./impersonator }}
    reviewer: {{ tokenFile: ./reviewer }}
grants:
  - {{ subjects: ["group:local:dev"], clusters: ["*"] }}
audit: {{ file: ./audit.log }}
limits: {{ clusterConnections: 64, userRate: 1000000, userBurst: 1000000, userInFlight: 100000, userLongRunning: 100000, sourceRate: 1000000, sourceBurst: 1000000, sourceFailureRate: 10000, sourceFailureBurst: 10000 }}
"#,
        port = place.port,
        operations = place.operations_port,
        certificate = ground.leaf.certificate.display(),
        key = ground.leaf.key.display(),
        stub = ground.stub,
        ca = ground.ca.display(),
    )
}
