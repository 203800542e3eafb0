//! The gateway beside HAProxy and nginx: every case against every server in turn, several rounds.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use testbed::programs::say;

use crate::contender::{ApiServer, Contender, Gatewarden, Ground};
use crate::generator::{self, Seen};
use crate::watches::{PER_CONNECTION, Watches};
use crate::{Plan, table};

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// HTTP/1.1, 64 connections.
    Http1,
    /// HTTP/1.1, one connection, one request after another.
    Sequential,
    /// HTTP/2, 8 connections, 16 requests at once on each.
    Http2,
}

/// The kinds of load, in the order of the table.
pub(crate) const CASES: [Case; 3] = [Case::Http1, Case::Sequential, Case::Http2];

/// One case against one server, one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// The case.
    pub(crate) case: Case,
    /// What the generator saw.
    pub(crate) seen: Seen,
    /// The server's own processor time for each answered request.
    pub(crate) cpu: Duration,
}

/// Everything about one server.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it speaks to the stub.
    pub(crate) upstream: &'static str,
    /// All rounds of all cases.
    pub(crate) samples: Vec<Sample>,
    /// Bytes for each watch that says nothing.
    pub(crate) watch: u64,
    /// Bytes before any load.
    pub(crate) idle: u64,
}

/// What only the gateway has.
#[derive(Debug)]
pub(crate) struct Own {
    /// From the start of the process to ready.
    pub(crate) ready: Vec<Duration>,
    /// Processor time of one login with a password (argon2id, the defaults).
    pub(crate) login: Duration,
    /// Processor time of a real kube-apiserver for one GET.
    pub(crate) apiserver: Option<Duration>,
}

/// Connections to the real API server: fewer than its priority levels begin to queue.
const API_CONNECTIONS: u32 = 16;
/// Logins that are timed.
const LOGINS: u32 = 20;
/// Between the last event and the look at memory.
const CALM: Duration = Duration::from_secs(2);

/// Runs it all, and prints what came of it.
///
/// # Errors
/// When a server does not start, or answers anything but 200.
pub(crate) fn run(plan: &Plan, ground: &Ground, stub: &Contender) -> Result<()> {
    let gateway = Gatewarden::start(ground)?;
    let mut ready = vec![gateway.ready];
    let mut idle = vec![stub.group.memory()?];
    let peers = [ground.haproxy()?, ground.nginx()?];
    sleep(CALM);
    idle.extend([peers[0].group.memory()?, peers[1].group.memory()?, gateway.group().memory()?]);
    let own = gateway.contender()?;
    let [haproxy, nginx] = peers;
    let contenders = [stub, &haproxy, &nginx, &own];
    let mut rows: Vec<Row> = contenders
        .into_iter()
        .zip(idle)
        .map(|(who, idle)| Row { name: who.name, upstream: who.upstream, samples: Vec::new(), watch: 0, idle })
        .collect();
    for round in 1..=plan.rounds {
        for case in CASES {
            for (who, row) in contenders.iter().zip(&mut rows) {
                say(&format!("round {round} of {}: {case:?} against {}", plan.rounds, who.name));
                row.samples.push(sample(who, case, plan.seconds).with_context(|| who.name)?);
            }
        }
    }
    let login = logins(&gateway)?;
    for (who, row) in contenders.iter().zip(&mut rows) {
        say(&format!("idle watches against {}", who.name));
        row.watch = watches(who, plan.watch_connections).with_context(|| who.name)?;
    }
    drop((haproxy, nginx, own));
    ready.extend(gateway.start_again(plan.rounds.saturating_sub(1))?);
    let apiserver = if plan.no_cluster { None } else { Some(apiserver(&ground.folder("cluster"), plan)?) };
    table::print(&rows, &Own { ready, login, apiserver });
    Ok(())
}

/// What a real API server spends on a request, with nothing in front.
fn apiserver(dir: &Path, plan: &Plan) -> Result<Duration> {
    say("a real API server");
    let cluster = ApiServer::start(dir)?;
    let who = cluster.contender()?;
    let mut spent = Vec::new();
    for _ in 0..plan.rounds {
        let before = who.group.cpu()?;
        let seen = generator::http1(&who, API_CONNECTIONS, plan.seconds)?;
        spent.push(who.group.cpu()?.saturating_sub(before).div_f64(seen.answered as f64));
    }
    Ok(table::median(spent.into_iter()))
}

fn sample(who: &Contender, case: Case, seconds: u32) -> Result<Sample> {
    let before = who.group.cpu()?;
    let seen = match case {
        Case::Http1 => generator::http1(who, 64, seconds),
        Case::Sequential => generator::http1(who, 1, seconds),
        Case::Http2 => generator::http2(who, 8, 16, seconds),
    }?;
    let spent = who.group.cpu()?.saturating_sub(before);
    Ok(Sample { case, seen, cpu: spent.div_f64(seen.answered as f64) })
}

fn logins(gateway: &Gatewarden) -> Result<Duration> {
    gateway.login()?;
    let before = gateway.group().cpu()?;
    for _ in 0..LOGINS {
        gateway.login()?;
    }
    Ok(gateway.group().cpu()?.saturating_sub(before) / LOGINS)
}

fn watches(who: &Contender, connections: usize) -> Result<u64> {
    // The first connections make what stays, such as buffers for all: that is no cost of a watch.
    drop(Watches::open(who, 1)?);
    sleep(CALM);
    let before = who.group.memory()?;
    let begun = Instant::now();
    let open = Watches::open(who, connections)?;
    open.settle(CALM);
    let held = who.group.memory()?.saturating_sub(before);
    say(&format!("{} watches in {} s", connections * PER_CONNECTION, begun.elapsed().as_secs()));
    Ok(held / (connections * PER_CONNECTION) as u64)
}
