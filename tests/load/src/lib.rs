//! Measures what the gateway costs, beside nginx and HAProxy in one run.
#![expect(clippy::disallowed_methods, reason = "measuring happens in real time")]

mod bench;
mod identity;
mod logins;
mod peers;
mod plugin;
mod tokens;

mod client;
mod contender;
mod generator;
mod pace;
mod spent;
mod stub;
mod table;
mod visitor;
mod watches;

pub use contender::{Contender, Gatewarden, Ground};

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use testbed::packages;
use testbed::pki::Leaf;

use crate::bench::Part;

/// What the gateway costs.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install nginx, HAProxy and the load generators.
    Fetch,
    /// Measure everything and print the tables.
    Bench(Plan),
    /// The upstream.
    #[command(hide = true)]
    Stub {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        certificate: PathBuf,
        #[arg(long)]
        key: PathBuf,
    },
}

/// How much to measure.
#[derive(Debug, Clone, Default, Args)]
struct Plan {
    /// Measure these parts alone, such as `identity,tokens`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// How often each case runs against each server; the table shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each run lasts.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Connections of idle watches, a hundred watches each.
    #[arg(long, default_value_t = 40)]
    watch_connections: usize,
    /// Leave out what needs a real API server.
    #[arg(long)]
    no_cluster: bool,
}

/// Runs the command of this process.
#[must_use]
#[expect(clippy::print_stderr, reason = "the one place where a failure is told")]
pub fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Fetch => packages::install_bench(),
        Task::Bench(plan) => bench::run(&plan),
        Task::Stub { port, certificate, key } => stub::serve(port, &Leaf { certificate, key }),
    }
}
