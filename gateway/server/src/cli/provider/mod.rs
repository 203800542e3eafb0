//! `gatewarden provider test`: each step of a login at an identity system, with what it asked, found and took.
//!
//! It goes the way that logins go, from this machine and with this configuration, and needs no running server.

mod contract;
mod mapping;
pub(super) mod steps;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthError, Clock, Context, Password, Report, Step, Trial, Tried};
use gatewarden_control::ProviderEntry;
use serde_json::json;
use tokio::runtime::Builder;

use super::arguments::{ProviderCommand, ProviderTest};
use super::output::{Output, plain};
use super::{CommandError, password, store};
use crate::config::{self, Config};
use crate::wiring::{ProviderPorts, SystemClock};

/// How long the whole may take: a directory of several servers that do not answer takes a while.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(path: &Path, command: ProviderCommand, output: &Output) -> Result<ExitCode, CommandError> {
    match command {
        ProviderCommand::Test(test) => try_out(path, &test, output),
    }
}

fn try_out(path: &Path, test: &ProviderTest, output: &Output) -> Result<ExitCode, CommandError> {
    let ports = ProviderPorts::default();
    let loaded = config::load(path, &ports)?;
    let entry = loaded.providers.iter().find(|entry| entry.provider.name().as_str() == test.id);
    let entry = entry.ok_or_else(|| unknown(&loaded.config, &test.id))?;
    let password = if test.password_stdin { Some(password::read(true)?) } else { None };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = Report::default();
    runtime.block_on(async {
        // The local provider is the one whose people are in the store.
        let opened = if test.id == "local" { Some(store::open(&loaded.config).await?) } else { None };
        if let Some(store) = &opened {
            ports.open_users(Arc::new(store.clone()));
        }
        walk(entry, test.user.clone(), password, &report).await;
        if let Some(store) = opened {
            store.close().await;
        }
        Ok::<_, CommandError>(())
    })?;
    if output.is_json() {
        output
            .one(&json!({ "provider": test.id, "ok": report.is_good(), "steps": steps::json(&report.steps()) }), "")?;
    } else {
        output.text(&steps::text(&report.steps()))?;
        let verdict = if report.is_good() { "every step works" } else { "not every step works" };
        output.text(&plain(&format!("{}: {verdict}", test.id)))?;
        output.text("\n")?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn walk(entry: &ProviderEntry, user: Option<String>, password: Option<Password>, report: &Report) {
    let context = Context::new(SystemClock.monotonic() + PATIENCE, "provider test");
    if entry.provider.can_diagnose() {
        let trial = Trial::of(user.clone().map(Tried::Login), password);
        if let Err(error) = entry.provider.diagnose(&context, trial, report).await {
            report.add(failed("provider", &error));
        }
    } else {
        contract::walk(&entry.provider, &context, contract::Wanted { user: user.clone(), password }, report).await;
    }
    if let Some(user) = user {
        mapping::walk(entry, &context, &user, report).await;
    }
}

fn failed(step: &str, error: &AuthError) -> Step {
    Step::bad(step, error.audit_text())
}

fn unknown(config: &Config, id: &str) -> CommandError {
    let known: Vec<&str> = config.providers.iter().map(|provider| provider.id.as_str()).collect();
    CommandError::Input(format!("there is no provider `{id}`; there are: {}", known.join(", ")))
}
