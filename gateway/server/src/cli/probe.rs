//! Asking clusters what the gateway's accounts may do, and whether that is exactly enough.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use gatewarden_proxy::{Carrier, ClusterConfig, Mode, ProbeReport};
use serde::Serialize;
use tokio::runtime::Builder;

use super::cluster::unknown;
use super::output::{Output, plain};
use super::{CommandError, store};
use crate::config::{self, Loaded};
use crate::wiring::ProviderPorts;

/// What was found at one cluster.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    cluster: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reviewer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered: Option<String>,
    checks: Vec<Found>,
    /// What becomes of requests.
    effect: &'static str,
    /// What mends it.
    commands: Vec<String>,
}

/// One question and its answer.
#[derive(Debug, Serialize)]
struct Found {
    name: String,
    expected: String,
    found: String,
    ok: bool,
    /// `missing` or `too much`, where it is not as it must be.
    kind: &'static str,
    mend: String,
}

impl Report {
    pub(super) const fn is_ok(&self) -> bool {
        self.ok
    }

    fn failed(cluster: &str, why: String) -> Self {
        Self {
            cluster: cluster.to_owned(),
            ok: false,
            version: None,
            impersonation: None,
            impersonator: None,
            reviewer: None,
            unanswered: Some(why),
            checks: Vec::new(),
            effect: "the cluster is not served",
            commands: Vec::new(),
        }
    }

    fn of(report: ProbeReport, dangerous: bool) -> Self {
        Self {
            effect: report.effect(dangerous),
            commands: report.commands(),
            impersonator: report.impersonator.clone(),
            reviewer: report.reviewer.clone(),
            ok: report.is_good(),
            cluster: report.cluster,
            version: report.version,
            impersonation: report.mode.map(|mode| match mode {
                Mode::Constrained => "constrained",
                Mode::Legacy => "legacy",
            }),
            unanswered: report.unanswered,
            checks: report
                .checks
                .into_iter()
                .map(|check| Found {
                    ok: check.ok,
                    kind: check.kind(),
                    mend: check.mend.to_string(),
                    name: check.name,
                    expected: check.expected,
                    found: check.found,
                })
                .collect(),
        }
    }
}

/// `gatewarden cluster check`.
pub(super) fn run(path: &Path, id: Option<&str>, output: &Output) -> Result<ExitCode, CommandError> {
    let ports = ProviderPorts::default();
    let loaded = config::load(path, &ports)?;
    let reports = ask(&loaded, &ports, id)?;
    if output.is_json() {
        output.one(&reports, "")?;
    } else {
        print(&reports, output)?;
    }
    Ok(if reports.iter().all(Report::is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks one cluster, or all of them.
pub(super) fn ask(loaded: &Loaded, ports: &ProviderPorts, id: Option<&str>) -> Result<Vec<Report>, CommandError> {
    let wanted: Vec<ClusterConfig> = loaded
        .snapshot
        .clusters()
        .filter(|cluster| id.is_none_or(|id| id == cluster.id()))
        .map(|cluster| cluster.config().clone())
        .collect();
    if let (Some(id), true) = (id, wanted.is_empty()) {
        return Err(unknown(&loaded.config, id));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let takes_tokens = |cluster: &ClusterConfig| matches!(cluster.carrier, Carrier::Bearer(_));
        if wanted.iter().any(takes_tokens) {
            let store = store::open(&loaded.config).await?;
            let opened = store::open_mint(&loaded.config, ports, &store).await;
            store.close().await;
            opened?;
        }
        let mut reports = Vec::with_capacity(wanted.len());
        for cluster in wanted {
            let (name, dangerous) = (cluster.id.clone(), cluster.dangerous_privileged_account);
            reports.push(match gatewarden_proxy::probe(cluster).await {
                Ok(report) => Report::of(report, dangerous),
                Err(why) => Report::failed(&name, why),
            });
        }
        reports.sort_by(|one: &Report, other| one.cluster.cmp(&other.cluster));
        Ok(reports)
    })
}

/// Prints what is wrong and what mends it, and one line for each cluster.
pub(super) fn print(reports: &[Report], output: &Output) -> Result<(), CommandError> {
    for report in reports {
        let verdict = match (&report.unanswered, report.ok) {
            (Some(why), _) => format!("cannot be asked: {why}"),
            (None, true) => format!("{} questions, all answered as they must be", report.checks.len()),
            (None, false) => "not as it must be".to_owned(),
        };
        let version = report.version.as_deref().unwrap_or("version unknown");
        let mode = report.impersonation.map(|mode| format!(", {mode} impersonation")).unwrap_or_default();
        output.text(&format!("{} ({}{mode}): {}\n", report.cluster, plain(version), plain(&verdict)))?;
        if !report.ok {
            output.text(&details(report))?;
        }
    }
    Ok(())
}

fn details(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (account, name) in [("impersonator", &report.impersonator), ("reviewer", &report.reviewer)] {
        if let Some(name) = name {
            let _ = writeln!(text, "  {account}: {}", plain(name));
        }
    }
    for check in report.checks.iter().filter(|check| !check.ok) {
        let found = plain(&check.found);
        let _ = writeln!(text, "  {}: {}: expected {}, found {found}", check.kind, check.name, check.expected);
    }
    if !report.commands.is_empty() {
        text.push_str("  To mend it, as an administrator of that cluster:\n");
    }
    for command in &report.commands {
        let _ = writeln!(text, "    {}", plain(command));
        if command.starts_with("kubectl get") {
            text.push_str("      and delete each binding that it lists beside the gateway's own\n");
        }
    }
    let _ = writeln!(text, "  Until then {}.", report.effect);
    text
}
