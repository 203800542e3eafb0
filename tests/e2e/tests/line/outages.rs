//! What happens when a server behind the gateway is away. Each case has a gateway of its own, behind wires to cut.

use anyhow::{Result, ensure};
use e2e::{Case, Protocol, Relay};

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan, Session};
use crate::reads::config_map;

const PODS: &str = "api/v1/namespaces/dev/pods";

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_cluster_that_is_down_is_a_503_and_the_others_serve,
        a_directory_that_is_down_is_a_503_and_running_sessions_go_on,
        a_failed_group_lookup_takes_nothing_away,
        an_incomplete_group_list_replaces_nothing,
        what_cannot_be_recorded_is_not_done,
    ]
}

pub(crate) fn a_cluster_that_is_down_is_a_503_and_the_others_serve(bed: &Bed) -> Result<()> {
    let wire = Relay::start(bed.cluster_addr("west"))?;
    let gate = Gate::start(bed, &Plan { west: Some(wire.addr()), ..Plan::default() })?;
    let alice = gate.session("alice")?;
    open(&gate, &alice, "west")?;
    let mut watch = gate.kubectl(&alice, "east")?.start(&["get", "pods", "--watch"])?;
    watch.wait_for(POD)?;
    wire.cut();
    let answer = e2e::eventually("503 from west", || {
        let answer = gate.get(Protocol::Http2, &format!("/k8s/clusters/west/{PODS}"), &alice)?;
        Ok((answer.status == 503).then_some(answer))
    })?;
    ensure!(answer.json()?["reason"] == "ServiceUnavailable", "{}", answer.text());
    ensure!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
    ensure!(!answer.text().contains(&wire.addr().port().to_string()), "an address leaks: {}", answer.text());
    answers(&gate, &alice, "east", 200)?;
    ensure!(watch.is_alive()?, "the other cluster's watch ended");
    ensure!(gate.operations("/readyz")?.0 == 200, "one cluster's outage is no reason to take the gateway away");
    wire.mend();
    open(&gate, &alice, "west")
}

pub(crate) fn a_directory_that_is_down_is_a_503_and_running_sessions_go_on(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let wire = Relay::start(bed.directory_addr())?;
    let gate = Gate::start(bed, &Plan { directory: Some(wire.addr()), ..Plan::default() })?;
    let alice = gate.session("alice")?;
    let mut follow = gate.kubectl(&alice, "east")?.start(&["logs", "--follow", "--tail=0", POD])?;
    follow.wait_for("tick")?;
    wire.cut();
    let answer = gate.login_as("bob")?;
    ensure!(answer.status == 503, "an outage is no wrong password: {} {}", answer.status, answer.text());
    ensure!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
    ensure!(answer.text().contains("corp"), "which one is down? {}", answer.text());
    answers(&gate, &alice, "east", 200)?;
    let seen = follow.output().len();
    e2e::eventually("more lines", || Ok((follow.output().len() > seen).then_some(())))?;
    wire.mend();
    e2e::eventually("logins again", || Ok((gate.login_as("bob")?.status == 201).then_some(())))
}

pub(crate) fn a_failed_group_lookup_takes_nothing_away(bed: &Bed) -> Result<()> {
    let wire = Relay::start(bed.directory_addr())?;
    let gate = Gate::start(bed, &Plan { directory: Some(wire.addr()), ..Plan::default() })?;
    let alice = gate.session("alice")?;
    let before = groups(&gate, &alice)?;
    wire.cut();
    // Asked for while the directory is away; whether the command waits for the outcome or not, nothing may change.
    gate.command(&["user", "refresh", &alice.user])?;
    for _ in 0..20 {
        answers(&gate, &alice, "east", 200)?;
    }
    ensure!(groups(&gate, &alice)? == before, "{before}\n{}", groups(&gate, &alice)?);
    Ok(())
}

pub(crate) fn an_incomplete_group_list_replaces_nothing(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let alice = gate.session("alice")?;
    let before = groups(&gate, &alice)?;
    gate.rewrite(bed, &Plan { groups: "maxGroups: 1", ..Plan::default() })?;
    gate.hang_up()?;
    // A new login under the bound is refused: so the bound is in force.
    e2e::eventually("the bound", || Ok((gate.login_as("alice")?.status != 201).then_some(())))?;
    gate.command(&["user", "refresh", &alice.user])?;
    for _ in 0..20 {
        answers(&gate, &alice, "east", 200)?;
    }
    ensure!(groups(&gate, &alice)? == before, "{before}\n{}", groups(&gate, &alice)?);
    Ok(())
}

pub(crate) fn what_cannot_be_recorded_is_not_done(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let alice = gate.session("alice")?;
    let start_with = |audit: &str| {
        gate.stop()?;
        gate.rewrite(bed, &Plan { audit, ..Plan::default() })?;
        gate.start_again()?;
        gate.wait_until_proven()
    };
    let map = config_map("unrecorded", "audit", "x");
    let post = || {
        let path = "/k8s/clusters/east/api/v1/namespaces/dev/configmaps";
        let request = gate.request("POST", path, &alice).header("content-type", "application/yaml");
        gate.https()?.send(Protocol::Http2, request.body(map.clone().into())?)
    };
    start_with("{ file: /dev/full }")?;
    let answer = post()?;
    ensure!(answer.status == 503, "{} {}", answer.status, answer.text());
    bed.admin("east")?.refused(&["get", "configmap", "unrecorded"])?;
    ensure!(gate.login_as("bob")?.status == 503, "a login is a change");
    answers(&gate, &alice, "east", 200)?;
    start_with("{ file: /dev/full, whenFull: drop }")?;
    let answer = post()?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
    let metrics = gate.operations("/metrics")?.1;
    let lost = metrics.lines().find(|line| line.starts_with("gatewarden_audit") && !line.ends_with(" 0"));
    ensure!(lost.is_some(), "no loss is counted: {metrics}");
    Ok(())
}

fn groups(gate: &Gate, session: &Session) -> Result<String> {
    gate.kubectl(session, "east")?.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}"])
}

fn open(gate: &Gate, session: &Session, cluster: &str) -> Result<()> {
    e2e::eventually("an open cluster", || {
        let answer = gate.get(Protocol::Http2, &format!("/k8s/clusters/{cluster}/{PODS}"), session)?;
        Ok((answer.status == 200).then_some(()))
    })
}

fn answers(gate: &Gate, session: &Session, cluster: &str, status: u16) -> Result<()> {
    let answer = gate.get(Protocol::Http2, &format!("/k8s/clusters/{cluster}/{PODS}"), session)?;
    ensure!(answer.status == status, "{cluster}: {} {}", answer.status, answer.text());
    Ok(())
}
