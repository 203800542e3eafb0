//! `whoami --explain`: why somebody may enter each cluster, or may not, as the gateway knows it.
//!
//! Of a cluster without a grant nothing is known here, not even that it is there: the gateway does not tell it.

use serde_json::Value;

/// What the gateway told.
pub(super) struct Told {
    /// `/api/v1/me`
    pub(super) me: Value,
    /// `/api/v1/clusters`
    pub(super) clusters: Value,
    /// Of `/api/v1/sessions`, the one that asks.
    pub(super) session: Value,
}

/// The whole of it; of the clusters only one, when one is named.
pub(super) fn report(told: &Told, only: Option<&str>) -> String {
    let mut text = format!("\n{}\n", session(told));
    let listed = array(&told.clusters, "/clusters");
    let asked = |cluster: &&Value| only.is_none_or(|only| str_at(cluster, "/id") == Some(only));
    let open: Vec<&Value> = listed.filter(asked).collect();
    for cluster in &open {
        text += &entered(cluster, told);
    }
    match only {
        Some(only) if open.is_empty() => text += &line(only, &format!("you may not enter: {}", not_entered(told))),
        Some(_) => {}
        None => text += &line("others", &format!("you may not enter: {}", not_entered(told))),
    }
    text
}

fn session(told: &Told) -> String {
    let (session, me) = (&told.session, &told.me);
    let at = |key: &str| str_at(session, key).map(moment);
    let came = [("/address", " from "), ("/agent", " by ")];
    let came: String = came.iter().filter_map(|(key, word)| Some(format!("{word}{}", str_at(session, key)?))).collect();
    let rows = [
        ("begun", at("/createdAt").map(|at| at + &came)),
        ("ends", at("/expiresAt").map(|at| format!("{at}, whatever happens"))),
        ("idle end", at("/idleExpiresAt").map(|at| format!("{at}, unless it is used before"))),
        ("token", str_at(me, "/expiresAt").map(|at| format!("good until {}", moment(at)))),
        ("groups", at("/refreshedAt").map(|at| format!("read {at}{}", read_next(session)))),
    ];
    rows.into_iter().filter_map(|(name, value)| Some(line(name, &value?))).collect()
}

fn read_next(session: &Value) -> String {
    let next = str_at(session, "/nextRefreshAt").map(|at| format!(", next {}", moment(at))).unwrap_or_default();
    let lacking = str_at(session, "/incomplete").map(|why| format!("; not all of them, last time: {why}"));
    next + &lacking.unwrap_or_default()
}

fn entered(cluster: &Value, told: &Told) -> String {
    let id = str_at(cluster, "/id").unwrap_or("?");
    let how = if cluster.pointer("/readOnly") == Some(&Value::Bool(true)) { ", only to read" } else { "" };
    let by = words(cluster, "/grantedTo");
    let grants = if by.is_empty() { String::new() } else { format!(": a grant names {}", by.join(", ")) };
    let groups = words(&told.me, "/identity/groups").into_iter().chain(["system:authenticated"]).collect::<Vec<_>>();
    let user = str_at(&told.me, "/identity/username").unwrap_or("?");
    let carried = match str_at(cluster, "/identity") {
        Some("bearer") => ", as a token of this session says",
        Some("impersonation") => ", as the gateway's impersonation headers say",
        _ => "",
    };
    line(id, &format!("you may enter{how}{grants}"))
        + &line("", &format!("its RBAC is asked about {user} in {}{carried}", groups.join(", ")))
}

/// One text for a cluster without a grant and for one that is not there.
fn not_entered(told: &Told) -> String {
    let names = words(&told.clusters, "/subjects");
    let who = if names.is_empty() { "you".to_owned() } else { names.join(", ") };
    let ask = str_at(&told.clusters, "/whomToAsk").filter(|ask| !ask.is_empty());
    let ask = ask.map(|ask| format!(" {ask}")).unwrap_or_default();
    format!("no grant names {who}, or there is no such cluster.{ask}")
}

fn line(name: &str, text: &str) -> String {
    format!("{name:10} {text}\n")
}

/// To the second, in words that people read.
fn moment(text: &str) -> String {
    let read = text.parse::<jiff::Timestamp>();
    read.map_or_else(|_| text.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn str_at<'a>(value: &'a Value, at: &str) -> Option<&'a str> {
    value.pointer(at).and_then(Value::as_str)
}

fn array<'a>(value: &'a Value, at: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(at).and_then(Value::as_array).into_iter().flatten()
}

fn words<'a>(value: &'a Value, at: &str) -> Vec<&'a str> {
    array(value, at).filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told() -> Told {
        Told {
            me: json!({ "expiresAt": "2026-01-01T10:15:00Z",
                        "identity": { "username": "corp:alice", "groups": ["corp:dev"] } }),
            clusters: json!({
                "clusters": [
                    { "id": "east", "readOnly": false, "identity": "impersonation", "grantedTo": ["group:corp:dev"] },
                    { "id": "west", "readOnly": true, "identity": "bearer", "grantedTo": ["user:corp:alice"] },
                ],
                "subjects": ["user:corp:alice", "group:corp:dev"],
                "whomToAsk": "Ask the platform team.",
            }),
            session: json!({ "createdAt": "2026-01-01T10:00:00.123Z", "expiresAt": "2026-01-01T22:00:00Z",
                             "idleExpiresAt": "2026-01-01T18:00:00Z", "refreshedAt": "2026-01-01T10:00:00Z",
                             "nextRefreshAt": "2026-01-01T10:14:00Z", "address": "192.0.2.7", "agent": "plugin/1" }),
        }
    }

    #[test]
    fn each_cluster_says_which_grant_opens_it_and_what_its_rbac_is_asked() {
        let text = report(&told(), None);
        for line in [
            "begun      2026-01-01 10:00:00 UTC from 192.0.2.7 by plugin/1",
            "ends       2026-01-01 22:00:00 UTC, whatever happens",
            "idle end   2026-01-01 18:00:00 UTC, unless it is used before",
            "token      good until 2026-01-01 10:15:00 UTC",
            "groups     read 2026-01-01 10:00:00 UTC, next 2026-01-01 10:14:00 UTC",
            "east       you may enter: a grant names group:corp:dev",
            "           its RBAC is asked about corp:alice in corp:dev, system:authenticated, as the gateway's impersonation headers say",
            "west       you may enter, only to read: a grant names user:corp:alice",
            "others     you may not enter: no grant names user:corp:alice, group:corp:dev, or there is no such cluster. \
             Ask the platform team.",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nin {text}");
        }
        assert!(text.contains("as a token of this session says"), "{text}");
    }

    #[test]
    fn one_cluster_alone_is_told_and_one_that_is_not_there_like_one_without_a_grant() {
        let text = report(&told(), Some("west"));
        assert!(text.contains("west ") && !text.contains("east ") && !text.contains("others"), "{text}");
        let [missing, closed] = ["nopes", "north"].map(|id| report(&told(), Some(id)).replace(id, "<id>"));
        assert_eq!(missing, closed);
        assert!(missing.contains("you may not enter: no grant names"), "{missing}");
    }

    #[test]
    fn what_an_older_gateway_does_not_tell_is_left_out() {
        let told = Told { me: json!({}), clusters: json!({ "clusters": [{ "id": "east" }] }), session: Value::Null };
        let text = report(&told, None);
        assert!(text.contains("east       you may enter\n"), "{text}");
        assert!(text.contains("no grant names you, or there is no such cluster.\n"), "{text}");
        assert!(!text.contains("ends") && !text.contains("groups  "), "{text}");
    }

    #[test]
    fn groups_that_could_not_all_be_read_are_told() {
        let mut told = told();
        told.session["incomplete"] = json!("the list was cut short");
        assert!(report(&told, None).contains("; not all of them, last time: the list was cut short"));
    }
}
