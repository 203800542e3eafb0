//! Starts and stops the real servers by hand: what the tests and the demo do, as commands.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use testbed::{Cluster, ClusterOptions, Keycloak, Slapd, demo, netns, programs, reaper};

/// Real servers for tests and the demo.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the packages and compile the programs that this machine lacks.
    Fetch,
    /// Start a cluster and a directory and leave them running.
    Up {
        /// Their folder.
        #[arg(long)]
        dir: PathBuf,
        /// Also start a node, so that pods run (as root).
        #[arg(long)]
        node: bool,
    },
    /// Stop whatever runs in a folder.
    Down {
        /// The folder given to `up`.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Run a command in a network namespace of its own and stop the servers that it leaves behind.
    Run {
        /// The command.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Show the gateway at work.
    Demo,
    /// Stop the demo and delete its folder.
    DemoDown,
    /// Be the browser of the demo's person: log in at this address.
    #[command(hide = true)]
    Browse {
        /// The folder of the demo.
        #[arg(long)]
        dir: PathBuf,
        /// The address that the plugin opens.
        url: String,
    },
    /// The inner half of `run`.
    #[command(hide = true)]
    Inside {
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Wait for the pipe on standard input to close, then stop the folders named there.
    #[command(hide = true)]
    Reap,
}

#[expect(clippy::print_stderr, reason = "the one place where a failure is told")]
fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<i32> {
    match task {
        Task::Fetch => {
            programs::fetch()?;
            Keycloak::fetch();
        }
        Task::Up { dir, node } => up(dir, node)?,
        Task::Down { dir } => testbed::down(&dir)?,
        Task::Run { command } => return netns::run(&command),
        Task::Demo => demo::run()?,
        Task::DemoDown => demo::down()?,
        Task::Browse { dir, url } => demo::browse(&dir, &url)?,
        Task::Inside { command } => return netns::inside(&command),
        Task::Reap => reaper::serve(io::stdin().lock())?,
    }
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "addresses for whoever started it")]
fn up(dir: PathBuf, node: bool) -> Result<()> {
    let cluster = Cluster::start(&dir.join("cluster"), ClusterOptions { node, ..ClusterOptions::default() })?;
    let slapd = Slapd::start(&dir.join("slapd"))?;
    println!("cluster    {}  KUBECONFIG={}", cluster.url(), cluster.admin().kubeconfig().display());
    println!("directory  {}  {}", slapd.ldap_url(), slapd.ldaps_url());
    println!("stop with  testbed down --dir {}", dir.display());
    cluster.detach();
    slapd.detach();
    Ok(())
}
