//! Everything that an account may do in one namespace, against what it is for.
//!
//! A question about one right sees no right in a namespace, and none that nobody thought of. The list of all rules does,
//! as far as the cluster's authorizers can list them; the fixed table asks beside it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::report::Mode;
use crate::cluster::Role;

/// Where rights come together that whoever holds them could grow: the system's own namespace, the one that everybody
/// binds things in by mistake, and ours.
pub(super) const NAMESPACES: [&str; 3] = ["kube-system", "default", "gatewarden"];

/// What every account may create, beside the reviewer's own.
const SELF_REVIEWS: [Object; 3] = [
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
];
/// What the reviewer alone may create. The second asks about tokens; whether it is needed is asked elsewhere, and whoever
/// has it too early or too late can do no harm with it.
const REVIEWS: [Object; 2] =
    [("authorization.k8s.io", "subjectaccessreviews"), ("authentication.k8s.io", "tokenreviews")];
/// What every service account may read: the cluster's public trust anchors.
const TRUST: Object = ("certificates.k8s.io", "clustertrustbundles");

/// What everybody may read of a server: what it is, what it offers, and whether it lives.
const PUBLIC: [&str; 9] =
    ["/api", "/apis", "/openapi", "/openid", "/.well-known", "/version", "/healthz", "/livez", "/readyz"];

/// API group and resource.
type Object = (&'static str, &'static str);

/// The review that lists an account's own rules in a namespace.
pub(super) fn review(namespace: &str) -> Value {
    let spec = json!({ "namespace": namespace });
    json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": spec })
}

/// What an account may do there that it is not for, in words; `None` when the answer is no list of rules.
pub(super) fn too_much(answer: &[u8], role: Role, mode: Mode) -> Option<Vec<String>> {
    let Answer { status: Status { resource_rules, non_resource_rules } } = serde_json::from_slice(answer).ok()?;
    let mut found = Vec::new();
    for rule in resource_rules.unwrap_or_default() {
        let verbs = rule.verbs.iter().filter(|verb| !impersonates(verb, role, mode));
        let objects = || rule.api_groups.iter().flat_map(|group| rule.resources.iter().map(move |of| (group, of)));
        found.extend(
            verbs
                .flat_map(|verb| objects().map(move |(group, resource)| (verb, group, resource)))
                .filter(|(verb, group, resource)| !is_common(verb, (group, resource), role))
                .map(|(verb, group, resource)| format!("{verb} {resource} in API group {group:?}")),
        );
    }
    for rule in non_resource_rules.unwrap_or_default() {
        let verbs = rule.verbs.iter().filter(|verb| !impersonates(verb, role, mode));
        let paths = || rule.non_resource_urls.iter();
        found.extend(
            verbs
                .flat_map(|verb| paths().map(move |path| (verb, path)))
                .filter(|(verb, path)| !(matches!(verb.as_str(), "get" | "head") && is_public(path)))
                .map(|(verb, path)| format!("{verb} {path}")),
        );
    }
    Some(found)
}

/// The verbs that say who a request is from. They are asked for one by one elsewhere; here they are what is expected.
fn impersonates(verb: &str, role: Role, mode: Mode) -> bool {
    let own = match mode {
        Mode::Legacy => verb == "impersonate",
        Mode::Constrained => ["impersonate:", "impersonate-on:"].iter().any(|kind| {
            verb.strip_prefix(kind)
                .is_some_and(|rest| rest.starts_with("user-info") || rest.starts_with("serviceaccount"))
        }),
    };
    role == Role::Impersonator && own
}

fn is_common(verb: &str, object: (&str, &str), role: Role) -> bool {
    match verb {
        "create" => SELF_REVIEWS.contains(&object) || (role == Role::Reviewer && REVIEWS.contains(&object)),
        "get" | "list" | "watch" => object == TRUST,
        _ => false,
    }
}

/// Whether a path, or a pattern of paths, lies in what everybody may read.
fn is_public(path: &str) -> bool {
    let inside = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PUBLIC.iter().any(|root| inside(root))
}

#[derive(Deserialize)]
struct Answer {
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    resource_rules: Option<Vec<ResourceRule>>,
    non_resource_rules: Option<Vec<NonResourceRule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct ResourceRule {
    verbs: Vec<String>,
    api_groups: Vec<String>,
    resources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct NonResourceRule {
    verbs: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(resource: &Value, path: &Value, role: Role, mode: Mode) -> Vec<String> {
        let answer = json!({ "status": { "resourceRules": [resource], "nonResourceRules": [path] } });
        too_much(answer.to_string().as_bytes(), role, mode).unwrap()
    }

    #[test]
    fn what_everybody_may_do_and_what_the_account_is_for_is_not_too_much() {
        let selves = json!({ "verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"] });
        let public = json!({ "verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/version/", "/openid/v1/jwks"] });
        for role in [Role::Impersonator, Role::Reviewer] {
            assert_eq!(found(&selves, &public, role, Mode::Constrained), [""; 0]);
        }
        let acts = json!({ "verbs": ["impersonate-on:user-info:get"], "apiGroups": ["*"], "resources": ["*"] });
        let paths = json!({ "verbs": ["impersonate-on:user-info:get"], "nonResourceURLs": ["*"] });
        assert_eq!(found(&acts, &paths, Role::Impersonator, Mode::Constrained), [""; 0]);
        assert_eq!(found(&acts, &paths, Role::Reviewer, Mode::Constrained).len(), 2);
        let asks = json!({ "verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"] });
        assert_eq!(found(&asks, &json!({}), Role::Reviewer, Mode::Legacy), [""; 0]);
        assert_eq!(found(&asks, &json!({}), Role::Impersonator, Mode::Legacy).len(), 1);
        let tokens =
            json!({ "verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"] });
        assert_eq!(found(&tokens, &json!({}), Role::Reviewer, Mode::Legacy), [""; 0]);
        assert_eq!(found(&tokens, &json!({}), Role::Impersonator, Mode::Legacy).len(), 1);
    }

    #[test]
    fn one_right_in_a_namespace_is_too_much() {
        let secrets = json!({ "verbs": ["get", "impersonate"], "apiGroups": [""], "resources": ["secrets"] });
        let metrics = json!({ "verbs": ["get"], "nonResourceURLs": ["/metrics", "/apis-of-mine", "*"] });
        let told = found(&secrets, &metrics, Role::Impersonator, Mode::Legacy);
        assert_eq!(told, [r#"get secrets in API group """#, "get /metrics", "get /apis-of-mine", "get *"]);
        let told = found(&secrets, &json!({}), Role::Impersonator, Mode::Constrained);
        assert_eq!(told.len(), 2, "the older verb beside the newer ones undoes them");
        assert!(too_much(b"{}", Role::Impersonator, Mode::Legacy).is_none(), "no list is not an empty list");
    }
}
