//! `grants`: who may enter which cluster.

use std::collections::BTreeSet;

use auth_core::PrincipalId;

use crate::config::yaml::{Field, Section, meant};

/// Lets some people into some clusters. What they may do inside is the cluster's own RBAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Principal ids (`corp_group://…`) or rendered names (`corp:dev`).
    pub subjects: Vec<String>,
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
}

pub(in crate::config) fn read(file: &Section<'_>, known: &Known) -> Vec<Grant> {
    let Some(field) = file.optional("grants") else { return Vec::new() };
    field.list().iter().filter_map(|field| grant(field, known)).collect()
}

fn grant(field: &Field<'_>, known: &Known) -> Option<Grant> {
    let section = field.section(KEYS)?;
    let subjects = section.required("subjects", "[\"corp:developers\"]");
    let clusters = section.required("clusters", "[\"*\"]");
    let read_only = section.optional("readOnly").and_then(|field| field.flag()).unwrap_or(false);
    Some(Grant {
        subjects: subjects.map(|field| names(&field, |field| subject(field, &known.providers))).unwrap_or_default(),
        clusters: clusters.map(|field| names(&field, |field| cluster(field, &known.clusters))).unwrap_or_default(),
        read_only,
    })
}

/// A list that must not be empty: an empty one looks like "everyone" to some and "nobody" to others.
fn names(field: &Field<'_>, read: impl Fn(&Field<'_>) -> Option<String>) -> Vec<String> {
    let items = field.list();
    if items.is_empty() && matches!(field.node.value, crate::config::Value::List(_)) {
        field.fault("the list is empty", "name at least one, or remove the grant");
    }
    items.iter().filter_map(read).collect()
}

fn subject(field: &Field<'_>, known: &BTreeSet<String>) -> Option<String> {
    let text = field.text()?;
    if text.trim() != text || text.chars().any(char::is_control) {
        field.fault(
            "a subject has spaces around it, or control characters",
            "write the name exactly as `whoami` shows it",
        );
        return None;
    }
    if text == "*" {
        field.fault("`*` is no subject", "name the groups that may enter, such as `corp:developers`");
        return None;
    }
    if text.starts_with("system:") {
        field.fault(
            format!("`{text}` never comes from a provider"),
            "name a group of a provider, such as `corp:developers`",
        );
        return None;
    }
    let instance = text.parse::<PrincipalId>().ok().map(|id| id.instance().to_string());
    if let Some(instance) = instance.filter(|instance| !known.contains(instance)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        field.fault(format!("there is no provider `{instance}`"), meant(&instance, &known));
        return None;
    }
    Some(text)
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
