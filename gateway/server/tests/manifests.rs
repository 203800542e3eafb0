//! The shipped RBAC gives each account what it needs, spelled out, and nothing else.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// The rules of the one cluster role in a manifest.
fn rules(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rbac").join(name);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
    let roles: Vec<&Value> = documents.iter().filter(|document| document["kind"] == "ClusterRole").collect();
    assert_eq!(roles.len(), 1, "{name}");
    let binding = documents.iter().find(|document| document["kind"] == "ClusterRoleBinding").unwrap();
    assert_eq!(binding["roleRef"]["name"], roles[0]["metadata"]["name"], "{name}");
    roles[0]["rules"].as_array().unwrap().clone()
}

/// Every word under `key` in all rules.
fn words(rules: &[Value], key: &str) -> Vec<String> {
    let lists = rules.iter().filter_map(|rule| rule[key].as_array());
    lists.flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

const EXTRAS: [&str; 4] = [
    "userextras/gatewarden/session-id",
    "userextras/gatewarden/provider",
    "userextras/gatewarden/principal",
    "userextras/gatewarden/original-user",
];

#[test]
fn the_legacy_role_impersonates_people_by_named_facts_and_no_service_account() {
    let rules = rules("legacy.yaml");
    assert!(rules.iter().all(|rule| rule["verbs"] == json!(["impersonate"])), "{rules:#?}");
    let mut resources = words(&rules, "resources");
    let extras = resources.split_off(3);
    assert_eq!(resources, ["users", "groups", "uids"]);
    assert_eq!(extras, EXTRAS, "each key by its name: RBAC has no userextras/*");
    assert!(words(&rules, "nonResourceURLs").is_empty());
}

#[test]
fn the_constrained_role_has_no_verb_of_its_own() {
    let rules = rules("constrained.yaml");
    let verbs = words(&rules, "verbs");
    let allowed = |verb: &String| verb == "impersonate:user-info" || verb.starts_with("impersonate-on:user-info:");
    assert!(verbs.iter().all(allowed) && verbs.iter().all(|verb| !verb.contains('*')), "{verbs:?}");
    let resources = words(&rules, "resources");
    assert!(EXTRAS.iter().all(|key| resources.iter().any(|resource| resource == key)), "{resources:?}");
    assert!(!resources.iter().any(|resource| resource == "serviceaccounts"));
}

#[test]
fn the_reviewer_asks_one_kind_of_question() {
    let wanted = json!({
        "apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]
    });
    assert_eq!(rules("reviewer.yaml"), [wanted]);
}

#[test]
fn the_reviewer_asks_about_tokens_by_a_role_of_its_own() {
    let reviews = json!({"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]});
    let keys = json!({"nonResourceURLs": ["/.well-known/openid-configuration", "/openid/v1/jwks"], "verbs": ["get"]});
    assert_eq!(rules("token-reviewer.yaml"), [reviews, keys]);
}
