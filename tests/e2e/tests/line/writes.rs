//! What changes a cluster: apply, server-side apply, patch, replace, delete.

use anyhow::{Result, ensure};
use e2e::Case;

use crate::bed::Bed;
use crate::reads::config_map;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        apply_creates_changes_and_leaves_alone,
        server_side_apply_tells_conflicts,
        patch_replace_and_delete,
        a_quick_series_of_writes_keeps_its_order,
    ]
}

pub(crate) fn apply_creates_changes_and_leaves_alone(bed: &Bed) -> Result<()> {
    let alice = bed.kubectl("alice", "east")?;
    let name = bed.own("apply");
    for (value, expected) in [("one", "created"), ("one", "unchanged"), ("two", "configured")] {
        let told = alice.apply(&config_map(&name, "apply", value))?;
        ensure!(told.contains(expected), "{told}");
    }
    ensure!(bed.admin("east")?.ok(&["get", "configmap", &name, "-o", "jsonpath={.data.value}"])? == "two");
    Ok(())
}

pub(crate) fn server_side_apply_tells_conflicts(bed: &Bed) -> Result<()> {
    let alice = bed.kubectl("alice", "east")?;
    let apply = |value: &str, manager: &str, force: &str| {
        let flag = format!("--field-manager={manager}");
        let arguments = ["apply", "--server-side", &flag, force, "-f", "-"];
        alice.feed(&arguments, config_map(&bed.own("ssa"), "ssa", value).as_bytes())
    };
    let first = apply("one", "left", "--force-conflicts=false")?;
    ensure!(first.code == 0, "{}", first.stderr);
    let second = apply("two", "right", "--force-conflicts=false")?;
    ensure!(second.code != 0 && second.stderr.contains("conflict with \"left\""), "{}", second.stderr);
    let third = apply("two", "right", "--force-conflicts=true")?;
    ensure!(third.code == 0, "{}", third.stderr);
    Ok(())
}

pub(crate) fn patch_replace_and_delete(bed: &Bed) -> Result<()> {
    let alice = bed.kubectl("alice", "east")?;
    let value = || alice.ok(&["get", "configmap", "patch", "-o", "jsonpath={.data.value}"]);
    alice.apply(&config_map("patch", "patch", "one"))?;
    for (kind, patch, expected) in [
        ("merge", r#"{"data":{"value":"merged"}}"#, "merged"),
        ("strategic", r#"{"data":{"value":"strategic"}}"#, "strategic"),
        ("json", r#"[{"op":"replace","path":"/data/value","value":"json"}]"#, "json"),
    ] {
        alice.ok(&["patch", "configmap", "patch", &format!("--type={kind}"), "-p", patch])?;
        ensure!(value()? == expected);
    }
    let replaced = alice.feed(&["replace", "-f", "-"], config_map("patch", "patch", "replaced").as_bytes())?;
    ensure!(replaced.code == 0 && value()? == "replaced", "{}", replaced.stderr);
    alice.ok(&["delete", "configmap", "patch"])?;
    alice.refused(&["get", "configmap", "patch"])?;
    alice.apply(&config_map("patch", "patch", "again"))?;
    alice.ok(&["delete", "configmaps", "-l", "case=patch"])?;
    ensure!(alice.ok(&["get", "configmaps", "-l", "case=patch", "-o", "name"])?.is_empty());
    Ok(())
}

pub(crate) fn a_quick_series_of_writes_keeps_its_order(bed: &Bed) -> Result<()> {
    let alice = bed.kubectl("alice", "east")?;
    let series: Vec<String> = (0..20).map(|number| config_map("series", "series", &format!("v{number}"))).collect();
    alice.apply(&series.join("---\n"))?;
    let last = bed.admin("east")?.ok(&["get", "configmap", "series", "-o", "jsonpath={.data.value}"])?;
    ensure!(last == "v19", "{last}");
    Ok(())
}
