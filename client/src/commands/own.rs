//! What somebody asks about themselves.

use serde_json::Value;

use super::{print, session, table};
use crate::arguments::{self, Sessions};
use crate::cache::eprint;
use crate::failure::Failure;
use crate::session::{How, Session};

pub(super) fn whoami(given: &arguments::Gateway) -> Result<(), Failure> {
    let session = session(given)?;
    let me = ask(&session, "me")?;
    let text = |at: &str| me.pointer(at).and_then(Value::as_str).unwrap_or("-").to_owned();
    let groups = me.pointer("/identity/groups").and_then(Value::as_array);
    let groups: Vec<&str> = groups.into_iter().flatten().filter_map(Value::as_str).collect();
    let rows = [
        ("gateway", session.url().to_owned()),
        ("user", text("/identity/username")),
        ("groups", groups.join(", ")),
        ("provider", text("/provider")),
        ("principal", text("/principal")),
        ("session", text("/session")),
    ];
    print(&rows.iter().map(|(name, value)| format!("{name:10} {value}\n")).collect::<String>())
}

pub(super) fn clusters(given: &arguments::Gateway) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = entered(&session(given)?)?
        .into_iter()
        .map(|one| vec![one.id, if one.read_only { "yes" } else { "no" }.to_owned()])
        .collect();
    print(&table(&["id", "read-only"], &rows))
}

pub(super) fn sessions(given: &arguments::Gateway, command: &Sessions) -> Result<(), Failure> {
    let session = session(given)?;
    match command {
        Sessions::List => list(&session),
        Sessions::Revoke { id } => {
            let token = session.token(How::here())?.token;
            let answer = session.http()?.delete(&format!("{}/api/v1/sessions/{}", session.url(), word(id)?), &token)?;
            answer.ok("the session cannot be ended")?;
            eprint(&format!("Ended {id}."));
            Ok(())
        }
    }
}

fn list(session: &Session) -> Result<(), Failure> {
    let listed = ask(session, "sessions")?;
    let sessions = listed.get("sessions").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |one: &Value| {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        let this = one.get("current").and_then(Value::as_bool) == Some(true);
        vec![
            text("id"),
            text("provider"),
            text("createdAt"),
            text("expiresAt"),
            if this { "yes" } else { "" }.to_owned(),
        ]
    };
    print(&table(&["id", "provider", "since", "until", "this one"], &sessions.iter().map(row).collect::<Vec<_>>()))
}

/// A cluster that somebody may enter.
pub(super) struct Entered {
    pub(super) id: String,
    read_only: bool,
}

/// The clusters that somebody may enter.
pub(super) fn entered(session: &Session) -> Result<Vec<Entered>, Failure> {
    let listed = ask(session, "clusters")?;
    let clusters = listed.get("clusters").and_then(Value::as_array).cloned().unwrap_or_default();
    let one = |one: &Value| {
        let id = one.get("id")?.as_str()?;
        let read_only = one.get("readOnly").and_then(Value::as_bool) == Some(true);
        Some(Entered { id: word(id).ok()?.to_owned(), read_only })
    };
    Ok(clusters.iter().filter_map(one).collect())
}

fn ask(session: &Session, what: &str) -> Result<Value, Failure> {
    let token = session.token(How::here())?.token;
    let answer = session.http()?.get(&format!("{}/api/v1/{what}", session.url()), Some(&token))?;
    answer.ok("the gateway does not say")
}

/// An id as it may stand in a path and in a file.
fn word(id: &str) -> Result<&str, Failure> {
    let legal = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    legal.then_some(id).ok_or_else(|| Failure::Usage(format!("{id:?} is no id")))
}
