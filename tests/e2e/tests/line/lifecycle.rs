//! Start, reload, stop, and the sudden end. Each case has a gateway of its own.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Answer, Case, Https, Protocol, Running};
use testbed::pki::Ca;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan, Session};

const PODS: &str = "/k8s/clusters/east/api/v1/namespaces/dev/pods";

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        nothing_fails_while_certificate_and_configuration_change,
        a_reload_adds_a_grant_and_keeps_a_running_watch,
        a_reload_that_takes_a_grant_away_ends_what_rests_on_it,
        a_broken_configuration_is_refused_and_the_old_one_serves_on,
        a_stop_lets_running_requests_end,
        a_restart_keeps_every_acknowledged_login,
        a_revocation_survives_a_kill,
        a_port_in_use_is_one_line,
        what_is_kept_is_readable_by_the_gateway_alone,
    ]
}

/// Requests a second while everything changes.
const RATE: u32 = 200;
/// Changes of the configuration, and as many of the certificate.
const CHANGES: usize = 6;

pub(crate) fn nothing_fails_while_certificate_and_configuration_change(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let folder = bed.folder("gate");
    let ca = Ca::open(&folder.join("ca"))?;
    let (leaf, authority) = (ca.server("server", &["localhost"])?, ca.certificate());
    let plan = || Plan { tls: Some((&leaf, &authority)), ..Plan::default() };
    let gate = Gate::start_in(bed, &folder, &plan())?;
    let alice = Session::of(&gate.login_through(&authority, "alice")?)?;
    let kubectl = gate.kubectl(&alice, "east")?;
    let https = || Https::new("localhost", gate.port(), &authority);
    e2e::eventually("an open cluster", || {
        let answer = https()?.send(Protocol::Http2, gate.request("GET", PODS, &alice).body(Bytes::new())?)?;
        Ok((answer.status == 200).then_some(()))
    })?;
    let mut streams: Vec<Running> =
        (0..10).map(|_| kubectl.start(&["get", "pods", "--watch"])).collect::<Result<_>>()?;
    streams.push(kubectl.start(&["exec", "--stdin", POD, "--", "cat"])?);
    let typed = streams.last_mut().context("exec")?;
    typed.type_in("before\n")?;
    typed.wait_for("before")?;
    streams.iter_mut().take(10).try_for_each(|watch| watch.wait_for(POD))?;
    let over = AtomicBool::new(false);
    let (answered, shown) = std::thread::scope(|scope| {
        let (gate, alice, over, https) = (&gate, &alice, &over, &https);
        let clients: Vec<_> = [Protocol::Http1, Protocol::Http2, Protocol::Http1, Protocol::Http2]
            .map(|protocol| scope.spawn(move || steadily(&https()?, protocol, gate, alice, over)))
            .into();
        let shown = change_everything(bed, gate, &ca, &plan, &https);
        over.store(true, Ordering::Relaxed);
        let mut answered = 0;
        for client in clients {
            answered += client.join().map_err(|_panic| anyhow::anyhow!("a client"))??;
        }
        Ok::<_, anyhow::Error>((answered, shown?))
    })?;
    let typed = streams.last_mut().context("exec")?;
    typed.type_in("after\n")?;
    typed.wait_for("after")?;
    for stream in &mut streams {
        ensure!(stream.is_alive()?, "a stream ended: {}", stream.output());
    }
    e2e::note(&format!(
        "{answered} requests, ten watches and an exec through {} reloads and {shown} certificates",
        CHANGES * e2e::times()?
    ));
    Ok(())
}

/// A share of the rate over one connection after the other, until it is over; each answer must be 200.
fn steadily(https: &Https, protocol: Protocol, gate: &Gate, alice: &Session, over: &AtomicBool) -> Result<usize> {
    let mut answered = 0;
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        https.repeat(protocol, &gate.request("GET", PODS, alice).body(Bytes::new())?, 10)?;
        answered += 10;
        std::thread::sleep((Duration::from_secs(40) / RATE).saturating_sub(begun.elapsed()));
    }
    Ok(answered)
}

/// Changes certificate and configuration in turn and waits each time until the change is there; how many certificates
/// were shown.
fn change_everything<'a>(
    bed: &Bed,
    gate: &Gate,
    ca: &Ca,
    plan: &dyn Fn() -> Plan<'a>,
    https: &dyn Fn() -> Result<Https>,
) -> Result<usize> {
    let dave = Session::of(&gate.login_through(&ca.certificate(), "dave")?)?;
    let mut seen = BTreeSet::from([https()?.certificate()?]);
    for change in 0..CHANGES * e2e::times()? {
        let grants = if change % 2 == 0 { "- { subjects: [\"user:corp:dave\"], clusters: [east] }" } else { "" };
        gate.rewrite(bed, &Plan { grants, ..plan() })?;
        gate.hang_up()?;
        e2e::eventually("the new grants", || {
            let request = gate.request("GET", PODS, &dave).body(Bytes::new())?;
            // A request of dave's own that is under way when his grant goes may be cut.
            let granted = https()?.send(Protocol::Http2, request).map(|answer| answer.text().contains("cannot list"));
            Ok(granted.is_ok_and(|granted| granted == (change % 2 == 0)).then_some(()))
        })?;
        ca.server("server", &["localhost"])?;
        gate.hang_up()?;
        e2e::eventually("the new certificate", || Ok(seen.insert(https()?.certificate()?).then_some(())))?;
    }
    Ok(seen.len())
}

pub(crate) fn a_reload_adds_a_grant_and_keeps_a_running_watch(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let (alice, dave) = (gate.session("alice")?, gate.session("dave")?);
    let mut watch = gate.kubectl(&alice, "east")?.start(&["get", "pods", "--watch"])?;
    watch.wait_for(POD)?;
    ensure!(when_open(&gate, &dave)?.status == 403);
    gate.rewrite(bed, &Plan { grants: "- { subjects: [\"user:corp:dave\"], clusters: [east] }", ..Plan::default() })?;
    gate.hang_up()?;
    // The cluster itself has nothing for dave; that it is asked at all is the grant.
    e2e::eventually("the new grant", || {
        let told = gate.get(Protocol::Http2, PODS, &dave)?.text();
        Ok(told.contains("cannot list resource").then_some(()))
    })?;
    ensure!(watch.is_alive()?, "the watch did not survive: {}", watch.output());
    Ok(())
}

pub(crate) fn a_reload_that_takes_a_grant_away_ends_what_rests_on_it(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let (alice, carol) = (gate.session("alice")?, gate.session("carol")?);
    gate.wait_until_proven()?;
    let mut lost = gate.kubectl(&alice, "east")?.start(&["get", "pods", "--watch"])?;
    let mut kept = gate.kubectl(&carol, "east")?.start(&["get", "pods", "--watch"])?;
    lost.wait_for(POD)?;
    kept.wait_for(POD)?;
    let only = "- { subjects: [\"group:corp:ops\"], clusters: [east] }";
    gate.rewrite(bed, &Plan { only_grants: Some(only), ..Plan::default() })?;
    gate.hang_up()?;
    // A request that is under way at that moment may be cut.
    let refused = || gate.get(Protocol::Http2, PODS, &alice).is_ok_and(|answer| answer.status == 403);
    e2e::eventually("the refusal", || Ok(refused().then_some(())))?;
    lost.wait_for_end()?;
    ensure!(kept.is_alive()?, "another grant's watch was hit: {}", kept.output());
    Ok(())
}

pub(crate) fn a_broken_configuration_is_refused_and_the_old_one_serves_on(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let alice = gate.session("alice")?;
    gate.rewrite(bed, &Plan { extra: "grantz: []", ..Plan::default() })?;
    gate.hang_up()?;
    let checked = gate.command(&["check"])?;
    let told = format!("{}{}", checked.stdout, checked.stderr);
    ensure!(!checked.success(), "check accepted it: {told}");
    ensure!(told.contains("grantz") && told.contains("grants"), "the nearest key is missing: {told}");
    e2e::eventually("the refusal in the log", || Ok(gate.log()?.contains("grantz").then_some(())))?;
    ensure!(when_open(&gate, &alice)?.status == 200);
    Ok(())
}

pub(crate) fn a_stop_lets_running_requests_end(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let gate = Gate::start(bed, &Plan::default())?;
    let alice = gate.session("alice")?;
    let kubectl = gate.kubectl(&alice, "east")?;
    let mut running = kubectl.start(&["exec", POD, "--", "sh", "-c", "echo ready; sleep 2; echo finished"])?;
    running.wait_for("ready")?;
    gate.stop()?;
    running.wait_for("finished")?;
    ensure!(running.wait_for_end()?.success(), "{}", running.output());
    ensure!(gate.get(Protocol::Http1, PODS, &alice).is_err(), "it still answers");
    Ok(())
}

pub(crate) fn a_restart_keeps_every_acknowledged_login(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let mut sessions = Vec::new();
    for round in 0..3 {
        sessions.push(gate.fresh_session("alice")?);
        // The power goes right behind the acknowledgment.
        gate.kill()?;
        gate.start_again()?;
        for session in &sessions {
            let answer = when_open(&gate, session)?;
            ensure!(answer.status == 200, "round {round}: {} {}", answer.status, answer.text());
        }
    }
    gate.stop()?;
    gate.start_again()?;
    for session in &sessions {
        ensure!(when_open(&gate, session)?.status == 200, "lost in an orderly stop");
    }
    Ok(())
}

pub(crate) fn a_revocation_survives_a_kill(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let session = gate.fresh_session("alice")?;
    ensure!(when_open(&gate, &session)?.status == 200);
    gate.ok(&["token", "revoke", session.token_name()?])?;
    gate.kill()?;
    gate.start_again()?;
    let answer = gate.get(Protocol::Http2, PODS, &session)?;
    ensure!(answer.status == 401, "{} {}", answer.status, answer.text());
    Ok(())
}

pub(crate) fn a_port_in_use_is_one_line(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let second = gate.command(&["serve"])?;
    ensure!(!second.success(), "two servers on one port");
    let told = second.stderr.trim();
    let lines: Vec<&str> = told.lines().filter(|line| !line.starts_with('{')).collect();
    ensure!(matches!(*lines, [line] if line.contains("listeners.") && line.contains("in use")), "{told}");
    Ok(())
}

/// Asks until the gateway has proven the cluster. Only 503 may come before: a 401 would make clients throw a good login
/// away.
fn when_open(gate: &Gate, session: &Session) -> Result<Answer> {
    e2e::eventually("the cluster to be proven", || {
        let answer = gate.get(Protocol::Http2, PODS, session)?;
        Ok((answer.status != 503).then_some(answer))
    })
}

pub(crate) fn what_is_kept_is_readable_by_the_gateway_alone(bed: &Bed) -> Result<()> {
    let token = bed.gate().session("alice")?.token;
    let secret = token.split_once(':').context("name:secret")?.1;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(bed.gate().path("state"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let mode = entry.metadata()?.permissions().mode() & 0o777;
        ensure!(name.ends_with(".crt") || mode & 0o077 == 0, "{name} has mode {mode:o}");
        let bytes = std::fs::read(entry.path())?;
        ensure!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name} holds a token");
        files.push(name);
    }
    ensure!(files.iter().any(|name| name == "key") && files.iter().any(|name| name == "gatewarden.db"), "{files:?}");
    for command in
        [&["token", "list"][..], &["token", "list", "--output", "json"], &["user", "list", "--output", "json"]]
    {
        let told = bed.gate().ok(command)?;
        ensure!(!told.contains(secret) && !told.is_empty(), "{command:?}: {told}");
    }
    Ok(())
}
