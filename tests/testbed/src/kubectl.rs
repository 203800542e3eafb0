//! The real kubectl, with one kubeconfig.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{bounded, packages, programs};

/// kubectl as the holder of one kubeconfig.
#[derive(Debug, Clone)]
pub struct Kubectl {
    kubeconfig: PathBuf,
    cache: PathBuf,
}

/// What a program that ended left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote, as text.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Kubectl {
    /// kubectl with this kubeconfig; its discovery cache lies beside the file and not in anyone's home.
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        let kubeconfig = kubeconfig.into();
        let cache = kubeconfig.with_extension("cache");
        Self { kubeconfig, cache }
    }

    /// The kubeconfig's path.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The command, for tests that stream, signal or attach a terminal.
    ///
    /// # Errors
    /// When kubectl was neither compiled nor installed.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let program = programs::program("kubectl").or_else(|error| packages::find("kubectl").ok_or(error))?;
        let mut command = Command::new(program);
        command.env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", &self.cache).args(arguments);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name); // everything here is on loopback
        }
        Ok(command)
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be run at all, or does not end.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.run_with_input(arguments, b"")
    }

    /// The same with standard input.
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Result<Output> {
        run_with_input(self.command(arguments)?, input)
    }

    /// Runs it, expects success, and returns what it wrote.
    ///
    /// # Errors
    /// When it fails.
    pub fn ok(&self, arguments: &[&str]) -> Result<String> {
        self.run(arguments)?.ok().with_context(|| format!("kubectl {}", arguments.join(" ")))
    }

    /// Applies a manifest given as text.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        self.run_with_input(&["apply", "-f", "-"], manifest.as_bytes())?.ok().context("kubectl apply")
    }
}

impl Output {
    /// Whether it ended with 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// What it wrote, if it ended with 0.
    ///
    /// # Errors
    /// When it did not; the error holds both streams.
    pub fn ok(self) -> Result<String> {
        ensure!(self.success(), "exit {:?}: {}{}", self.code, self.stderr, self.stdout);
        Ok(self.stdout)
    }
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs a command to its end, within the limit of all commands.
pub(crate) fn run_with_input(command: Command, input: &[u8]) -> Result<Output> {
    Ok(bounded::run(command, input, bounded::LIMIT)?.into())
}
