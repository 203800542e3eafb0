//! What an operator sees of a provider, as the command tells it.

use anyhow::{Result, ensure};
use e2e::Case;
use testbed::Slapd;

use crate::bed::Bed;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        each_step_to_a_directory_is_shown,
        a_local_user_is_tried_by_the_contract,
        a_step_that_fails_fails_the_command
    ]
}

pub(crate) fn each_step_to_a_directory_is_shown(bed: &Bed) -> Result<()> {
    let arguments = ["provider", "test", "corp", "--user", "alice", "--password-stdin"];
    let told = bed.gate().command_with_input(&arguments, "alice-secret\n")?;
    ensure!(told.success(), "{}{}", told.stdout, told.stderr);
    for part in [
        "ok      tcp localhost:",
        "TLSv1_3, and the certificate is for localhost",
        "valid until",
        "the service account is let in",
        "filter       (&(objectClass=inetOrgPerson)(uid=alice))",
        "found        cn=payments,ou=groups",
        "ok      password: right",
        "ok      groups: 3, and that is all",
        "corp: every step works",
    ] {
        ensure!(told.stdout.contains(part), "{part:?} is missing: {}", told.stdout);
    }
    let all = format!("{}{}", told.stdout, told.stderr);
    ensure!(!all.contains("alice-secret") && !all.contains(Slapd::SERVICE_PASSWORD), "a secret is told: {all}");
    Ok(())
}

pub(crate) fn a_local_user_is_tried_by_the_contract(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let name = "tried-by-the-contract";
    let added =
        gate.command_with_input(&["user", "add", name, "--group", "admins", "--password-stdin"], "a good long one")?;
    ensure!(added.success(), "{}", added.stderr);
    let test = ["provider", "test", "local", "--user", name, "--password-stdin"];
    let told = gate.command_with_input(&test, "a good long one")?;
    ensure!(told.success() && told.stdout.contains("groups: 1 admins"), "{}{}", told.stdout, told.stderr);
    let told = gate.command_with_input(&test, "a wrong long one")?;
    ensure!(!told.success() && told.stdout.contains("FAILED  password: bad credentials"), "{}", told.stdout);
    Ok(())
}

pub(crate) fn a_step_that_fails_fails_the_command(bed: &Bed) -> Result<()> {
    let told = bed.gate().command(&["provider", "test", "corp", "--user", "nobody-here", "-o", "json"])?;
    ensure!(!told.success(), "{}", told.stdout);
    let told: serde_json::Value = serde_json::from_str(&told.stdout)?;
    let steps = told.pointer("/steps").and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
    let failed: Vec<&str> =
        steps.iter().filter(|step| step["finding"] == "failed").filter_map(|step| step["name"].as_str()).collect();
    ensure!(failed == ["user"] && told["ok"] == false, "{told}");
    let told = bed.gate().command(&["provider", "test", "korp"])?;
    ensure!(!told.success() && told.stderr.contains("there are: local, corp"), "{}", told.stderr);
    Ok(())
}
