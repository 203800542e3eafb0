//! Who is measured: the stub alone, and each proxy in front of it, TLS on both sides.

mod apiserver;
mod gatewarden;
mod haproxy;
mod nginx;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use e2e::Https;
use testbed::pki::{Ca, Leaf};
use testbed::process::Process;
use testbed::{StateDir, packages, ports, wait};

pub(crate) use apiserver::{ApiServer, PATH as OBJECT};
pub use gatewarden::Gatewarden;
pub(crate) use gatewarden::PERSON;

use crate::spent::Group;

/// What every cluster path begins with; the stub answers it under any prefix.
pub(crate) const PREFIX: &str = "/k8s/clusters/stub";

/// Where people log in; all programs here know that it is this machine.
pub(crate) const CONSOLE: &str = "console.localhost";

/// One server under load.
#[derive(Debug)]
pub struct Contender {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// What it speaks to the stub.
    pub(crate) upstream: &'static str,
    /// Its processes.
    pub(crate) group: Group,
    /// The file with the authority behind its certificate.
    pub(crate) ca: PathBuf,
    /// What is shown to it in the handshake.
    pub(crate) certificate: Option<Leaf>,
    port: u16,
    path: String,
    token: Option<String>,
    _process: Option<Process>,
}

/// Where the contenders live: a folder, their common certificate, and the stub that all stand in front of.
#[derive(Debug)]
pub struct Ground {
    dir: PathBuf,
    ca: PathBuf,
    leaf: Leaf,
    stub: u16,
}

impl Contender {
    /// What all requests ask for.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}{}", self.port, self.path)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// What every request asks, with its headers.
    ///
    /// # Errors
    /// When a header is no header.
    pub fn request(&self) -> Result<::http::Request<Bytes>> {
        let uri: ::http::Uri = self.url().parse()?;
        let path = uri.path_and_query().context("a path")?.as_str();
        let builder = self
            .headers()
            .into_iter()
            .fold(::http::Request::get(path), |builder, (name, value)| builder.header(name, value));
        Ok(builder.body(Bytes::new())?)
    }

    /// A client of it.
    ///
    /// # Errors
    /// When the authority's certificate is unreadable.
    pub fn https(&self) -> Result<Https> {
        Https::new("localhost", self.port, &self.ca)
    }

    /// What every request carries.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let token = self.token.iter().map(|token| ("authorization", format!("Bearer {token}")));
        token.chain([("accept", "application/json".to_owned()), ("user-agent", "kubectl/v1.36.3".to_owned())]).collect()
    }
}

impl Ground {
    /// Makes the certificates and starts the stub.
    ///
    /// # Errors
    /// When the stub does not come up.
    pub fn prepare(dir: &Path) -> Result<(Self, Contender)> {
        let ca = Ca::open(&dir.join("ca"))?;
        let leaf = ca.server("server", &["localhost", "127.0.0.1", CONSOLE])?;
        let ground = Self { dir: dir.to_owned(), ca: ca.certificate(), leaf, stub: ports::free()? };
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["stub", "--port", &ground.stub.to_string()]);
        command.arg("--certificate").arg(&ground.leaf.certificate).arg("--key").arg(&ground.leaf.key);
        let stub = ground.start("none", "", ground.stub, command)?;
        Ok((ground, stub))
    }

    /// Starts nginx.
    ///
    /// # Errors
    /// When it is not installed or refuses its configuration.
    pub(crate) fn nginx(&self) -> Result<Contender> {
        let port = ports::free()?;
        let state = self.state("nginx")?;
        let file = state.write("nginx.conf", &nginx::config(self, state.root(), port))?;
        let mut command = program("nginx")?;
        command.arg("-p").arg(state.root()).arg("-c").arg(file);
        self.start("nginx", "HTTP/1.1", port, command)
    }

    /// Starts HAProxy.
    ///
    /// # Errors
    /// When it is not installed or refuses its configuration.
    pub(crate) fn haproxy(&self) -> Result<Contender> {
        let port = ports::free()?;
        let state = self.state("haproxy")?;
        // One file with certificate and key is what it reads.
        let pem = std::fs::read_to_string(&self.leaf.certificate)? + &std::fs::read_to_string(&self.leaf.key)?;
        let pem = state.write("server.pem", &pem)?;
        let file = state.write("haproxy.cfg", &haproxy::config(self, &pem, port))?;
        let mut command = program("haproxy")?;
        command.arg("-db").arg("-f").arg(file);
        self.start("haproxy", "HTTP/2", port, command)
    }

    /// A folder in it.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn state(&self, name: &str) -> Result<StateDir> {
        StateDir::create(&self.folder(name))
    }

    fn start(&self, name: &'static str, upstream: &'static str, port: u16, command: Command) -> Result<Contender> {
        let process = Process::start(&self.state(name)?, name, command)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait::until(name, Duration::from_secs(30), || {
            process.check()?;
            Ok(TcpStream::connect(address).ok())
        })?;
        let group = Group(process.pid());
        let (ca, path) = (self.ca.clone(), pod());
        Ok(Contender { name, upstream, group, ca, certificate: None, port, path, token: None, _process: Some(process) })
    }
}

/// The Pod that is asked for wherever the stub stands behind.
fn pod() -> String {
    format!("{PREFIX}/api/v1/namespaces/dev/pods/web")
}

fn program(name: &str) -> Result<Command> {
    let path = packages::find(name).with_context(|| format!("{name} is not installed: run `load fetch`"))?;
    Ok(Command::new(path))
}
