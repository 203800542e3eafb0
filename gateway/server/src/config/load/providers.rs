//! A provider's secrets, its own checks, its mapping and its access policy.

use std::sync::Arc;

use auth_core::{AccessPolicy, ContainLimits, Contained, Mapping, MappingConfig};
use serde_json::Value as Json;

use super::Loading;
use crate::config::sections::Provider;
use crate::config::yaml::{Field, Node, Value, check_schema};
use crate::config::{Config, secret};

/// A provider instance, ready to be asked.
#[derive(Debug)]
pub struct BuiltProvider {
    /// The instance, contained.
    pub provider: Arc<Contained>,
    /// What people see at login, where the configuration says so.
    pub display_name: Option<String>,
    /// How its people are named towards clusters.
    pub mapping: Mapping,
    /// Who of its people may log in.
    pub access: AccessPolicy,
}

pub(super) fn load(loading: &mut Loading<'_>, provider: &Provider, config: &Config) -> Option<BuiltProvider> {
    let at = format!("providers[{}]", provider.index);
    let instance = build(loading, provider, &at);
    let mapping = mapping(loading, provider, config, &at);
    Some(BuiltProvider {
        provider: instance?,
        display_name: provider.display_name.clone(),
        mapping: mapping?,
        access: provider.access.clone(),
    })
}

fn build(loading: &mut Loading<'_>, provider: &Provider, at: &str) -> Option<Arc<Contained>> {
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
    let built = kind.build(provider.id.clone(), resolved, loading.ports);
    let contained = built
        .and_then(|built| Contained::new(built, loading.ports, ContainLimits::default()).map_err(|fault| vec![fault]));
    contained.map(Arc::new).map_err(|faults| note(&field, faults)).ok()
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
    serde_json::from_value(json).map_err(|error| field.fault(error.to_string(), "")).ok()
}

fn note(field: &Field<'_>, faults: Vec<auth_core::Fault>) {
    for fault in faults {
        field.fault_inside(&fault.path, fault.message, "");
    }
}
