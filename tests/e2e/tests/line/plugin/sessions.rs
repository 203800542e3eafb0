//! A login from its beginning by many kubectls to its end by an administrator.

use anyhow::{Result, ensure};
use e2e::{Case, Running};

use super::{CROWD, Machine, NOBODY, ends_well, log_in, log_in_elsewhere, merge, shown};
use crate::bed::{Bed, POD, WHOM_TO_ASK};
use crate::gate::{Gate, Plan};

pub(super) fn facts() -> Vec<Case<Bed>> {
    facts![
        twenty_kubectls_with_nothing_kept_are_one_login,
        a_session_that_an_administrator_ends_ends_logs_and_is_not_renewed,
        each_cluster_is_explained_and_none_that_is_closed_is_told_from_one_that_is_not_there,
    ]
}

pub(crate) fn twenty_kubectls_with_nothing_kept_are_one_login(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("many", &["dev"])?);
    log_in(&machine, &person)?;
    merge(bed, &machine)?;
    machine.run(&["logout"])?.ok()?;
    let kubectl = bed.admin("east")?.program()?;
    let context = format!("--context=east@{}", machine.gate.authority());
    let line = format!("'{}' '{context}' --namespace=dev get pods", kubectl.display());
    // kubectl lets its plugin ask somebody only where somebody sits.
    let at_a_terminal = || {
        let mut command = machine.command("script", &["--quiet", "--return", "--command", &line, "/dev/null"])?;
        command.env("SHELL", "/bin/sh");
        Running::start(command)
    };
    let crowd: Vec<Running> = (0..CROWD).map(|_| at_a_terminal()).collect::<Result<_>>()?;
    let code = e2e::eventually("a code", || Ok(crowd.iter().find_map(shown)))?;
    log_in_elsewhere(machine.gate, &code, &person)?;
    let told: Vec<String> = crowd.into_iter().map(|one| ends_well(one, POD)).collect::<Result<_>>()?;
    ensure!(told.iter().filter(|told| told.contains(super::CODE)).count() == 1, "one login for all");
    let sessions = machine.run(&["sessions", "list"])?.ok()?;
    ensure!(sessions.lines().count() == 2, "a heading and one session: {sessions}");
    Ok(())
}

pub(crate) fn a_session_that_an_administrator_ends_ends_logs_and_is_not_renewed(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("ended", &["dev"])?);
    log_in(&machine, &person)?;
    merge(bed, &machine)?;
    let context = format!("--context=east@{}", machine.gate.authority());
    let arguments = [&context, "--namespace=dev", "logs", "--follow", "--tail=0", POD];
    let mut logs = Running::start(machine.command(bed.admin("east")?.program()?, &arguments)?)?;
    logs.wait_for("tick")?;
    machine.gate.ok(&["user", "disable", &person])?;
    logs.wait_for_end()?;
    let refused = machine.kubectl(bed, &[&context, "--namespace=dev", "get", "pods"])?;
    ensure!(!refused.success() && refused.stderr.contains("must be logged in"), "{refused:?}");
    // The file still holds a token; what would renew it does so no more.
    machine.end_the_token()?;
    let mut next = machine.get_token(NOBODY)?;
    next.wait_for("kubectl gatewarden login")?;
    ensure!(next.wait_for_end()?.code() == Some(3), "{}", next.output());
    ensure!(!machine.file("refresh.json")?.exists(), "a refresh token that is worth nothing was kept");
    Ok(())
}

pub(crate) fn each_cluster_is_explained_and_none_that_is_closed_is_told_from_one_that_is_not_there(
    bed: &Bed,
) -> Result<()> {
    // East is open to the developers, west to nobody.
    let grants = "  - { subjects: [\"group:corp:dev\"], clusters: [east] }\n";
    let gate = Gate::start(bed, &Plan { only_grants: Some(grants), ..Plan::default() })?;
    let (machine, person) = (Machine::new(bed, &gate), bed.new_person("asker", &["dev"])?);
    log_in(&machine, &person)?;
    let text = machine.run(&["whoami", "--explain"])?.ok()?;
    for words in [
        "east       you may enter: a grant names group:corp:dev\n",
        &format!("its RBAC is asked about corp:{person} in corp:dev"),
        ", as the gateway's impersonation headers say\n",
        "others     you may not enter: no grant names ",
        &format!("user:corp:{person}"),
        "or there is no such cluster. ",
        WHOM_TO_ASK,
        ", whatever happens\n",
        "groups     read 20",
    ] {
        ensure!(text.contains(words), "{words:?} in {text}");
    }
    ensure!(!text.contains("west"), "{text}");
    let one = |id: &str| {
        Ok::<_, anyhow::Error>(machine.run(&["whoami", "--explain", "--cluster", id])?.ok()?.replace(id, "<id>"))
    };
    ensure!(one("west")? == one("nope")? && one("west")?.contains("<id>       you may not enter"), "{}", one("west")?);
    ensure!(one("east")?.contains("<id>       you may enter"), "{}", one("east")?);
    Ok(())
}
