//! `gatewarden user`: people that the gateway keeps, and people that it has seen.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use auth_core::{Clock, PasswordHash};
use gatewarden_control::{Admin, KnownUser, NewUser, Outcome, RefreshAnswer};
use serde::Serialize;
use serde_json::json;

use super::arguments::UserCommand;
use super::output::Output;
use super::{CommandError, password, store};
use crate::wiring::SystemClock;
use crate::{config, providers};

pub(super) fn run(path: &Path, command: UserCommand, output: &Output) -> Result<ExitCode, CommandError> {
    match command {
        UserCommand::Add { login, display_name, groups, password_stdin } => {
            let password_hash = Some(hash(path, password_stdin)?);
            let new = NewUser { login: login.clone(), display_name, password_hash, must_change: false, groups };
            let id = store::with(path, async |admin| Ok(admin.add_user(new).await?))?;
            output.one(&json!({ "id": id.to_string(), "login": login }), &format!("added {login} ({id})"))?;
        }
        UserCommand::Passwd { login, password_stdin } => {
            let hash = hash(path, password_stdin)?;
            let id = store::with(path, async |admin| Ok(admin.set_password(&login, &hash, false).await?))?;
            output.one(
                &json!({ "id": id.to_string() }),
                &format!("set the password of {login}; its sessions have ended"),
            )?;
        }
        UserCommand::Disable { user } => {
            let id = store::with(path, async |admin| Ok(admin.disable(&user).await?))?;
            output.one(&json!({ "id": id.to_string(), "disabled": true }), &format!("disabled {user} ({id})"))?;
        }
        UserCommand::Enable { user } => {
            let id = store::with(path, async |admin| Ok(admin.enable(&user).await?))?;
            output.one(&json!({ "id": id.to_string(), "disabled": false }), &format!("enabled {user} ({id})"))?;
        }
        UserCommand::Refresh { user } => return refresh(path, &user, output),
        UserCommand::List => list(path, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for a password and hashes it at the cost that the `local` provider is configured with.
fn hash(path: &Path, from_stdin: bool) -> Result<PasswordHash, CommandError> {
    let config = config::load_file(path)?;
    let local = config.providers.iter().find(|provider| provider.kind == "local");
    let written = local.and_then(|provider| provider.config.as_ref()).map(config::Node::to_json);
    let password = password::read(from_stdin)?;
    providers::hash_local_password(&password, written).map_err(CommandError::Failed)
}

fn list(path: &Path, output: &Output) -> Result<(), CommandError> {
    let users = store::with(path, async |admin| Ok(admin.users().await?))?;
    let rows: Vec<Row> = users.into_iter().map(Row::from).collect();
    output.list(["user", "login", "name", "principals", "last seen", "disabled"], &rows, |row| {
        [
            row.id.clone(),
            row.login.clone(),
            row.display_name.clone().unwrap_or_default(),
            row.principals.join(", "),
            row.last_seen_at.clone().unwrap_or_else(|| "never".to_owned()),
            row.disabled_at.clone().unwrap_or_else(|| "no".to_owned()),
        ]
    })?;
    Ok(())
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    login: String,
    display_name: Option<String>,
    principals: Vec<String>,
    created_at: String,
    last_seen_at: Option<String>,
    disabled_at: Option<String>,
}

impl From<KnownUser> for Row {
    fn from(user: KnownUser) -> Self {
        Self {
            id: user.id.to_string(),
            login: user.login,
            display_name: user.display_name,
            principals: user.principals.iter().map(ToString::to_string).collect(),
            created_at: user.created_at.to_string(),
            last_seen_at: user.last_seen_at.map(|at| at.to_string()),
            disabled_at: user.disabled_at.map(|at| at.to_string()),
        }
    }
}

/// How long a running server has to answer: it waits for the directory itself.
const PATIENCE: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_millis(100);

fn refresh(path: &Path, user: &str, output: &Output) -> Result<ExitCode, CommandError> {
    let answer = store::with(path, async |admin| ask(&admin, user).await)?;
    let Some(answer) = answer else {
        return Err(CommandError::Input(format!(
            "no server has answered within {} s; the request stays, and is carried out when `gatewarden serve` runs",
            PATIENCE.as_secs()
        )));
    };
    let rows: Vec<Refreshed> = answer
        .principals
        .iter()
        .map(|one| {
            let (ok, outcome) = told(&one.outcome);
            Refreshed { principal: one.principal.to_string(), outcome, ok }
        })
        .collect();
    output.list(["principal", "outcome"], &rows, |row| [row.principal.clone(), row.outcome.clone()])?;
    Ok(if rows.iter().all(|row| row.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the question is settled, and how.
fn told(outcome: &Outcome) -> (bool, String) {
    match outcome {
        Outcome::Current { groups } => (true, format!("read anew: {groups} groups")),
        Outcome::Incomplete { why } => (false, format!("not all groups could be read, the known ones stay: {why}")),
        Outcome::Gone => (true, "the provider does not know them any more; their sessions ended".to_owned()),
        Outcome::Disabled => (true, "switched off at the provider; their sessions ended".to_owned()),
        Outcome::NeedsLogin => (true, "only a new login can renew this; the sessions of their logins ended".to_owned()),
        Outcome::Refused { why } => (true, format!("may not log in any more, their sessions ended: {why}")),
        Outcome::Unavailable { why } => (false, format!("nobody answered, nothing changed: {why}")),
        Outcome::NotConfigured => (false, "their provider is not configured; nobody was asked".to_owned()),
    }
}

#[derive(Debug, Serialize)]
struct Refreshed {
    principal: String,
    outcome: String,
    ok: bool,
}

async fn ask(admin: &Admin, user: &str) -> Result<Option<RefreshAnswer>, CommandError> {
    let request = admin.request_refresh(user).await?;
    let started = SystemClock.monotonic();
    while SystemClock.monotonic().saturating_duration_since(started) < PATIENCE {
        if let Some(answer) = admin.refresh_answer(&request).await? {
            return Ok(Some(answer));
        }
        SystemClock.sleep(GLANCE).await;
    }
    Ok(None)
}
