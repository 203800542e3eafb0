//! The real kubectl, as one person at one cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::Running;

/// kubectl with one kubeconfig.
#[derive(Debug, Clone)]
pub struct Kubectl {
    plain: testbed::Kubectl,
    env: Vec<(&'static str, String)>,
    flags: Vec<String>,
}

/// How exec, attach, cp and port-forward are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// What kubectl prefers today.
    WebSocket,
    /// What older clients speak.
    Spdy,
}

/// What a finished command left.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Kubectl {
    /// Makes a kubectl that uses `kubeconfig`.
    pub fn new(kubeconfig: &Path) -> Self {
        Self { plain: testbed::Kubectl::new(kubeconfig), env: Vec::new(), flags: Vec::new() }
    }

    /// The same with one more environment variable.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// The same with flags in front of every command.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// The same over one transport and no other.
    #[must_use]
    pub fn over(self, transport: Transport) -> Self {
        let value = if transport == Transport::WebSocket { "true" } else { "false" };
        self.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", value).env("KUBECTL_PORT_FORWARD_WEBSOCKETS", value)
    }

    /// The program itself, for whoever gives it another kubeconfig.
    ///
    /// # Errors
    ///
    /// When it is not built.
    pub fn program(&self) -> Result<PathBuf> {
        Ok(PathBuf::from(self.plain.command(&[])?.get_program()))
    }

    /// Runs to the end, whatever that is.
    ///
    /// # Errors
    ///
    /// When kubectl cannot be started, or does not end.
    pub fn run(&self, arguments: &[&str]) -> Result<Outcome> {
        self.feed(arguments, b"")
    }

    /// Runs to the end with `input` on standard input.
    ///
    /// # Errors
    ///
    /// When kubectl cannot be started, or does not end.
    pub fn feed(&self, arguments: &[&str], input: &[u8]) -> Result<Outcome> {
        let output = testbed::bounded::run(self.command(arguments)?, input, testbed::bounded::LIMIT)?;
        Ok(Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs what must succeed, and returns its output.
    ///
    /// # Errors
    ///
    /// When it fails; the error holds what it said.
    pub fn ok(&self, arguments: &[&str]) -> Result<String> {
        let outcome = self.run(arguments)?;
        ensure!(outcome.code == 0, "kubectl {arguments:?} ended with {}: {}", outcome.code, outcome.stderr);
        Ok(outcome.text())
    }

    /// Runs what must fail, and returns what it said on standard error.
    ///
    /// # Errors
    ///
    /// When it succeeds.
    pub fn refused(&self, arguments: &[&str]) -> Result<String> {
        let outcome = self.run(arguments)?;
        ensure!(outcome.code != 0, "kubectl {arguments:?} was allowed: {}", outcome.text());
        Ok(outcome.stderr)
    }

    /// Applies a manifest.
    ///
    /// # Errors
    ///
    /// When the cluster does not take it.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        let outcome = self.feed(&["apply", "-f", "-"], manifest.as_bytes())?;
        ensure!(outcome.code == 0, "apply: {}\n{manifest}", outcome.stderr);
        Ok(outcome.text())
    }

    /// Creates what is too large for an annotation that repeats it.
    ///
    /// # Errors
    ///
    /// When the cluster does not take it.
    pub fn apply_large(&self, manifest: &str) -> Result<String> {
        let outcome = self.feed(&["apply", "--server-side", "-f", "-"], manifest.as_bytes())?;
        ensure!(outcome.code == 0, "apply: {}", outcome.stderr);
        Ok(outcome.text())
    }

    /// Starts what goes on.
    ///
    /// # Errors
    ///
    /// When kubectl cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Result<Running> {
        Running::start(self.command(arguments)?)
    }

    /// Starts what goes on, on a terminal of its own.
    ///
    /// # Errors
    ///
    /// When `script` cannot be started.
    pub fn start_on_terminal(&self, arguments: &[&str]) -> Result<Running> {
        let plain = self.command(arguments)?;
        let words: Vec<String> = std::iter::once(plain.get_program())
            .chain(plain.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
            .collect();
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", &words.join(" "), "/dev/null"]);
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Running::start(command)
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let flags = self.flags.iter().map(String::as_str);
        let words: Vec<&str> = flags.chain(arguments.iter().copied()).collect();
        let mut command = self.plain.command(&words)?;
        command.envs(self.env.iter().map(|(name, value)| (*name, value.as_str())));
        Ok(command)
    }
}
