//! Servers that break in every way, again and again: the right answer each time, the others served, recovery without a
//! restart, and nothing left behind.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Fault, Protocol, Relay};

use crate::bed::Bed;
use crate::gate::{Gate, Plan, Session};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![broken_servers_get_the_right_answer_and_leave_nothing_behind]
}

/// More bytes than a TLS handshake takes, and fewer than the answer.
const MIDDLE: usize = 40_000;
const FAULTS: [Fault; 4] = [Fault::Cut, Fault::Silent, Fault::Rubbish, Fault::EndsAfter(MIDDLE)];
/// A process has some more or fewer of everything by chance; what leaks with each fault of a round is this many.
const LEAK: u64 = 8;
/// Requests that are under way when a server breaks.
const CLIENTS: usize = 8;

const LARGE: &str = "api/v1/namespaces/dev/configmaps/large";
/// What hangs is given up after this, and what is not used is closed.
const TIMES: &str = "timeouts: { response: 5s, clusterConnect: 1s, clusterHandshake: 1s, clusterPingInterval: 500ms, \
                     clusterPingAnswer: 500ms, clusterIdle: 2s, provider: 2s }";

pub(crate) fn broken_servers_get_the_right_answer_and_leave_nothing_behind(bed: &Bed) -> Result<()> {
    for cluster in ["east", "west"] {
        let data = format!("--from-literal=data={}", "x".repeat(2 * MIDDLE));
        bed.admin(cluster)?.ok(&["create", "configmap", "large", &data])?;
    }
    let (west, directory) = (Relay::start(bed.cluster_addr("west"))?, Relay::start(bed.directory_addr())?);
    let plan = Plan { west: Some(west.addr()), directory: Some(directory.addr()), extra: TIMES, ..Plan::default() };
    let people: Vec<_> = (0..CLIENTS).map(|_| bed.new_person("unlucky", &["dev"])).collect::<Result<_>>()?;
    let gate = Gate::start(bed, &plan)?;
    let alice = gate.session("alice")?;
    gate.wait_until_proven()?;
    let round = || {
        for fault in FAULTS {
            // At once, as when a network breaks.
            std::thread::scope(|scope| {
                let cluster = scope.spawn(|| cluster_breaks(&gate, &alice, &west, fault));
                directory_breaks(&gate, (&alice, &people), &directory, fault).context("the directory")?;
                cluster.join().map_err(|_panic| anyhow::anyhow!("panicked"))?.context("the cluster")
            })
            .with_context(|| format!("{fault:?}"))?;
        }
        Ok::<_, anyhow::Error>(())
    };
    round()?;
    let before = held(&gate)?;
    // The first round made what is made once: threads, pools, caches.
    for _ in 0..e2e::times()? {
        round()?;
    }
    let grown = |after: &Held| after.iter().any(|(what, count)| *count >= before.get(what).unwrap_or(&0) + LEAK);
    let mut after = Held::new();
    let settled = e2e::eventually("nothing left behind", || {
        after = held(&gate)?;
        Ok((!grown(&after)).then_some(()))
    });
    settled.with_context(|| format!("before {before:?}\nafter {after:?}"))?;
    let faults = 2 * FAULTS.len() * e2e::times()?;
    e2e::note(&format!("before {faults} faults {before:?}, after them {after:?}"));
    Ok(())
}

/// A cluster breaks under requests that run and under new ones.
fn cluster_breaks(gate: &Gate, alice: &Session, wire: &Relay, fault: Fault) -> Result<()> {
    wire.suffer(fault);
    let path = format!("/k8s/clusters/west/{LARGE}");
    std::thread::scope(|scope| {
        let ask = || gate.get(Protocol::Http2, &path, alice);
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        ensure!(large(gate, alice, "east")?.context("east")? == 200, "the other cluster is not served");
        for client in clients {
            match client.join().map_err(|_panic| anyhow::anyhow!("a client's thread"))? {
                Ok(answer) => {
                    // Once a fault is known, no more is dialled, and the answer is 503.
                    let first = match fault {
                        Fault::Cut => 503,
                        Fault::Silent => 504,
                        Fault::Rubbish | Fault::EndsAfter(_) => 502,
                    };
                    ensure!([first, 503].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text());
                    ensure!(answer.json()?["kind"] == "Status", "{}", answer.text());
                }
                // An answer that breaks off in the middle must not look whole.
                Err(broken) => ensure!(matches!(fault, Fault::EndsAfter(_)), "{broken:#}"),
            }
        }
        Ok(())
    })?;
    wire.mend();
    e2e::eventually("the cluster again", || Ok((large(gate, alice, "west")? == Some(200)).then_some(())))
}

/// A directory breaks under logins.
fn directory_breaks(gate: &Gate, (alice, people): (&Session, &[String]), wire: &Relay, fault: Fault) -> Result<()> {
    // An answer of a directory is small: it breaks in the middle of the handshake.
    wire.suffer(if matches!(fault, Fault::EndsAfter(_)) { Fault::EndsAfter(500) } else { fault });
    std::thread::scope(|scope| {
        let clients: Vec<_> = people.iter().map(|person| scope.spawn(|| gate.login_as(person))).collect();
        ensure!(large(gate, alice, "east")?.context("east")? == 200, "known sessions are not served");
        for client in clients {
            let answer = client.join().map_err(|_panic| anyhow::anyhow!("a client's thread"))??;
            ensure!(answer.status == 503, "{} {}", answer.status, answer.text());
            ensure!(answer.text().contains("corp"), "which one is down? {}", answer.text());
        }
        Ok(())
    })?;
    wire.mend();
    e2e::eventually("logins again", || Ok((gate.login_as("carol")?.status == 201).then_some(())))
}

/// The status of a large answer; none when it broke off.
fn large(gate: &Gate, session: &Session, cluster: &str) -> Result<Option<u16>> {
    let path = format!("/k8s/clusters/{cluster}/{LARGE}");
    let answer = gate.https()?.send(Protocol::Http2, gate.request("GET", &path, session).body(bytes::Bytes::new())?);
    Ok(answer.ok().map(|answer| answer.status.as_u16()))
}

/// Numbers of what a process may leak, by name.
type Held = BTreeMap<String, u64>;

const GAUGES: [&str; 5] = ["connections_open", "requests_open", "requests_running", "tunnels_open", "worker_tasks"];

fn held(gate: &Gate) -> Result<Held> {
    let process = gate.pid()?;
    let count = |part: &str| {
        Ok::<_, anyhow::Error>(u64::try_from(std::fs::read_dir(format!("/proc/{process}/{part}"))?.count())?)
    };
    let mut held = Held::from([("descriptors".to_owned(), count("fd")?), ("threads".to_owned(), count("task")?)]);
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    held.insert("resident MiB".to_owned(), resident.context("VmRSS")?.parse::<u64>()? / 1024);
    for line in gate.operations("/metrics")?.1.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.strip_prefix("gatewarden_").and_then(|line| line.rsplit_once(' ')) else {
            continue;
        };
        if GAUGES.contains(&name.split('{').next().unwrap_or_default()) {
            held.insert(name.to_owned(), value.parse()?);
        }
    }
    Ok(held)
}
