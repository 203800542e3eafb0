//! Whom kubectl would send a token to: the gateway by its names, and nobody else.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::Case;
use testbed::{Output, bounded};

use super::{Machine, NOBODY, SOMEBODY, TOKEN, log_in};
use crate::bed::Bed;

pub(super) fn facts() -> Vec<Case<Bed>> {
    facts![a_token_goes_to_the_gateway_and_its_clusters_alone, an_authority_of_a_kubeconfig_is_not_the_one_of_the_login]
}

fn told(mut command: Command, info: &str) -> Result<Output> {
    command.env("KUBERNETES_EXEC_INFO", info);
    Ok(Output::from(bounded::run(command, b"", bounded::LIMIT)?))
}

pub(crate) fn a_token_goes_to_the_gateway_and_its_clusters_alone(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("bound", &["dev"])?);
    log_in(&machine, &person)?;
    let ask = |server: &str| told(machine.plugin(&["get-token"])?, &Machine::asks(NOBODY, server));
    let authority = machine.gate.authority();
    let (_, port) = authority.rsplit_once(':').context("a port")?;
    for ours in [
        format!("https://localhost:{port}/k8s/clusters/west"),
        // The name of a cluster alone.
        format!("https://east.test:{port}"),
    ] {
        let given = ask(&ours)?;
        ensure!(given.success() && given.stdout.contains(TOKEN), "{ours}: {given:?}");
    }
    for other in [
        format!("https://evil.test:{port}/k8s/clusters/east"),
        format!("https://localhost:{port}@evil.test/"),
        "https://localhost:1/k8s/clusters/east".to_owned(),
        format!("https://console.test:{port}"),
    ] {
        let refused = ask(&other)?;
        ensure!(refused.code == Some(4) && refused.stdout.is_empty(), "{other}: {refused:?}");
        ensure!(refused.stderr.contains("kubectl gatewarden kubeconfig"), "{}", refused.stderr);
    }
    let plain = ask(&format!("http://localhost:{port}"))?;
    ensure!(plain.code == Some(2) && plain.stdout.is_empty(), "{plain:?}");
    let silent =
        r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}"#;
    let silent = told(machine.plugin(&["get-token"])?, silent)?;
    ensure!(silent.code == Some(2) && silent.stdout.is_empty(), "{silent:?}");
    ensure!(silent.stderr.contains("provideClusterInfo: true"), "{}", silent.stderr);
    Ok(())
}

pub(crate) fn an_authority_of_a_kubeconfig_is_not_the_one_of_the_login(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("authority", &["dev"])?);
    log_in(&machine, &person)?;
    let url = format!("https://{}", machine.gate.authority());
    let plugin = |arguments: &[&str]| machine.command(Machine::program()?, arguments);
    // No certificate at all: whoever believed it could reach nothing.
    let spoilt = |interactive: bool, server: &str| {
        let data = r#","certificate-authority-data":"bm90aGluZw==""#;
        Machine::asks(interactive, server).replace(&format!("\"{server}\""), &format!("\"{server}\"{data}"))
    };
    machine.end_the_token()?;
    let given = told(plugin(&["get-token", "--gateway", &url])?, &spoilt(NOBODY, &url))?;
    ensure!(given.success() && given.stdout.contains(TOKEN), "{given:?}");
    // Who is met for the first time is believed what the file says of this very server.
    let stranger = Machine::new(bed, bed.gate());
    let first = |server: &str| {
        told(stranger.command(Machine::program()?, &["get-token", "--gateway", &url])?, &spoilt(SOMEBODY, server))
    };
    ensure!(first(&url)?.stderr.contains("authority"), "{:?}", first(&url)?);
    ensure!(
        !first("https://other.test")?.stderr.contains("holds no certificate"),
        "{:?}",
        first("https://other.test")?
    );
    Ok(())
}
