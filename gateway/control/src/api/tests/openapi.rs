//! What is published of the API, against what it answers.

use std::collections::BTreeSet;

use super::*;
use crate::api::openapi;

/// A schema of the description, as strict as it can be made: an answer may hold nothing that is not described.
fn validator(pointer: &str) -> jsonschema::Validator {
    fn strict(value: &mut Value) {
        if let Some(object) = value.as_object_mut()
            && object.contains_key("properties")
        {
            object.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        let inner: Vec<&mut Value> = match value {
            Value::Object(object) => object.values_mut().collect(),
            Value::Array(list) => list.iter_mut().collect(),
            _ => Vec::new(),
        };
        inner.into_iter().for_each(strict);
    }
    let mut document = openapi();
    strict(&mut document["components"]["schemas"]);
    let schema = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not described"));
    let mut schema = schema.clone();
    // References stay good where the schema stands alone.
    schema["components"] = document["components"].clone();
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

fn escaped(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1")
}

/// Holds an answer to what the description says of its operation and status.
fn held_to(answer: &Answer, method: &str, path: &str) {
    let operation = format!("/paths/{}/{method}/responses", escaped(path));
    let described = openapi();
    let responses = described.pointer(&operation).unwrap_or_else(|| panic!("{method} {path} is not described"));
    let status = answer.status.to_string();
    let found = responses.get(&status).unwrap_or_else(|| panic!("{method} {path} answers {status}: {}", answer.text));
    let Some(content) = found.get("content").and_then(Value::as_object) else {
        assert!(answer.text.is_empty() || path.ends_with("openapi.json"), "{method} {path} {status}: {}", answer.text);
        return;
    };
    let kind = answer.headers[header::CONTENT_TYPE].to_str().expect("text");
    assert!(content.contains_key(kind), "{method} {path} {status} is of the type {kind}");
    let schema = format!("{operation}/{status}/content/{}/schema", escaped(kind));
    let wrong: Vec<String> = validator(&schema)
        .iter_errors(&answer.body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{method} {path} {status}: {wrong:?} in {}", answer.text);
}

/// Asks for an operation as somebody, and holds the answer to the description.
async fn tried(site: &Site, (method, path): (&str, &str), (at, body): (&str, &str), caller: Option<Caller>) -> Answer {
    let answer = send(site, request(&method.to_uppercase(), at, body), caller).await;
    held_to(&answer, method, path);
    answer
}

#[tokio::test]
async fn every_operation_that_is_published_answers_as_it_is_described() {
    let site = Site::open().await;
    let (first, second) = (site.login("alice").await.expect("in"), site.login("alice").await.expect("in"));
    let alice = caller(&site, first.token.expose()).await;
    let session = format!("/api/v1/sessions/{}", second.session);
    let token = format!("/api/v1/tokens/{}", first.name);
    let login = "/api/v1/providers/{id}/login";
    let examples = [
        (("get", "/api/v1/openapi.json"), ("/api/v1/openapi.json", ""), 200),
        (("get", "/api/v1/health"), ("/api/v1/health", ""), 200),
        (("get", "/api/v1/providers"), ("/api/v1/providers", ""), 200),
        (("post", login), ("/api/v1/providers/corp/login", ALICE), 201),
        (("get", "/api/v1/me"), ("/api/v1/me", ""), 200),
        (("get", "/api/v1/clusters"), ("/api/v1/clusters", ""), 200),
        (("post", "/api/v1/clusters/{id}/token"), ("/api/v1/clusters/east/token", ""), 201),
        (("get", "/api/v1/sessions"), ("/api/v1/sessions?limit=1", ""), 200),
        (("delete", "/api/v1/sessions/{id}"), (session.as_str(), ""), 204),
        (("delete", "/api/v1/tokens/{name}"), (token.as_str(), ""), 204),
        (("get", "/.well-known/oauth-protected-resource"), ("/.well-known/oauth-protected-resource", ""), 200),
    ];
    let tested: BTreeSet<String> = examples.iter().map(|((method, path), ..)| format!("{method} {path}")).collect();
    for ((operation, at, status), caller) in examples.into_iter().zip(std::iter::repeat(alice)) {
        assert_eq!(tried(&site, operation, at, Some(caller)).await.status, status, "{operation:?}");
    }
    let described = openapi();
    let paths = described["paths"].as_object().expect("paths");
    let published = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().expect("methods").keys().map(move |method| format!("{method} {path}"))
    });
    assert_eq!(published.collect::<BTreeSet<_>>(), tested, "each has its example here");
}

#[tokio::test]
async fn every_refusal_answers_as_it_is_described() {
    let site = Site::open().await;
    let login = ("post", "/api/v1/providers/{id}/login");
    let corp = "/api/v1/providers/corp/login";
    for (at, body, status) in [
        (corp, "", 400),
        (corp, r#"{"username":"alice","password":"wrong"}"#, 401),
        ("/api/v1/providers/other/login", ALICE, 404),
    ] {
        assert_eq!(tried(&site, login, (at, body), None).await.status, status);
    }
    *site.corp.mood() = Mood::Down;
    assert_eq!(tried(&site, login, (corp, ALICE), None).await.status, 503);
    *site.corp.mood() = Mood::Well;
    for path in ["me", "clusters", "sessions"].map(|path| format!("/api/v1/{path}")) {
        assert_eq!(tried(&site, ("get", &path), (&path, ""), None).await.status, 401, "{path}");
    }
    let token = site.login("alice").await.expect("in").token;
    let alice = caller(&site, token.expose()).await;
    let sessions = ("get", "/api/v1/sessions");
    for (query, status) in [("limit=0", 400), ("user=*", 403)] {
        let at = format!("/api/v1/sessions?{query}");
        assert_eq!(tried(&site, sessions, (&at, ""), Some(alice.clone())).await.status, status, "{query}");
    }
    let token = ("post", "/api/v1/clusters/{id}/token");
    for (cluster, status) in [("west", 409), ("north", 403)] {
        let at = format!("/api/v1/clusters/{cluster}/token");
        assert_eq!(tried(&site, token, (&at, ""), Some(alice.clone())).await.status, status, "{cluster}");
    }
    let boss = Caller { is_administrator: true, ..alice.clone() };
    assert_eq!(tried(&site, sessions, ("/api/v1/sessions?user=x", ""), Some(boss)).await.status, 404);
    for path in ["/api/v1/sessions/{id}", "/api/v1/tokens/{name}"] {
        assert_eq!(tried(&site, ("delete", path), (path, ""), Some(alice.clone())).await.status, 404, "{path}");
    }
    site.control.store().close().await;
    assert_eq!(tried(&site, ("get", "/api/v1/health"), ("/api/v1/health", ""), None).await.status, 503);
}

#[test]
fn the_description_is_whole_in_itself() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let described = openapi();
    assert_eq!(described["openapi"], "3.1.0");
    let mut found = BTreeSet::new();
    references(&described, &mut found);
    assert!(found.contains("#/components/schemas/Problem"), "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("of this document");
        assert!(described.pointer(pointer).is_some(), "{reference}");
    }
    let operations = described["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|path| path.as_object().expect("methods").values());
    let ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().expect("an id")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    assert!(!described.to_string().contains(env!("CARGO_PKG_VERSION")), "which release it is, is not for everybody");
}

#[test]
fn a_query_is_described_field_by_field() {
    let described = openapi();
    let parameters = described["paths"]["/api/v1/sessions"]["get"]["parameters"].as_array().expect("a list");
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["before", "limit", "user"]);
    assert!(parameters.iter().all(|parameter| parameter["in"] == "query" && parameter["description"].is_string()));
}
