//! `gatewarden check`: every fault at once, before anything runs on them.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::Check;
use super::output::{self, Output};
use super::{CommandError, probe, reach};
use crate::config::{self, LoadError, Loaded};
use crate::wiring::ProviderPorts;

pub(super) fn run(path: &Path, check: &Check, output: &Output) -> Result<ExitCode, CommandError> {
    let ports = ProviderPorts::default();
    let loaded = match config::load(path, &ports) {
        Ok(loaded) => loaded,
        Err(LoadError::Faults { path, faults, .. }) if output.is_json() => {
            let faults: Vec<_> = faults
                .iter()
                .map(|fault| json!({ "line": fault.spot.line, "column": fault.spot.column, "path": fault.path, "problem": fault.problem, "advice": fault.advice }))
                .collect();
            output.one(&json!({ "ok": false, "file": path, "faults": faults }), "")?;
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    };
    let mut warnings = loaded.config.warnings();
    if check.live {
        warnings.extend(reach::unknown_names(&loaded.config)?);
    }
    if !output.is_json() {
        for warning in &warnings {
            output::complain(&format!("warning: {warning}"));
        }
    }
    let (reached, reports) =
        if check.live { (reach::ask(&loaded)?, probe::ask(&loaded, &ports, None)?) } else { Default::default() };
    let ok = reached.iter().all(reach::Reached::is_ok) && reports.iter().all(probe::Report::is_ok);
    if !output.is_json() {
        reach::print(&reached, output)?;
        probe::print(&reports, output)?;
    }
    let result = json!({ "ok": ok, "file": path, "faults": [], "warnings": warnings, "providers": reached, "clusters": reports });
    output.one(&result, &summary(path, &loaded, ok))?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(path: &Path, loaded: &Loaded, ok: bool) -> String {
    let config = &loaded.config;
    let verdict = if ok { "no fault" } else { "no fault in the file, but not all that it names is as it must be" };
    format!(
        "{}: {} providers, {} clusters, {} grants: {verdict}",
        path.display(),
        config.providers.len(),
        config.clusters.len(),
        config.grants.len()
    )
}
