//! Time that passes, and clocks that do not agree: the gateway's is moved, the machine's is not.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{Case, Running};
use serde_json::Value;
use testbed::pki::Ca;

use super::{Machine, NOBODY, TOKEN, doctor, ends_well, log_in, log_in_elsewhere, merge, shown};
use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::issuer::{CONSOLE, Visitor};

pub(super) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_key_that_is_followed_by_the_next_costs_nobody_a_login,
        a_gateway_whose_clock_is_ahead_lets_people_in_and_doctor_names_it,
        a_machine_whose_clock_is_off_logs_in_and_renews,
    ]
}

/// Five minutes before the first key has signed for thirty days, and five minutes after it.
const BEFORE: &str = "+43195m";
const AFTER: &str = "+43205m";

/// One whose certificate is made by the clock of this machine, which everybody but the gateway goes by.
fn start(bed: &Bed) -> Result<Gate> {
    let folder = bed.folder("gate");
    let ca = Ca::open(&folder.join("ca"))?;
    let (leaf, authority) = (ca.server("server", &["localhost", CONSOLE])?, ca.certificate());
    let state = folder.join("state");
    DirBuilder::new().recursive(true).mode(0o700).create(&state)?;
    std::fs::copy(&authority, state.join("ca.crt"))?;
    Gate::start_in(bed, &folder, &Plan { tls: Some((&leaf, &authority)), ..Plan::default() })
}

/// Started anew under a clock, with clusters that are proven.
fn under(gate: &Gate, clock: &str) -> Result<()> {
    gate.stop()?;
    gate.start_again_under(clock)?;
    gate.wait_until_proven_for(&gate.fresh_session("alice")?)
}

/// The access token that a machine keeps.
fn kept(machine: &Machine<'_>) -> Result<String> {
    let file: Value = serde_json::from_str(&std::fs::read_to_string(machine.file("access.json")?)?)?;
    Ok(file["token"].as_str().context("a token")?.to_owned())
}

/// The key that signed it.
fn key(token: &str) -> Result<String> {
    let head = URL_SAFE_NO_PAD.decode(token.split('.').next().context("a head")?)?;
    let head: Value = serde_json::from_slice(&head)?;
    Ok(head["kid"].as_str().context("a key")?.to_owned())
}

fn published(gate: &Gate) -> Result<Vec<String>> {
    let answer = Visitor::of(gate)?.get("/oidc/jwks")?.json()?;
    let keys = answer["keys"].as_array().context("keys")?.iter();
    Ok(keys.filter_map(|key| key["kid"].as_str().map(str::to_owned)).collect())
}

pub(crate) fn a_key_that_is_followed_by_the_next_costs_nobody_a_login(bed: &Bed) -> Result<()> {
    let gate = start(bed)?;
    let (machine, person) = (Machine::new(bed, &gate), bed.new_person("keyed", &["dev"])?);
    let first = published(&gate)?;
    under(&gate, BEFORE)?;
    let before = published(&gate)?;
    ensure!(first.len() == 1 && before.len() == 2, "the next key is published ahead: {first:?} {before:?}");
    log_in(&machine, &person)?;
    merge(bed, &machine)?;
    let old = kept(&machine)?;
    ensure!(first.contains(&key(&old)?), "{before:?}");
    under(&gate, AFTER)?;
    ensure!(published(&gate)? == before, "whoever keeps the keys for a while knows those of now");
    // What is out goes on.
    let context = format!("--context=east@{}", gate.authority());
    machine.kubectl(bed, &[&context, "--namespace=dev", "get", "pods", POD])?.ok()?;
    machine.end_the_token()?;
    ends_well(machine.get_token(NOBODY)?, TOKEN)?;
    let new = kept(&machine)?;
    ensure!(key(&new)? != key(&old)? && before.contains(&key(&new)?), "the next key signs now");
    for token in [&old, &new] {
        gate.kubectl_with_token(token, "east")?.ok(&["get", "pods", POD])?;
    }
    Ok(())
}

pub(crate) fn a_gateway_whose_clock_is_ahead_lets_people_in_and_doctor_names_it(bed: &Bed) -> Result<()> {
    let gate = start(bed)?;
    under(&gate, "+10m")?;
    let (machine, person) = (Machine::new(bed, &gate), bed.new_person("skewed", &["dev"])?);
    log_in(&machine, &person)?;
    merge(bed, &machine)?;
    let context = format!("--context=east@{}", gate.authority());
    machine.kubectl(bed, &[&context, "--namespace=dev", "get", "pods", POD])?.ok()?;
    machine.end_the_token()?;
    ends_well(machine.get_token(NOBODY)?, TOKEN)?;
    let told = machine.run(&["doctor"])?;
    ensure!(told.code == Some(1) && told.stdout.contains("behind the gateway's"), "{told:?}");
    Ok(())
}

pub(crate) fn a_machine_whose_clock_is_off_logs_in_and_renews(bed: &Bed) -> Result<()> {
    for clock in ["+2h", "-2h"] {
        let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("offbeat", &["dev"])?);
        let login = Running::start(doctor::under(clock, &machine.plugin(&["login"])?))?;
        let code = e2e::eventually("a code", || Ok(shown(&login)))?;
        log_in_elsewhere(machine.gate, &code, &person)?;
        ends_well(login, &format!("as corp:{person}"))?;
        let first = kept(&machine)?;
        machine.gate.kubectl_with_token(&first, "east")?.ok(&["get", "pods", POD])?;
        let get_token = |clock| {
            let mut command = doctor::under(clock, &machine.plugin(&["get-token"])?);
            command.env("KUBERNETES_EXEC_INFO", machine.asked(NOBODY));
            Running::start(command)
        };
        ends_well(get_token(clock)?, &first)?;
        machine.end_the_token()?;
        ends_well(get_token(clock)?, TOKEN)?;
        ensure!(kept(&machine)? != first, "{clock}: it was not renewed");
    }
    Ok(())
}
