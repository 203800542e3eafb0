//! What an operator types: `gatewarden serve`, `check`, `user`, `token`, `session`, `cluster`, `provider`, `explain`, `openapi`,
//! `completion`.
//!
//! Results go to standard output, everything else to standard error. The exit code is 0 when it worked, 1 when it did
//! not, and 2 when the command line was wrong; `explain` has two more for its answers. A failure is one line that says
//! what to do.

mod arguments;
mod authentication;
mod check;
mod cluster;
mod explain;
mod kubeconfig;
mod manifest;
mod output;
mod password;
mod probe;
mod provider;
mod reach;
mod serve;
mod session;
mod store;
#[cfg(test)]
mod tests;
mod token;
mod user;

use std::fmt::Write;
use std::process::ExitCode;

use auth_core::with_causes;
use clap::{CommandFactory, Parser};

use crate::config::LoadError;
use arguments::{Arguments, Command};
use output::Output;

/// Runs the command of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, CommandError> {
    let Arguments { common, command } = arguments;
    let output = Output::new(common.output);
    match command {
        Command::Serve(serve) => serve::run(&common.config, &serve),
        Command::Check(check) => check::run(&common.config, &check, &output),
        Command::User { command } => user::run(&common.config, command, &output),
        Command::Token { command } => token::run(&common.config, command, &output),
        Command::Session { command } => session::run(&common.config, command, &output),
        Command::Cluster { command } => cluster::run(&common.config, command, &output),
        Command::Provider { command } => provider::run(&common.config, command, &output),
        Command::Explain(explain) => explain::run(&common.config, &explain, &output),
        Command::Openapi => {
            output.json(&gatewarden_control::openapi())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "gatewarden", &mut script);
            output.text(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Why a command did not do what it was asked to. Each is told in one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no usable configuration.
    #[error("{}", told(.0))]
    Config(#[from] LoadError),
    /// The command cannot be done as it was typed.
    #[error("{0}")]
    Input(String),
    /// The store cannot be opened.
    #[error("cannot open the store {}: {}", path.display(), with_causes(source))]
    Store {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        source: gatewarden_control::StoreFault,
    },
    /// What was asked for is not there, or cannot be done to it.
    #[error("{}", with_causes(.0))]
    Refused(#[from] gatewarden_control::AdminError),
    /// Another part of the gateway says no.
    #[error("{}", with_causes(&**.0))]
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// Standard output is gone.
    #[error("cannot write the result")]
    Output(#[from] std::io::Error),
}

impl CommandError {
    /// Wraps what another part of the gateway answered.
    pub(crate) fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }
}

/// A configuration's faults, one a line, so that editors and terminals can follow them. One alone needs no heading.
fn told(error: &LoadError) -> String {
    let LoadError::Faults { path, faults, .. } = error else { return error.to_string() };
    if let [only] = faults.as_slice() {
        return format!("{}:{only}", path.display());
    }
    let mut text = format!("{error}:");
    for fault in faults {
        // Writing into a string cannot fail.
        let _ = write!(text, "\n{}:{fault}", path.display());
    }
    text
}
