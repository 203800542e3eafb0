//! `providers`: the instances that know the people.

use std::collections::BTreeMap;
use std::time::Duration;

use auth_core::{AccessMode, AccessPolicy, AttemptLimits, ContainLimits, InstanceId, OutputLimits, PrincipalId};

use crate::config::yaml::{Field, Node, Section, Spot};

/// A configured provider; its own part is judged by its kind when the configuration is loaded.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The instance id: the first part of every principal id, so it can never change.
    pub id: InstanceId,
    /// The kind, such as `ldap`.
    pub kind: String,
    /// What people see at login.
    pub display_name: Option<String>,
    /// The kind's own configuration.
    pub config: Option<Node>,
    /// Who of its people may log in.
    pub access: AccessPolicy,
    /// How often its passwords may be guessed.
    pub attempts: AttemptLimits,
    /// How many calls to it may be under way.
    pub calls: usize,
    /// How much one of its answers may hold.
    pub answers: OutputLimits,
    /// How its people are named towards clusters.
    pub mapping: Option<Node>,
    /// Where the provider stands in the file.
    pub spot: Spot,
    /// Its position in the list, for paths.
    pub index: usize,
}

pub(in crate::config) const KEYS: &[&str] =
    &["id", "kind", "displayName", "config", "access", "attempts", "calls", "answers", "mapping"];

pub(in crate::config) fn read(file: &Section<'_>) -> Vec<Provider> {
    let Some(field) = file.required("providers", "[{ id: local, kind: local }]") else { return Vec::new() };
    let items = field.list();
    let providers: Vec<Provider> =
        items.iter().enumerate().filter_map(|(index, field)| provider(field, index)).collect();
    let mut seen = BTreeMap::new();
    for provider in &providers {
        if let Some(first) = seen.insert(provider.id.as_str(), provider.spot.line) {
            field.fault_inside(
                &format!("[{}].id", provider.index),
                format!("the id `{}` is taken by the provider of line {first}", provider.id),
                "give each provider its own id",
            );
        }
    }
    check_local(&field, &providers, providers.len() == items.len());
    providers
}

/// Exactly one local instance, called `local`: its principals are `local://…`, and it is the way in when every
/// directory is down.
fn check_local(field: &Field<'_>, providers: &[Provider], complete: bool) {
    for provider in providers {
        if (provider.kind == "local") != (provider.id.as_str() == "local") {
            field.fault_inside(
                &format!("[{}]", provider.index),
                "the id `local` and the kind `local` belong together",
                "write `{ id: local, kind: local }`",
            );
        }
    }
    if complete && !providers.iter().any(|provider| provider.kind == "local") {
        field.fault(
            "there is no local provider",
            "add `- { id: local, kind: local }`: it is the way in when every directory is down",
        );
    }
}

fn provider(field: &Field<'_>, index: usize) -> Option<Provider> {
    let section = field.section(KEYS)?;
    let id = section.required("id", "corp").and_then(|field| {
        field.parsed("an id: lower-case letters, digits and hyphens, a letter first, at most 63", "corp", |text| {
            text.parse::<InstanceId>().ok()
        })
    });
    let kinds: Vec<(&'static str, &'static str)> =
        crate::providers::kinds().map(|kind| (kind.kind(), kind.kind())).collect();
    let kind = section.required("kind", "ldap").and_then(|field| field.word(&kinds));
    let display_name = section.optional("displayName").and_then(|field| field.text());
    let usual = ContainLimits::default();
    let part = |key| section.optional(key).map(|field| field.node.clone());
    Some(Provider {
        id: id?,
        kind: kind?.to_owned(),
        display_name,
        config: part("config"),
        access: section.optional("access").and_then(|field| access(&field)).unwrap_or_default(),
        attempts: section.optional("attempts").map(|field| attempts(&field)).unwrap_or_default(),
        calls: section.optional("calls").and_then(|field| size(&field, 10_000)).unwrap_or(usual.calls),
        answers: section.optional("answers").map(|field| answers(&field)).unwrap_or(usual.output),
        mapping: part("mapping"),
        spot: field.node.spot,
        index,
    })
}

fn access(field: &Field<'_>) -> Option<AccessPolicy> {
    let section = field.section(&["mode", "allowed"])?;
    let modes = [
        ("unrestricted", AccessMode::Unrestricted),
        ("restricted", AccessMode::Restricted),
        ("required", AccessMode::Required),
    ];
    let mode = section.optional("mode").map_or(Some(AccessMode::Unrestricted), |field| field.word(&modes));
    let ids = |field: Field<'_>| -> Vec<PrincipalId> {
        let items = field.list();
        let read = |field: &Field<'_>| field.parsed("a principal id", "corp_group://4f2c…", |text| text.parse().ok());
        items.iter().filter_map(read).collect()
    };
    let allowed = section.optional("allowed").map(ids).unwrap_or_default();
    if mode == Some(AccessMode::Required) && section.optional("allowed").is_none() {
        section.required("allowed", "[\"corp_group://…\"]");
    }
    Some(AccessPolicy::new(mode?, allowed))
}

fn attempts(field: &Field<'_>) -> AttemptLimits {
    let mut limits = AttemptLimits::default();
    let Some(section) = field.section(&["perAccount", "accountInterval", "perSource", "sourceInterval"]) else {
        return limits;
    };
    let count = |key: &str, setting: &mut u32| {
        let read = section.optional(key).and_then(|field| field.count(1, 10_000));
        *setting = read.and_then(|count| u32::try_from(count).ok()).unwrap_or(*setting);
    };
    count("perAccount", &mut limits.account_burst);
    count("perSource", &mut limits.source_burst);
    let span = |key: &str, setting: &mut Duration| {
        let read = section.optional(key).and_then(|field| field.duration(SHORTEST, LONGEST));
        *setting = read.unwrap_or(*setting);
    };
    span("accountInterval", &mut limits.account_interval);
    span("sourceInterval", &mut limits.source_interval);
    limits
}

fn answers(field: &Field<'_>) -> OutputLimits {
    let mut limits = OutputLimits::default();
    let Some(section) = field.section(&["principals", "bytes", "page"]) else { return limits };
    let read = |key: &str, setting: &mut usize, most: u64| {
        *setting = section.optional(key).and_then(|field| size(&field, most)).unwrap_or(*setting);
    };
    read("principals", &mut limits.principals, 1_000_000);
    read("bytes", &mut limits.bytes, 1 << 30);
    read("page", &mut limits.page, 10_000);
    limits
}

fn size(field: &Field<'_>, most: u64) -> Option<usize> {
    field.count(1, most).and_then(|count| usize::try_from(count).ok())
}

/// With less there would be no waiting; with more, whoever mistyped would be locked out.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_hours(1);
