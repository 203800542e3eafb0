//! `gatewarden session`: the logins that go on, and how an administrator ends them.

use std::path::Path;
use std::process::ExitCode;

use auth_core::Clock;
use gatewarden_control::{SessionInfo, Settings};
use serde::Serialize;
use serde_json::json;

use super::arguments::SessionCommand;
use super::output::Output;
use super::{CommandError, store};
use crate::config;
use crate::wiring::SystemClock;

pub(super) fn run(path: &Path, command: SessionCommand, output: &Output) -> Result<ExitCode, CommandError> {
    match command {
        SessionCommand::List { user, all } => list(path, user.as_deref(), all, output)?,
        SessionCommand::Revoke { id: Some(id), .. } => {
            store::with(path, async |admin| Ok(admin.end_session(&id).await?))?;
            output.one(&json!({ "ended": [id] }), &format!("ended {id}"))?;
        }
        SessionCommand::Revoke { id: None, user } => {
            let user = user.unwrap_or_default();
            let ended = store::with(path, async |admin| Ok(admin.end_sessions_of(&user).await?))?;
            let ids: Vec<&str> = ended.iter().map(|id| id.as_str()).collect();
            output.one(&json!({ "ended": ids }), &format!("ended {} sessions of {user}", ids.len()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(path: &Path, user: Option<&str>, all: bool, output: &Output) -> Result<(), CommandError> {
    let settings = config::load_file(path)?.control_settings();
    let mut sessions = store::with(path, async |admin| Ok(admin.sessions(user).await?))?;
    let now = SystemClock.now();
    sessions.retain(|session| all || (session.ended.is_none() && session.expires_at > now));
    let rows: Vec<Row> = sessions.into_iter().map(|session| Row::of(session, &settings)).collect();
    let header = ["session", "user", "client", "flow", "from", "program", "since", "last used", "until", "ended"];
    output.list(header, &rows, |row| {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        [
            row.id.clone(),
            row.username.clone(),
            or_dash(&row.client),
            row.flow.unwrap_or("-").to_owned(),
            or_dash(&row.address),
            or_dash(&row.agent),
            row.created_at.clone(),
            row.last_used_at.clone(),
            row.idle_expires_at.clone().unwrap_or_else(|| row.expires_at.clone()),
            row.ended_why.clone().unwrap_or_default(),
        ]
    })?;
    Ok(())
}

/// As the API names it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    user: String,
    provider: String,
    principal: String,
    username: String,
    client: Option<String>,
    flow: Option<&'static str>,
    amr: Vec<String>,
    address: Option<String>,
    agent: Option<String>,
    approved_from: Option<String>,
    created_at: String,
    last_used_at: String,
    refreshed_at: String,
    next_refresh_at: Option<String>,
    incomplete: Option<String>,
    expires_at: String,
    idle_expires_at: Option<String>,
    ended_at: Option<String>,
    ended_why: Option<String>,
}

impl Row {
    fn of(session: SessionInfo, settings: &Settings) -> Self {
        let goes_on = session.ended.is_none();
        let next_refresh_at = session.next_refresh(settings).filter(|_| goes_on).map(|at| at.to_string());
        let (ended_at, ended_why) = session.ended.map(|(at, why)| (at.to_string(), why)).unzip();
        let origin = session.origin;
        Self {
            id: session.id.to_string(),
            user: session.user.to_string(),
            provider: session.provider.to_string(),
            principal: session.principal.to_string(),
            username: session.identity.user.username,
            client: session.client,
            flow: origin.flow.map(gatewarden_control::LoginFlow::word),
            amr: origin.amr,
            address: origin.address.map(|address| address.to_string()),
            agent: origin.agent,
            approved_from: origin.approved_from.map(|address| address.to_string()),
            created_at: session.created_at.to_string(),
            last_used_at: session.used_at.to_string(),
            refreshed_at: session.refreshed_at.to_string(),
            next_refresh_at,
            incomplete: session.incomplete,
            expires_at: session.expires_at.to_string(),
            idle_expires_at: session.idle_at.map(|at| at.to_string()),
            ended_at,
            ended_why,
        }
    }
}
