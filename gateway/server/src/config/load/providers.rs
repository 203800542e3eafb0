//! A provider's secrets, its own checks, its mapping and its access policy.

use std::sync::Arc;

use auth_core::{ContainLimits, Contained, InstanceId, LoginForm, Mapping, MappingConfig};
use gatewarden_control::ProviderEntry;
use serde_json::Value as Json;

use super::Loading;
use crate::config::sections::{Cluster, Provider};
use crate::config::yaml::{Field, Node, Value, check_schema};
use crate::config::{Config, secret};

pub(super) fn load(loading: &mut Loading<'_>, provider: &Provider, config: &Config) -> Option<ProviderEntry> {
    let at = format!("providers[{}]", provider.index);
    let instance = build(loading, provider, config, &at);
    let mapping = mapping(loading, provider, config, &at);
    let (instance, digest) = instance?;
    Some(ProviderEntry { provider: instance, mapping: Arc::new(mapping?), policy: provider.access.clone(), digest })
}

/// Of all that an instance and its mapping are made of, with what the files and variables hold that are named there.
fn digest(provider: &Provider, resolved: &Json) -> Vec<u8> {
    let mapping = provider.mapping.as_ref().map(Node::to_json);
    let written = serde_json::json!([provider.kind, resolved, mapping]);
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, written.to_string().as_bytes()).as_ref().to_vec()
}

/// An instance, and its digest.
type Built = (Contained, Vec<u8>);

fn build(loading: &mut Loading<'_>, provider: &Provider, config: &Config, at: &str) -> Option<Built> {
    let kind = crate::providers::kind(&provider.kind)?;
    let empty = Node { value: Value::Map(Vec::new()), spot: provider.spot };
    let node = provider.config.as_ref().unwrap_or(&empty);
    let field = loading.root.at(node, format!("{at}.config"));
    let mut schema = kind.schema();
    kind.customize_schema(&mut schema);
    let before = field.count_of_faults();
    check_schema(&field, &schema);
    let resolved = secret::resolve(&field, loading.sources);
    if field.count_of_faults() > before {
        // The kind's own reader stops at its first error and would repeat one of these.
        return None;
    }
    let ports = loading.ports.of(&provider.id);
    let ports = ports
        .map_err(|error| {
            field.fault(
                format!("the system gives no threads: {error}"),
                "raise the limit of processes or tasks of the gateway's user or unit",
            )
        })
        .ok()?;
    let digest = digest(provider, &resolved);
    let built = kind.build(provider.id.clone(), resolved, &ports);
    let limits = ContainLimits {
        deadline: config.limits.provider,
        calls: provider.calls,
        output: provider.answers.clone(),
        attempts: provider.attempts.clone(),
    };
    let contained = built.and_then(|built| Contained::new(built, &ports, limits).map_err(|fault| vec![fault]));
    let contained = contained.map_err(|faults| note(&field, faults)).ok()?;
    if config.hosts.console.is_none() && contained.transform_to_auth_provider().login == [LoginForm::Redirect] {
        field.fault(
            "people log in to this in a browser, and there is no page for them to come back to",
            "write `hosts: { console: login.example.org, … }`",
        );
    }
    let named = match &provider.display_name {
        Some(name) => contained.called(name),
        None => contained,
    };
    Some((named, digest))
}

/// The issuer that a token names decides whose it is, so no two may believe one issuer, nobody else ours, and nobody that
/// of a cluster which takes its own tokens. Clusters may share one: there the path decides too.
pub(super) fn tell_bearers_apart(loading: &Loading<'_>, config: &Config, loaded: &[ProviderEntry]) {
    let ours = config.issuer.as_ref().map(|issuer| issuer.url.as_str());
    for provider in &config.providers {
        let of = |id: &InstanceId| loaded.iter().find(|entry| entry.provider.name() == id)?.provider.bears();
        let Some(issuer) = of(&provider.id) else { continue };
        let mut before = config.providers.iter().take_while(|other| other.id != provider.id);
        let other = match before.find(|other| of(&other.id) == Some(issuer)) {
            _ if ours == Some(issuer) => "this gateway itself makes".to_owned(),
            Some(_) => "another provider believes".to_owned(),
            None => match config.clusters.iter().find(|cluster| makes(cluster, issuer)) {
                Some(cluster) => format!("the cluster {} takes as its own", cluster.id),
                None => continue,
            },
        };
        let at = format!("providers[{}].config.bearer", provider.index);
        loading.root.fault_inside(
            &at,
            format!("takes tokens of {issuer}, which {other}"),
            "write `bearer` once for each issuer, with all its audiences",
        );
    }
}

fn makes(cluster: &Cluster, issuer: &str) -> bool {
    cluster.service_accounts.as_ref().is_some_and(|on| on.issuer == issuer)
}

/// A cluster's own tokens are no tokens of ours.
pub(super) fn tell_clusters_apart(loading: &Loading<'_>, config: &Config) {
    let Some(ours) = config.issuer.as_ref().map(|issuer| issuer.url.as_str()) else { return };
    for cluster in config.clusters.iter().filter(|cluster| makes(cluster, ours)) {
        loading.root.fault_inside(
            &format!("clusters[{}].serviceAccountTokens.issuer", cluster.index),
            "this gateway itself is that issuer",
            "write the first `--service-account-issuer` of the cluster's API server",
        );
    }
}

fn mapping(loading: &Loading<'_>, provider: &Provider, config: &Config, at: &str) -> Option<Mapping> {
    let empty = Node { value: Value::Map(Vec::new()), spot: provider.spot };
    let node = provider.mapping.as_ref().unwrap_or(&empty);
    let field = loading.root.at(node, format!("{at}.mapping"));
    let before = field.count_of_faults();
    check_schema(&field, &schemars::schema_for!(MappingConfig).to_value());
    if field.count_of_faults() > before {
        return None;
    }
    let read: MappingConfig = read(&field)?;
    let compiled = Mapping::compile(read, &provider.id).map_err(|faults| note(&field, faults)).ok()?;
    Some(compiled.with_limits(config.limits.identity))
}

fn read<T: serde::de::DeserializeOwned>(field: &Field<'_>) -> Option<T> {
    let json: Json = field.node.to_json();
    serde_json::from_value(json)
        .map_err(|error| field.fault(error.to_string(), "docs/operators/mapping.md shows how each key is written"))
        .ok()
}

fn note(field: &Field<'_>, faults: Vec<auth_core::Fault>) {
    for fault in faults {
        field.fault_inside(&fault.path, fault.message, "");
    }
}
