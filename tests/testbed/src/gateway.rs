//! The gateway under test: the built `gatewarden serve`, with a configuration given as text.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::kubectl::{Output, run_with_input};
use crate::process::Process;
use crate::reaper::{self, sibling};
use crate::state::StateDir;
use crate::{http, ports, wait};

/// Names the program when it does not stand beside the one that runs.
const PROGRAM: &str = "GATEWARDEN_PROGRAM";

const NAME: &str = "gatewarden";

/// A running gateway. Stops when dropped, unless it was detached.
#[derive(Debug)]
pub struct Gateway {
    place: Place,
    process: Option<Process>,
}

/// Where a gateway is to run: a folder and two ports. Its configuration is written from it.
#[derive(Debug, Clone)]
pub struct Place {
    state: StateDir,
    /// The port for clients.
    pub port: u16,
    /// The port for metrics and health.
    pub operations_port: u16,
}

impl Place {
    /// A folder and two free ports.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(dir: &Path) -> Result<Self> {
        Ok(Self { state: StateDir::create(dir)?, port: ports::free()?, operations_port: ports::free()? })
    }

    /// A file in the gateway's folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.state.path(relative)
    }

    /// Writes a file (mode 0600) into the gateway's folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, relative: &str, content: &str) -> Result<PathBuf> {
        self.state.write(relative, content)
    }

    /// The configuration file's path.
    pub fn config_file(&self) -> PathBuf {
        self.state.path("gatewarden.yaml")
    }

    /// `https://localhost:<port>`
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// `http://127.0.0.1:<operations port>`
    pub fn operations_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.operations_port)
    }

    /// A `gatewarden` command that reads this place's configuration.
    ///
    /// # Errors
    /// When the program was not built.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(program()?);
        command.args(arguments).env("GATEWARDEN_CONFIG", self.config_file());
        Ok(command)
    }

    /// Runs a `gatewarden` command to its end, with nothing on its standard input.
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.run_with_input(arguments, b"")
    }

    /// The same with standard input (passwords are read from there).
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Result<Output> {
        run_with_input(self.command(arguments)?, input)
    }
}

impl Gateway {
    /// Writes the configuration, starts the gateway and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it refuses the configuration or ends early; the error shows its last lines.
    pub fn start(place: &Place, config: &str) -> Result<Self> {
        place.write("gatewarden.yaml", config)?;
        let mut gateway = Self { place: place.clone(), process: None };
        gateway.restart()?;
        Ok(gateway)
    }

    /// Starts it again in its place, as it was stopped or killed.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart(&mut self) -> Result<()> {
        let command = self.place.command(&["serve"])?;
        self.start_by(command)
    }

    /// The same under another clock: `+10m` is ten minutes ahead. Only what time it is moves, and no timer.
    ///
    /// # Errors
    /// As [`Self::restart`].
    pub fn restart_under(&mut self, clock: &str) -> Result<()> {
        let mut command = self.place.command(&["serve"])?;
        // The dynamic linker knows what `$LIB` is here.
        command.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1").env("FAKETIME", clock);
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        self.start_by(command)
    }

    fn start_by(&mut self, command: Command) -> Result<()> {
        self.stop()?;
        let process = Process::start(&self.place.state, NAME, command)?;
        let ready = format!("{}/readyz", self.place.operations_url());
        wait::until("gatewarden to be ready", Duration::from_secs(60), || {
            process.check()?;
            Ok(http::get(&ready).is_ok_and(|response| response.status == 200).then_some(()))
        })
        .with_context(|| process.log_tail(8))?;
        self.process = Some(process);
        Ok(())
    }

    /// Where it runs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// `https://localhost:<port>`
    pub fn url(&self) -> String {
        self.place.url()
    }

    /// Everything it wrote so far.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.place.state.log(NAME))?)
    }

    /// Its log lines that are JSON.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log_lines(&self) -> Result<Vec<Value>> {
        Ok(self.log()?.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// The running process, if it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref().filter(|process| process.is_running())
    }

    /// Replaces the configuration file and asks for a reload.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reload(&self, config: &str) -> Result<()> {
        self.place.write("gatewarden.yaml", config)?;
        if let Some(process) = self.process() {
            process.hang_up();
        }
        Ok(())
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop(Duration::from_secs(45)))
    }

    /// Ends it without a word, as a power cut would.
    ///
    /// # Errors
    /// When it survives.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Leaves it running when this value goes; [`crate::down()`] stops it.
    pub fn detach(mut self) {
        reaper::forget(self.place.state.root());
        if let Some(process) = &mut self.process {
            process.detach();
        }
    }
}

/// The built program: named by the environment, or beside the one that runs.
fn program() -> Result<PathBuf> {
    let named = env::var_os(PROGRAM).map(PathBuf::from);
    named.or_else(|| sibling(NAME)).context("gatewarden is not built: run `cargo build -p gatewarden`")
}
