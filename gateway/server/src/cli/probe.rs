//! Asking clusters what the gateway's accounts may do, and whether that is exactly enough.

use std::path::Path;
use std::process::ExitCode;

use gatewarden_proxy::{ClusterConfig, Mode, ProbeReport};
use serde::Serialize;
use tokio::runtime::Builder;

use super::CommandError;
use super::cluster::unknown;
use super::output::Output;
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
    unanswered: Option<String>,
    checks: Vec<Found>,
}

/// One question and its answer.
#[derive(Debug, Serialize)]
struct Found {
    name: String,
    expected: String,
    found: String,
    ok: bool,
    mend: &'static str,
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
            unanswered: Some(why),
            checks: Vec::new(),
        }
    }
}

impl From<ProbeReport> for Report {
    fn from(report: ProbeReport) -> Self {
        Self {
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
                    name: check.name,
                    expected: check.expected,
                    found: check.found,
                    ok: check.ok,
                    mend: check.mend,
                })
                .collect(),
        }
    }
}

/// `gatewarden cluster check`.
pub(super) fn run(path: &Path, id: Option<&str>, output: &Output) -> Result<ExitCode, CommandError> {
    let loaded = config::load(path, &ProviderPorts::default())?;
    let reports = ask(&loaded, id)?;
    if output.is_json() {
        output.one(&reports, "")?;
    } else {
        print(&reports, output)?;
    }
    Ok(if reports.iter().all(Report::is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks one cluster, or all of them.
pub(super) fn ask(loaded: &Loaded, id: Option<&str>) -> Result<Vec<Report>, CommandError> {
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
        let mut reports = Vec::with_capacity(wanted.len());
        for cluster in wanted {
            let name = cluster.id.clone();
            reports.push(match gatewarden_proxy::probe(cluster).await {
                Ok(report) => report.into(),
                Err(why) => Report::failed(&name, why),
            });
        }
        reports.sort_by(|one: &Report, other| one.cluster.cmp(&other.cluster));
        Ok(reports)
    })
}

/// Prints what is wrong, and one line for each cluster.
pub(super) fn print(reports: &[Report], output: &Output) -> Result<(), CommandError> {
    for report in reports {
        let verdict = match (&report.unanswered, report.ok) {
            (Some(why), _) => format!("cannot be asked: {why}"),
            (None, true) => format!("{} questions, all answered as they must be", report.checks.len()),
            (None, false) => "not as it must be:".to_owned(),
        };
        let version = report.version.as_deref().unwrap_or("version unknown");
        output.text(&format!("{} ({version}): {verdict}\n", report.cluster))?;
        for check in report.checks.iter().filter(|check| !check.ok) {
            output.text(&format!(
                "  {}: expected {}, found {}; {}\n",
                check.name, check.expected, check.found, check.mend
            ))?;
        }
    }
    Ok(())
}
