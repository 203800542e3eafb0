//! Each part of the answer, in the order in which a request meets it.

use std::collections::BTreeSet;

use auth_core::Finding;
use gatewarden_control::{Described, Explained, Now, SessionIdentity};
use gatewarden_proxy::State;
use serde_json::{Value, json};

use super::person::{Carried, Request, Story};
use super::times;
use crate::cli::provider::steps;

/// A heading, what stands under it, and the same for programs.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) lines: Vec<String>,
    pub(super) data: Value,
}

impl Section {
    pub(super) const fn new(name: &'static str, lines: Vec<String>, data: Value) -> Self {
        Self { name, lines, data }
    }
}

/// All that there is to tell.
pub(super) fn all(story: &Story) -> Vec<Section> {
    let explained = &story.explained;
    let mut sections = vec![user(explained), provider(explained)];
    if let Now::Known(described) = &explained.now {
        sections.extend([groups(described), policy(described), mapping(described)]);
    }
    if let Some(carried) = &story.carried {
        sections.push(identity(explained, carried));
        sections.push(times::section(story, carried));
        sections.push(grants(story, carried));
    }
    if let Some(request) = &story.request {
        sections.extend([cluster(request), asked(request)]);
        if request.played.stopped.is_none() {
            sections.push(headers(request));
            sections.push(answer(request));
        }
    }
    sections
}

fn user(explained: &Explained) -> Section {
    let mut lines = Vec::new();
    match &explained.user {
        Some(user) => {
            let seen = user.last_seen_at.map_or("never logged in".to_owned(), |at| format!("last logged in {at}"));
            lines.push(format!("{} ({}), {seen}", user.login, user.id));
            lines.extend(user.disabled_at.map(|at| format!("switched off here at {at}")));
        }
        None => lines.push("has never logged in here".to_owned()),
    }
    lines.push(format!("principal {}", explained.principal));
    lines.extend(explained.others.iter().map(|other| format!("also comes by {other}, which is explained by that id")));
    let data = json!({
        "id": explained.id.to_string(),
        "known": explained.user.is_some(),
        "login": explained.user.as_ref().map(|user| &user.login),
        "disabledAt": explained.user.as_ref().and_then(|user| user.disabled_at).map(|at| at.to_string()),
        "principal": explained.principal.to_string(),
        "others": explained.others.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    Section::new("user", lines, data)
}

fn provider(explained: &Explained) -> Section {
    let (word, told) = match &explained.now {
        Now::Known(described) => ("known", format!("knows them as {}", described.person.name)),
        Now::Gone => ("gone", "does not know them: a session ends at the next refresh".to_owned()),
        Now::Disabled => ("disabled", "knows them as switched off: a session ends at the next refresh".to_owned()),
        Now::NeedsLogin => ("needs-login", "tells nothing without their password".to_owned()),
        Now::NotConfigured => ("not-configured", "is not configured (any more)".to_owned()),
        Now::Unanswered(error) => ("unanswered", format!("did not answer as it should: {}", error.audit_text())),
    };
    let mut lines = vec![format!("{} {told}", explained.principal.instance())];
    // Those that went well are shown by `provider test`.
    let odd: Vec<_> = explained.steps.iter().filter(|step| step.finding != Finding::Good).cloned().collect();
    lines.extend(steps::text(&odd).lines().map(str::to_owned));
    let data = json!({ "id": explained.principal.instance().as_str(), "state": word, "told": told, "steps": steps::json(&explained.steps) });
    Section::new("provider", lines, data)
}

fn groups(described: &Described) -> Section {
    let origin = |group: &auth_core::Principal| described.origins.get(&group.id).map_or("", String::as_str);
    let mut lines: Vec<String> = described
        .groups
        .iter()
        .map(|group| format!("{} ({}) {}", group.name, group.id, origin(group)).trim_end().to_owned())
        .collect();
    if lines.is_empty() {
        lines.push("none".to_owned());
    }
    let data: Vec<Value> = (described.groups.iter())
        .map(|group| json!({ "name": group.name, "principal": group.id.to_string(), "origin": origin(group) }))
        .collect();
    Section::new("groups", lines, data.into())
}

fn policy(described: &Described) -> Section {
    let told = described.policy.explanation();
    let lines: Vec<String> = told.lines().map(str::to_owned).collect();
    let data = json!({ "allowed": described.policy.allowed, "steps": lines });
    Section::new("access policy", lines, data)
}

fn mapping(described: &Described) -> Section {
    let mut lines: Vec<String> = described.mapping.iter().map(ToString::to_string).collect();
    lines.extend(described.identity.as_ref().err().map(|why| format!("so no identity comes of them: {why}")));
    let data = json!({ "rules": lines, "fault": described.identity.as_ref().err() });
    Section::new("mapping", lines, data)
}

fn identity(explained: &Explained, carried: &Carried) -> Section {
    let SessionIdentity { user, withheld, .. } = &carried.identity;
    let from = explained.sessions.first().map_or_else(
        || "no session: this is what a login would give now".to_owned(),
        |session| format!("of session {}, read {}, until {}", session.id, session.refreshed_at, session.expires_at),
    );
    let mut lines = vec![from, format!("user {}", user.username), format!("groups {}", user.groups.join(", "))];
    for group in withheld {
        lines.push(format!("group {} is withheld: the name belongs to {}", group.name, group.owner));
    }
    let incomplete = explained.sessions.first().and_then(|session| session.incomplete.as_ref());
    lines.extend(incomplete.map(|why| format!("the last refresh was incomplete and changed nothing: {why}")));
    let (gains, losses) = difference(explained, carried);
    if !gains.is_empty() || !losses.is_empty() {
        let told = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        lines.push(format!(
            "the next refresh adds {} and takes away {}: `gatewarden user refresh {}` does it now",
            told(&gains),
            told(&losses),
            explained.id
        ));
    }
    let data = json!({
        "session": explained.sessions.first().map(|session| session.id.to_string()),
        "live": carried.is_live,
        "user": user,
        "withheld": withheld,
        "willGain": gains,
        "willLose": losses,
    });
    Section::new("identity", lines, data)
}

/// What the session does not have yet, and what it has still, of what clusters and grants may name.
fn difference<'a>(explained: &'a Explained, carried: &'a Carried) -> (Vec<&'a str>, Vec<&'a str>) {
    let Now::Known(described) = &explained.now else { return Default::default() };
    let Ok(fresh) = &described.identity else { return Default::default() };
    let names = |identity: &'a SessionIdentity| -> BTreeSet<&'a str> {
        std::iter::once(&identity.user.username).chain(&identity.user.groups).map(String::as_str).collect()
    };
    let (has, will) = (names(&carried.identity), names(fresh));
    (will.difference(&has).copied().collect(), has.difference(&will).copied().collect())
}

fn grants(story: &Story, carried: &Carried) -> Section {
    let snapshot = &story.loaded.snapshot;
    let named = snapshot.grants_naming(&carried.session);
    let read_only = |only: bool| if only { ", only to read" } else { "" };
    let mut lines: Vec<String> = named
        .iter()
        .map(|one| {
            format!(
                "grants[{}] names {}: {}{}",
                one.place,
                one.subject,
                one.clusters.join(", "),
                read_only(one.read_only)
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push("no grant names them".to_owned());
    }
    let open = snapshot.open_to(&carried.session);
    lines.push(match open.is_empty() {
        true => "so no cluster is open to them".to_owned(),
        false => {
            let told = open.iter().map(|(id, only)| format!("{id}{}", read_only(*only))).collect::<Vec<_>>();
            format!("so open to them: {}", told.join("; "))
        }
    });
    let matches: Vec<Value> = (named.iter())
        .map(|one| json!({ "grant": one.place, "subject": one.subject, "clusters": one.clusters, "readOnly": one.read_only }))
        .collect();
    Section::new("grants", lines, json!({ "matches": matches, "open": open }))
}

fn cluster(request: &Request) -> Section {
    let report = request.rehearsal.report();
    let (word, why) = match request.rehearsal.state() {
        State::Open => ("open", ""),
        State::Closed(why) => ("closed", &**why),
        State::Unproven(why) => ("unproven", &**why),
    };
    let version = report.version.as_deref().unwrap_or("version unknown");
    let mut lines = vec![format!("{} ({version}) is {word} {why}", request.cluster).trim_end().to_owned()];
    lines.extend(report.checks.iter().filter(|check| !check.ok).map(gatewarden_proxy::Check::sentence));
    let data = json!({ "id": request.cluster, "state": word, "why": why, "version": report.version });
    Section::new("cluster", lines, data)
}

fn asked(request: &Request) -> Section {
    let info = &request.played.asked;
    let object = if info.is_resource_request {
        let named = [info.resource.as_str(), &info.subresource].into_iter().filter(|part| !part.is_empty());
        let group = if info.api_group.is_empty() { String::new() } else { format!(".{}", info.api_group) };
        let of = |word: &str, text: &str| if text.is_empty() { String::new() } else { format!(" {word}{text}") };
        let named = named.collect::<Vec<_>>().join("/");
        format!("{named}{group}{}{}", of("", &info.name), of("in namespace ", &info.namespace))
    } else {
        info.path.clone()
    };
    let typed = if request.typed.is_empty() { "what kubectl asks first of any cluster" } else { &request.typed };
    let mut lines = vec![format!("{typed}: to RBAC it is {} {object}", info.verb)];
    let stopped = request.played.stopped.as_ref();
    lines.extend(
        stopped.map(|stopped| format!("the gateway answers {} {}: {}", stopped.status, stopped.code, stopped.why)),
    );
    let data = json!({
        "verb": info.verb,
        "apiGroup": info.api_group,
        "resource": info.resource,
        "subresource": info.subresource,
        "namespace": info.namespace,
        "name": info.name,
        "path": info.path,
        "stopped": stopped.map(|stopped| json!({ "status": stopped.status, "code": stopped.code, "why": stopped.why })),
    });
    Section::new("request", lines, data)
}

fn headers(request: &Request) -> Section {
    let headers = &request.played.headers;
    let lines = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let data: Vec<Value> = headers.iter().map(|(name, value)| json!([name, value])).collect();
    Section::new("headers", lines, data.into())
}

fn answer(request: &Request) -> Section {
    let seen = request.played.seen_as.as_ref();
    let name = seen.map_or("", |user| user.username.as_str());
    let (line, data) = match &request.played.verdict {
        None => ("was not asked".to_owned(), Value::Null),
        Some(Err(why)) => (format!("did not say: {why}"), json!({ "fault": why })),
        Some(Ok(verdict)) => {
            let word = if verdict.allowed { "allows" } else { "denies" };
            let line = format!("{word} it to {name} {}", verdict.reason).trim_end().to_owned();
            (line, json!({ "allowed": verdict.allowed, "reason": verdict.reason, "user": seen }))
        }
    };
    Section::new("answer of the cluster", vec![line], data)
}
