//! What a well-kept cluster answers to the questions that a gateway asks of itself, for stand-ins of a cluster.
//!
//! The impersonator may impersonate people and nothing else, as `deploy/rbac/constrained.yaml` has it; the reviewer may
//! ask about others. Its tokens are the words `impersonator` and `reviewer`.

use serde_json::{Map, Value, json};

/// The token of the account that impersonates.
pub const IMPERSONATOR: &str = "impersonator";
/// The token of the account that reviews.
pub const REVIEWER: &str = "reviewer";

/// Header lines: name and value.
pub type Lines<'a> = &'a [(&'a str, &'a [u8])];

/// Status and body for a question of the gateway's own; `None` for everything else.
pub fn answer(path: &str, headers: Lines<'_>, body: &[u8]) -> Option<(u16, Value)> {
    match path {
        "/version" => Some((200, json!({ "major": "1", "minor": "36", "gitVersion": "v1.36.3" }))),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => Some((201, own_rights(headers, body))),
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => {
            let none = json!({ "resourceRules": [], "nonResourceRules": [], "incomplete": false });
            Some((201, json!({ "status": none })))
        }
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => Some(identity(headers)),
        _ => None,
    }
}

fn own_rights(headers: Lines<'_>, body: &[u8]) -> Value {
    let review: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |field: &str| {
        let at = |kind: &str| review.pointer(&format!("/spec/{kind}/{field}")).and_then(Value::as_str);
        at("resourceAttributes").or(at("nonResourceAttributes")).unwrap_or_default().to_owned()
    };
    let reviewer = all(headers, "authorization").contains(&format!("Bearer {REVIEWER}"));
    let impersonates =
        |verb: &str| verb.starts_with("impersonate:user-info") || verb.starts_with("impersonate-on:user-info:");
    let allowed = if reviewer { text("resource") == "subjectaccessreviews" } else { impersonates(&text("verb")) };
    json!({ "status": { "allowed": allowed } })
}

fn identity(headers: Lines<'_>) -> (u16, Value) {
    let mut groups = all(headers, "impersonate-group");
    if groups.iter().any(|group| group == "system:masters") {
        return (403, json!({ "kind": "Status", "code": 403, "message": "not system:masters" }));
    }
    groups.push("system:authenticated".to_owned());
    let mut extra = Map::new();
    for (name, value) in headers {
        if let Some(key) = name.to_ascii_lowercase().strip_prefix("impersonate-extra-") {
            extra.insert(key.replace("%2f", "/"), json!([String::from_utf8_lossy(value)]));
        }
    }
    let one = |name: &str| all(headers, name).concat();
    let user = json!({
        "username": one("impersonate-user"), "uid": one("impersonate-uid"), "groups": groups, "extra": extra,
    });
    (201, json!({ "status": { "userInfo": user } }))
}

fn all(headers: Lines<'_>, name: &str) -> Vec<String> {
    let same = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
    same.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}
