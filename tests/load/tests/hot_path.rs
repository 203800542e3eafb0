//! What a warm request costs the gateway in allocations and system calls: counted, not timed, so that it is the same on
//! every machine and cannot grow unseen.
#![expect(clippy::disallowed_methods, clippy::expect_used, reason = "tests")]

use std::alloc::System;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Protocol, Skipped};
use load::{Contender, Gatewarden, Ground};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use testbed::{StateDir, packages, ports};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Tells a counting gateway on which port it is asked how often it allocated.
const COUNTS: &str = "COUNTS_PORT";
/// Requests that fill caches and open connections.
const WARM: usize = 200;
/// Requests that are counted.
const COUNTED: usize = 1_000;

/// Most allocations of one warm request. On a busy machine the audit writer wakes more often, for fewer records each time.
const ALLOCATIONS: [(Protocol, u64); 2] = [(Protocol::Http1, 52), (Protocol::Http2, 53)];
/// Most system calls of a worker for one warm request: wait, read and write on each side.
const CALLS: [(Protocol, u64); 2] = [(Protocol::Http1, 6), (Protocol::Http2, 6)];
/// What a look into the store, a provider or DNS would need.
const FOREIGN: [&str; 7] = ["connect", "openat", "pread64", "pwrite64", "fsync", "fdatasync", "sendmmsg"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        // This program also plays the gateway, to count in it, and the stub.
        Some("serve") => {
            tell_counts();
            gatewarden::cli::main()
        }
        Some("stub") => load::main(),
        _ => {
            let cases = vec![
                Case::new("a_warm_request_allocates_no_more_than_it_did", a_warm_request_allocates_no_more_than_it_did),
                Case::new(
                    "a_warm_request_asks_the_system_for_reads_and_writes_alone",
                    a_warm_request_asks_the_system_for_reads_and_writes_alone,
                ),
            ];
            let filters: Vec<String> = arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
            e2e::run(cases, &filters, || Ok(()))
        }
    }
}

fn a_warm_request_allocates_no_more_than_it_did(_: &()) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let port = ports::free()?;
    let bed = Bed::start(dir.path(), |usual| {
        let mut counting = Command::new(std::env::current_exe()?);
        counting.arg("serve").env(COUNTS, port.to_string());
        Ok(with_variables_of(counting, &usual))
    })?;
    let count = || -> Result<u64> {
        let mut text = String::new();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))?.read_to_string(&mut text)?;
        Ok(text.parse()?)
    };
    for (protocol, most) in ALLOCATIONS {
        bed.ask(protocol, WARM)?;
        let before = count()?;
        bed.ask(protocol, COUNTED)?;
        let each = each(count()? - before)?;
        let found = format!("{protocol:?}: {each} allocations for a request, at most {most}");
        e2e::note(&found);
        ensure!(each <= most, found);
    }
    Ok(())
}

fn a_warm_request_asks_the_system_for_reads_and_writes_alone(_: &()) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let trace = dir.path().join("trace");
    let strace = packages::find("strace").context("strace is not installed: run `testbed fetch`")?;
    if !Command::new(&strace).args(["--output", "/dev/null", "true"]).status()?.success() {
        return Err(Skipped("strace may not trace here".to_owned()).into());
    }
    let bed = Bed::start(dir.path(), |usual| {
        let mut traced = Command::new(&strace);
        traced.args(["--daemonize", "--follow-forks", "--decode-pids=comm", "--quiet=all", "--output"]).arg(&trace);
        traced.arg(usual.get_program()).args(usual.get_args());
        Ok(with_variables_of(traced, &usual))
    })?;
    for (protocol, most) in CALLS {
        bed.ask(protocol, WARM)?;
        let before = Calls::read(&trace)?;
        bed.ask(protocol, COUNTED)?;
        let during = Calls::read(&trace)?.since(before);
        let each = each(during.0.values().sum())?;
        let found = format!("{protocol:?}: {each} system calls for a request, at most {most} ({})", during.list());
        e2e::note(&found);
        ensure!(each <= most, found);
        for call in FOREIGN {
            let made = during.0.get(call).copied().unwrap_or_default();
            ensure!(made == 0, "{made} times {call} for {COUNTED} requests over {protocol:?}");
        }
    }
    Ok(())
}

/// A gateway in front of a stub, and a person who is logged in.
struct Bed {
    target: Contender,
    _gateway: Gatewarden,
    _stub: Contender,
    _ground: Ground,
}

impl Bed {
    fn start(dir: &Path, command: impl Fn(Command) -> Result<Command>) -> Result<Self> {
        let _state = StateDir::create(dir)?;
        let (ground, stub) = Ground::prepare(dir)?;
        let gateway = Gatewarden::start_as(&ground, command)?;
        Ok(Self { target: gateway.contender()?, _gateway: gateway, _stub: stub, _ground: ground })
    }

    fn ask(&self, protocol: Protocol, times: usize) -> Result<()> {
        self.target.https()?.repeat(protocol, &self.target.request()?, times)
    }
}

/// The workers' system calls, by name.
struct Calls(BTreeMap<String, u64>);

impl Calls {
    fn read(trace: &Path) -> Result<Self> {
        let text = String::from_utf8_lossy(&std::fs::read(trace)?).into_owned();
        let mut calls = BTreeMap::new();
        for line in text.lines().filter(|line| line.contains("<worker-") && !line.contains(" resumed>")) {
            let call = line.split_once("> ").and_then(|(_, rest)| rest.split_once('(')).map_or("?", |(call, _)| call);
            *calls.entry(call.trim().to_owned()).or_default() += 1;
        }
        Ok(Self(calls))
    }

    fn since(mut self, before: Self) -> Self {
        for (call, count) in before.0 {
            *self.0.entry(call).or_default() -= count;
        }
        self
    }

    fn list(&self) -> String {
        let made = self.0.iter().filter(|(_, count)| **count > 0);
        made.map(|(call, count)| format!("{call} {count}")).collect::<Vec<_>>().join(", ")
    }
}

fn with_variables_of(mut command: Command, usual: &Command) -> Command {
    command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn each(all: u64) -> Result<u64> {
    Ok(all / u64::try_from(COUNTED)?)
}

/// Answers every connection with the number of allocations so far.
fn tell_counts() {
    let Some(port) = std::env::var(COUNTS).ok().and_then(|port| port.parse::<u16>().ok()) else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let stats = ALLOCATOR.stats();
            // Who asked may have gone.
            let _ = write!(stream, "{}", stats.allocations + stats.reallocations);
        }
    });
}
