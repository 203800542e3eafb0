//! `grants`: who may enter which cluster.

use std::collections::BTreeSet;

use gatewarden_control::Subject;

use super::service_accounts;
use crate::config::yaml::{Field, Section, meant};

/// Lets some people into some clusters. What they may do inside is the cluster's own RBAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Principals by their id (`corp_group://…`), users and groups by name (`group:corp:dev`).
    pub subjects: Vec<Subject>,
    /// Cluster ids; `*` is all of them.
    pub clusters: Vec<String>,
    /// Whether only reading is let through.
    pub read_only: bool,
}

pub(in crate::config) const KEYS: &[&str] = &["subjects", "clusters", "readOnly"];

/// The ids that a grant may name.
#[derive(Debug)]
pub(in crate::config) struct Known {
    pub(in crate::config) clusters: BTreeSet<String>,
    pub(in crate::config) providers: BTreeSet<String>,
    /// Whether some cluster takes its own service-account tokens.
    pub(in crate::config) service_accounts: bool,
}

pub(in crate::config) fn read(file: &Section<'_>, known: &Known) -> Vec<Grant> {
    let Some(field) = file.optional("grants") else { return Vec::new() };
    field.list().iter().filter_map(|field| grant(field, known)).collect()
}

/// Who may see and end everybody's sessions. Nobody, where nobody is named.
pub(in crate::config) fn administrators(file: &Section<'_>, known: &Known) -> Vec<Subject> {
    let Some(field) = file.optional("administrators") else { return Vec::new() };
    field.list().iter().filter_map(|field| subject(field, &known.providers)).collect()
}

fn grant(field: &Field<'_>, known: &Known) -> Option<Grant> {
    let section = field.section(KEYS)?;
    let subjects = section.required("subjects", "[\"group:corp:developers\"]");
    let clusters = section.required("clusters", "[\"*\"]");
    let read_only = section.optional("readOnly").and_then(|field| field.flag()).unwrap_or(false);
    Some(Grant {
        subjects: subjects.map(|field| names(&field, |field| granted(field, known))).unwrap_or_default(),
        clusters: clusters.map(|field| names(&field, |field| cluster(field, &known.clusters))).unwrap_or_default(),
        read_only,
    })
}

/// A list that must not be empty: an empty one looks like "everyone" to some and "nobody" to others.
fn names<T>(field: &Field<'_>, read: impl Fn(&Field<'_>) -> Option<T>) -> Vec<T> {
    let items = field.list();
    if items.is_empty() && matches!(field.node.value, crate::config::Value::List(_)) {
        field.fault("the list is empty", "name at least one, or remove the grant");
    }
    items.iter().filter_map(read).collect()
}

/// A service account has a name that comes from no provider, and may be granted where its token comes in.
fn granted(field: &Field<'_>, known: &Known) -> Option<Subject> {
    let text = field.text()?;
    let Some(account) = service_accounts::subject(&text) else { return named(field, &text, &known.providers) };
    if !known.service_accounts {
        field.fault(
            "service accounts come in by no cluster's own tokens",
            "write `serviceAccountTokens: { issuer: … }` at their cluster",
        );
    }
    Some(account)
}

fn subject(field: &Field<'_>, known: &BTreeSet<String>) -> Option<Subject> {
    named(field, &field.text()?, known)
}

/// A bare name is a fault: a user and a group may carry the same one, and only one of them is meant.
fn named(field: &Field<'_>, text: &str, known: &BTreeSet<String>) -> Option<Subject> {
    let name = ["user:", "group:"].iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
    if name.trim() != name || name.chars().any(char::is_control) {
        field.fault(
            "a subject has spaces around it, or control characters",
            "write the name exactly as `whoami` shows it",
        );
        return None;
    }
    if name == "*" {
        field.fault("`*` is no subject", "name the groups that may enter, such as `group:corp:developers`");
        return None;
    }
    if name.starts_with("system:") {
        field.fault(
            format!("`{name}` never comes from a provider"),
            "name a group of a provider, such as `group:corp:developers`",
        );
        return None;
    }
    let Ok(subject) = text.parse::<Subject>() else {
        field.fault(
            format!("`{text}` does not say whether it is a user or a group, and both may be called so"),
            format!("write `group:{name}` or `user:{name}`"),
        );
        return None;
    };
    let instance = match &subject {
        Subject::Principal(id) => Some(id.instance().to_string()),
        Subject::User(_) | Subject::Group(_) => None,
    };
    if let Some(instance) = instance.filter(|instance| !known.contains(instance)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        field.fault(format!("there is no provider `{instance}`"), meant(&instance, &known));
        return None;
    }
    Some(subject)
}

fn cluster(field: &Field<'_>, known: &BTreeSet<String>) -> Option<String> {
    let text = field.text()?;
    if text != "*" && !known.contains(&text) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        field.fault(format!("there is no cluster `{text}`"), meant(&text, &known));
        return None;
    }
    Some(text)
}
