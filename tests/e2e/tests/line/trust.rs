//! Clusters that read the gateway's tokens: what is proven of them before anybody passes.

use anyhow::{Result, ensure};
use e2e::{Case, Protocol};

use testbed::{Output, wait};

use crate::bed::Bed;
use crate::gate::{Gate, Plan};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![a_cluster_opens_when_it_reads_a_token_as_it_was_written]
}

pub(crate) fn a_cluster_opens_when_it_reads_a_token_as_it_was_written(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let gate = Gate::start(bed, &Plan { bearer: true, ..Plan::default() })?;
    let config = gate.ok(&["cluster", "authentication-config", "west"])?;
    let outcome = opens(bed, &gate, &config);
    bed.distrust("west", &config)?;
    outcome
}

fn opens(bed: &Bed, gate: &Gate, config: &str) -> Result<()> {
    let erin = gate.session("erin")?;
    let ask = || gate.get(Protocol::Http2, "/k8s/clusters/west/api", &erin);
    let check = || gate.command(&["cluster", "check", "west"]);
    // It trusts nobody.
    let found = check()?;
    ensure!(!found.success(), "{}", told(&found));
    ensure!(told(&found).contains("gatewarden cluster authentication-config west"), "{}", told(&found));
    let refused = ask()?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
    // It trusts us, and gives people names of its own.
    let username = "expression: claims.gatewarden.username";
    ensure!(config.contains(username), "{config}");
    bed.trust("west", &config.replace(username, r#"expression: "'other-' + claims.gatewarden.username""#))?;
    wait::until("the API server to read the file", wait::START, || {
        let found = check()?;
        ensure!(!found.success(), "{}", told(&found));
        Ok(told(&found).contains("user other-gatewarden:probe").then_some(()))
    })?;
    let refused = ask()?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
    // As it was printed.
    bed.trust("west", config)?;
    wait::until("the API server to read the file again", wait::START, || Ok(check()?.success().then_some(())))?;
    wait::until("the cluster to open", wait::START, || Ok((ask()?.status == 200).then_some(())))?;
    let whoami = gate.kubectl(&erin, "west")?.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])?;
    ensure!(whoami == "corp:erin", "{whoami}");
    Ok(())
}

fn told(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}
