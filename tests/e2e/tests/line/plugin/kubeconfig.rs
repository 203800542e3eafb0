//! What `kubeconfig` writes: a program that kubectl finds, and a user for each gateway.

use anyhow::{Context as _, Result, ensure};
use e2e::Case;
use testbed::{Output, bounded};

use super::{Machine, log_in, merge};
use crate::bed::Bed;
use crate::gate::{Gate, Plan};

pub(super) fn facts() -> Vec<Case<Bed>> {
    facts![a_plugin_outside_of_the_path_is_found_by_its_place, two_gateways_on_one_machine_do_not_mix]
}

pub(crate) fn a_plugin_outside_of_the_path_is_found_by_its_place(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("outside", &["dev"])?);
    log_in(&machine, &person)?;
    let by_name = machine.run(&["kubeconfig"])?.ok()?;
    ensure!(by_name.contains(r#""command": "kubectl-gatewarden""#), "{by_name}");
    let elsewhere = "/usr/bin:/bin";
    let mut command = machine.plugin(&["kubeconfig", "--cluster", "east"])?;
    command.env("PATH", elsewhere);
    let by_place = Output::from(bounded::run(command, b"", bounded::LIMIT)?).ok()?;
    let program = Machine::program()?.canonicalize()?;
    ensure!(by_place.contains(&format!(r#""command": "{}""#, program.display())), "{by_place}");
    std::fs::write(machine.home.join("config"), &by_place)?;
    let mut kubectl = machine.command(bed.admin("east")?.program()?, &["auth", "whoami"])?;
    kubectl.env("PATH", elsewhere);
    let seen = Output::from(bounded::run(kubectl, b"", bounded::LIMIT)?).ok()?;
    ensure!(seen.contains(&format!("corp:{person}")), "{seen}");
    Ok(())
}

pub(crate) fn two_gateways_on_one_machine_do_not_mix(bed: &Bed) -> Result<()> {
    let other = Gate::start(bed, &Plan::default())?;
    let here = Machine::new(bed, bed.gate());
    // The same machine: one cache, one kubeconfig.
    let there = Machine { gate: &other, home: here.home.clone() };
    let people = [bed.new_person("here", &["dev"])?, bed.new_person("there", &["dev"])?];
    for (machine, person) in [&here, &there].into_iter().zip(&people) {
        log_in(machine, person)?;
        merge(bed, machine)?;
    }
    for (machine, person) in [&here, &there].into_iter().zip(&people) {
        let context = format!("--context=west@{}", machine.gate.authority());
        let told = e2e::eventually("a proven cluster", || {
            let told = machine.kubectl(bed, &[&context, "auth", "whoami"])?;
            Ok((told.success() || !told.stderr.contains("unavailable")).then_some(told))
        })?;
        ensure!(told.success() && told.stdout.contains(&format!("corp:{person}")), "{told:?}");
    }
    // Which one is meant has to be said, and the end of one is not the end of the other.
    let which = Output::from(bounded::run(here.command(Machine::program()?, &["whoami"])?, b"", bounded::LIMIT)?);
    ensure!(which.code == Some(2) && which.stderr.contains("--gateway"), "{which:?}");
    there.run(&["logout"])?.ok()?;
    let whoami = here.run(&["whoami"])?.ok()?;
    ensure!(whoami.contains(people.first().context("a person")?), "{whoami}");
    ensure!(there.run(&["whoami"])?.code == Some(3), "logged out");
    Ok(())
}
