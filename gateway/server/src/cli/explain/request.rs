//! `explain --audit-id`: what became of one request, and what to do about it, from the audit log.

use std::path::Path;
use std::process::ExitCode;

use kube_wire::audit::{Event, Stage};
use serde_json::json;

use super::{record, remedy};
use crate::cli::CommandError;
use crate::cli::output::{Output, plain};
use crate::config;

/// Finds the request and tells its story.
pub(super) fn run(path: &Path, audit_id: &str, output: &Output) -> Result<ExitCode, CommandError> {
    let config = config::load_file(path)?;
    let Some(file) = &config.audit.file else {
        return Err(CommandError::Input("no request is on record: set `audit.file` in the configuration".to_owned()));
    };
    let found = record::find(file, audit_id)?;
    let Some(last) = found.events.last() else {
        return Err(CommandError::Input(record::not_found(audit_id, &found.searched, &found.packed)));
    };
    let whom_to_ask = config.whom_to_ask.as_str();
    let remedy = remedy::of(last, whom_to_ask);
    let text = story(&found.events, last, &remedy);
    if output.is_json() {
        output.one(&json!({ "events": found.events, "remedy": remedy }), &text)?;
    } else {
        output.text(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What happened, in the order in which the gateway found it out.
fn story(events: &[Event<'_>], last: &Event<'_>, remedy: &str) -> String {
    let note = |key: &str| last.annotations.get(key).map_or("", AsRef::as_ref);
    let user = &last.user;
    let mut lines = vec![
        ("request", format!("{} {}", last.verb, last.request_uri)),
        ("received", format!("{} from {}", last.request_received_timestamp, last.source_ips.join(", "))),
        ("with", last.user_agent.to_string()),
        ("cluster", note("gatewarden/cluster").to_owned()),
        ("user", user.username.clone()),
        ("uid", user.uid.clone().unwrap_or_default()),
        ("groups", user.groups.join(", ")),
        ("acting as", last.impersonated_user.as_ref().map(|user| user.username.clone()).unwrap_or_default()),
        ("provider", note("gatewarden/provider").to_owned()),
        ("principal", note("gatewarden/principal").to_owned()),
        ("session", note("gatewarden/session-id").to_owned()),
        ("token", note("gatewarden/token").to_owned()),
    ];
    for event in events {
        lines.push(("stage", format!("{} {:?}", event.stage_timestamp, event.stage)));
    }
    let code = last.response_status.as_ref().map(|status| status.code);
    lines.push((
        "answered",
        code.map_or("not yet: it is still running, or its end is not on record".to_owned(), answered(last)),
    ));
    lines.push(("reason", note("gatewarden/deny-reason").to_owned()));
    lines.push(("next", remedy.to_owned()));
    let told = lines.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| format!("{name:<10} {}\n", plain(&value))).collect()
}

fn answered(last: &Event<'_>) -> impl FnOnce(u16) -> String {
    let by = match (last.annotations.contains_key("gatewarden/deny-reason"), last.stage) {
        (_, Stage::Panic) => "by the gateway, which failed inside",
        (true, _) => "by the gateway",
        (false, _) if last.annotations.contains_key("gatewarden/cluster") => "by the cluster",
        (false, _) => "by the gateway's own API",
    };
    move |code| format!("{code} {by}")
}
