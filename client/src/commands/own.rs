//! What somebody asks about themselves.

use serde_json::Value;

use super::explain::{self, Told};
use super::{print, session, table};
use crate::arguments::{self, Sessions};
use crate::cache::eprint;
use crate::failure::Failure;
use crate::session::{How, Session};

pub(super) fn whoami(given: &arguments::Gateway, explain: bool, only: Option<&str>) -> Result<(), Failure> {
    let session = session(given)?;
    let only = only.map(word).transpose()?;
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
    let mut told: String = rows.iter().map(|(name, value)| format!("{name:10} {value}\n")).collect();
    if explain {
        let (clusters, sessions) = (ask(&session, "clusters")?, ask(&session, "sessions")?);
        let own = sessions.get("sessions").and_then(Value::as_array).into_iter().flatten().find(|one| is_current(one));
        told += &explain::report(&Told { me, clusters, session: own.cloned().unwrap_or_default() }, only);
    }
    print(&told)
}

fn is_current(session: &Value) -> bool {
    session.get("current").and_then(Value::as_bool) == Some(true)
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
    print(&listing(&sessions))
}

/// What a gateway tells of each, and no column of what it does not tell of any.
fn listing(sessions: &[Value]) -> String {
    const COLUMNS: [(&str, &str); 8] = [
        ("id", "id"),
        ("provider", "provider"),
        ("since", "createdAt"),
        ("until", "expiresAt"),
        ("for", "client"),
        ("from", "address"),
        ("program", "agent"),
        ("device", "device"),
    ];
    let text = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).map(str::to_owned);
    let told = |key: &str| sessions.iter().any(|one| text(one, key).is_some());
    let columns: Vec<_> = COLUMNS.iter().enumerate().filter(|(at, (_, key))| *at < 4 || told(key)).collect();
    let row = |one: &Value| {
        let cells = columns.iter().map(|(_, (_, key))| text(one, key).unwrap_or_else(|| "-".to_owned()));
        cells.chain([if is_current(one) { "yes" } else { "" }.to_owned()]).collect()
    };
    let headings: Vec<&str> = columns.iter().map(|(_, (heading, _))| *heading).chain(["this one"]).collect();
    table(&headings, &sessions.iter().map(row).collect::<Vec<_>>())
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

/// The host names by which the gateway, and each cluster that somebody may enter, is reached.
pub(super) fn names(session: &Session) -> Result<Vec<String>, Failure> {
    let listed = ask(session, "clusters")?;
    let of = |one: &Value| one.get("hosts").and_then(Value::as_array).cloned().unwrap_or_default();
    let clusters = listed.get("clusters").and_then(Value::as_array).cloned().unwrap_or_default();
    let all = of(&listed).into_iter().chain(clusters.iter().flat_map(of));
    Ok(all.filter_map(|name| name.as_str().map(str::to_owned)).collect())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_gateway_tells_of_sessions_is_shown_and_nothing_else_is() {
        let old = [json!({ "id": "s-1", "provider": "corp", "createdAt": "a", "expiresAt": "b", "current": true })];
        assert_eq!(listing(&old), "ID    PROVIDER   SINCE   UNTIL   THIS ONE\ns-1   corp       a       b       yes\n");
        let new =
            [json!({ "id": "s-1", "address": "192.0.2.7", "agent": null }), json!({ "id": "s-2", "agent": "x/1" })];
        let text = listing(&new);
        assert!(text.starts_with("ID    PROVIDER   SINCE   UNTIL   FROM        PROGRAM   THIS ONE\n"), "{text}");
        assert!(text.contains("192.0.2.7   -") && text.contains("-           x/1"), "{text}");
        assert_eq!(listing(&[]).lines().count(), 1);
    }
}
