//! The operators' pages say what the code does: every key both ways, and examples that load.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use auth_core::{InstanceId, Mapping, MappingConfig};

use super::*;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators").join(name)).unwrap()
}

/// The keys in the first column of the tables, with the section that a heading such as `## clusters[]` names before them.
fn documented(page: &str) -> BTreeSet<String> {
    let mut section = Some(String::new());
    let mut keys = BTreeSet::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = Some(format!("{heading}."));
        } else if line.starts_with("### ") {
            // A provider's own part: it is not the gateway that reads it.
            section = None;
        } else if let (Some(section), Some(row)) = (&section, line.strip_prefix("| `")) {
            let column = row.split(" | ").next().unwrap_or_default();
            keys.extend(column.split(", ").map(|key| format!("{section}{}", key.trim_matches('`'))));
        }
    }
    keys
}

/// What the code knows inside a section such as `listeners.main`, learnt from what it says of a key that is none.
fn known(section: &str) -> BTreeSet<String> {
    const NONE: &str = "zzqqzzqqzzqq";
    let text = section.split('.').rev().filter(|part| !part.is_empty()).fold(format!("{NONE}: 1"), |inner, part| {
        // A list's item is read on only when one can tell which it is.
        let item = |list| format!("{list}: [{{ id: corp, kind: ldap, {inner} }}]");
        part.strip_suffix("[]").map_or_else(|| format!("{part}: {{ {inner} }}"), item)
    });
    let faults = parse(&text, Path::new("/")).unwrap_err();
    let fault =
        faults.iter().find(|fault| fault.path.ends_with(NONE)).unwrap_or_else(|| panic!("{section}: {faults:#?}"));
    fault.advice.strip_prefix("known here: ").unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn the_configuration_page_lists_every_key_and_no_other() {
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for key in documented(&page("configuration.md")) {
        let parts: Vec<&str> = key.split('.').collect();
        for (depth, part) in parts.iter().enumerate() {
            let inside = sections.entry(parts[..depth].join(".")).or_default();
            inside.insert(part.trim_end_matches("[]").to_owned());
        }
    }
    assert!(sections.len() > 12, "the tables are not where this test looks: {sections:#?}");
    for (section, listed) in sections {
        assert_eq!(listed, known(&section), "{section}");
    }
}

#[test]
fn every_example_of_a_mapping_compiles() {
    let text = page("mapping.md");
    let examples: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 4);
    let provider: InstanceId = "corp".parse().unwrap();
    for example in examples {
        let faults = Faults::new(Path::new("/"));
        let tree = faults.tree(example).unwrap();
        let config: MappingConfig =
            serde_json::from_value(tree.to_json()).unwrap_or_else(|why| panic!("{why}: {example}"));
        Mapping::compile(config, &provider).unwrap_or_else(|faults| panic!("{faults:?}: {example}"));
    }
}

#[test]
fn the_mapping_page_lists_every_key() {
    let text = page("mapping.md");
    let schema = schemars::schema_for!(MappingConfig).to_value();
    let definitions = [
        ("NameMapping", "username."),
        ("GroupMapping", "groups."),
        ("GroupFilter", "groups.filter."),
        ("UidMapping", "uid."),
        ("ExtraMapping", "extra[]."),
        ("ValidationRule", "claimValidationRules[]."),
        ("ValidationRule", "userValidationRules[]."),
        ("MappingExample", "examples[]."),
        ("ExamplePerson", "examples[].given."),
        ("ExampleIdentity", "examples[].expect."),
    ];
    for (definition, prefix) in definitions {
        let properties = schema.pointer(&format!("/$defs/{definition}/properties")).unwrap().as_object().unwrap();
        for key in properties.keys().filter(|key| !["filter", "given", "expect"].contains(&key.as_str())) {
            assert!(text.contains(&format!("| `{prefix}{key}` |")), "{prefix}{key}");
        }
    }
}

#[test]
fn local_users_have_every_setting_on_the_page() {
    let text = page("configuration.md");
    let text = text.split("### Local users").nth(1).unwrap().split("\n## ").next().unwrap();
    let schema = crate::providers::kind("local").unwrap().schema();
    let keys = |pointer: &str| -> Vec<String> {
        schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
    };
    for key in keys("/properties").into_iter().filter(|key| key != "argon2") {
        assert!(text.contains(&format!("| `{key}` |")), "{key}");
    }
    for key in keys("/$defs/Cost/properties") {
        assert!(text.contains(&format!("| `argon2.{key}` |")), "{key}");
    }
}

/// The keys of an object in a schema, with those of objects inside it.
fn settings(schema: &serde_json::Value, object: &serde_json::Value, before: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, setting) in object["properties"].as_object().unwrap() {
        let kinds = setting["anyOf"].as_array().into_iter().flatten();
        let mut named = kinds.chain([setting]).filter_map(|kind| kind["$ref"].as_str());
        let inside = named.find_map(|name| schema.pointer(name.trim_start_matches('#')));
        match inside.filter(|inside| inside["properties"].is_object()) {
            Some(inside) => found.extend(settings(schema, inside, &format!("{before}{key}."))),
            None => assert!(found.insert(format!("{before}{key}"))),
        }
    }
    found
}

#[test]
fn the_page_of_oidc_lists_every_setting_and_no_other() {
    let page = include_str!("../../../../providers/oidc/README.md");
    let schema = crate::providers::kind("oidc").unwrap().schema();
    let known = settings(&schema, &schema, "");
    assert!(known.contains("claims.groups") && known.contains("bearer.audiences"), "{known:?}");
    assert_eq!(documented(page), known);
}
