//! `gatewarden check`: every fault at once, before anything runs on them.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::Check;
use super::output::{self, Output};
use super::{CommandError, probe};
use crate::config::{self, LoadError};
use crate::wiring::ProviderSide;

pub(super) fn run(path: &Path, check: &Check, output: &Output) -> Result<ExitCode, CommandError> {
    let side = ProviderSide::start().map_err(CommandError::failed)?;
    let loaded = match config::load(path, side.ports()) {
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
    let warnings = loaded.config.warnings();
    if !output.is_json() {
        for warning in &warnings {
            output::complain(&format!("warning: {warning}"));
        }
    }
    let reports = if check.live { probe::ask(&loaded, None)? } else { Vec::new() };
    let ok = reports.iter().all(probe::Report::is_ok);
    let summary = format!(
        "{}: {} providers, {} clusters, {} grants: {}",
        path.display(),
        loaded.config.providers.len(),
        loaded.config.clusters.len(),
        loaded.config.grants.len(),
        if ok { "no fault" } else { "the configuration has no fault, but clusters do" },
    );
    if !output.is_json() {
        probe::print(&reports, output)?;
    }
    output
        .one(&json!({ "ok": ok, "file": path, "faults": [], "warnings": warnings, "clusters": reports }), &summary)?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
