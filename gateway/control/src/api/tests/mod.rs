//! The API as clients see it.

mod openapi;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::testing::{Mood, Person as Scripted, Site};

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: Value,
    text: String,
}

impl Answer {
    fn problem(&self) -> (u16, &str) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["status"], self.status);
        (
            self.status,
            self.body["type"].as_str().and_then(|kind| kind.strip_prefix("urn:gatewarden:error:")).expect("a type"),
        )
    }
}

async fn send(site: &Site, request: Request<Body>, caller: Option<Caller>) -> Answer {
    let arrival = Arrival { caller, client: IpAddr::V4(Ipv4Addr::LOCALHOST), trace_id: "t".to_owned() };
    let response = enter(&router(Arc::clone(&site.control)), request, arrival).await;
    let (head, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, usize::MAX).await.expect("read").to_vec()).expect("text");
    assert_eq!(head.headers[header::CACHE_CONTROL], "no-store");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status: head.status.as_u16(), headers: head.headers, body, text }
}

fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path).header("content-type", "application/json");
    builder.body(Body::from(body.to_owned())).expect("a request")
}

async fn post_login(site: &Site, body: &str) -> Answer {
    send(site, request("POST", "/api/v1/providers/corp/login", body), None).await
}

const ALICE: &str = r#"{"username":"alice","password":"right"}"#;

async fn caller(site: &Site, token: &str) -> Caller {
    let resolved = site.control.resolve_token(token).await.expect("valid");
    Caller {
        token: resolved.name,
        expires_at: resolved.expires_at,
        session: resolved.session.to_string(),
        user: resolved.user.to_string(),
        provider: resolved.provider.to_string(),
        principal: resolved.principal.to_string(),
        identity: resolved.identity.user,
        reasons: Reasons {
            subjects: vec!["user:corp:alice".to_owned(), "group:corp:dev".to_owned()],
            granted_to: BTreeMap::from([("east".to_owned(), vec!["group:corp:dev".to_owned()])]),
            by_token: BTreeSet::from(["west".to_owned()]),
            cluster_hosts: BTreeMap::from([("west".to_owned(), vec!["west.test".to_owned()])]),
            hosts: vec!["gw.test".to_owned()],
            whom_to_ask: "Ask the platform team.".to_owned(),
        },
        clusters: BTreeMap::from([("east".to_owned(), false), ("west".to_owned(), true)]),
        is_administrator: false,
    }
}

#[tokio::test]
async fn a_login_answers_201_with_the_published_fields_and_no_others() {
    let site = Site::open().await;
    let answer = post_login(&site, ALICE).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let fields: Vec<&String> = answer.body.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["expiresAt", "session", "token", "user"]);
    site.control.resolve_token(answer.body["token"].as_str().expect("a token")).await.expect("it works");
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_bytes() {
    let site = Site::open().await;
    let unknown = post_login(&site, r#"{"username":"nobody","password":"right"}"#).await;
    let wrong = post_login(&site, r#"{"username":"alice","password":"wrong"}"#).await;
    assert_eq!(unknown.problem(), (401, "bad-credentials"));
    assert_eq!(unknown.text, wrong.text);
    assert!(unknown.headers.contains_key(header::WWW_AUTHENTICATE));
}

#[tokio::test]
async fn a_body_that_is_not_exactly_right_is_refused_without_being_repeated() {
    let site = Site::open().await;
    for body in [
        "",
        "hunter2",
        "[]",
        r#"{"username":"alice"}"#,
        r#"{"username":"alice","password":["hunter2"]}"#,
        r#"{"username":"alice","password":"right","hunter2":1}"#,
        r#"{"username":"alice","username":"bob","password":"right"}"#,
        r#"{"username":"alice","password":"right"} hunter2"#,
    ] {
        let answer = post_login(&site, body).await;
        assert_eq!(answer.problem(), (400, "invalid-body"), "{body}");
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    }
    let large = format!(r#"{{"username":"alice","password":"{}"}}"#, "x".repeat(17 * 1024));
    assert_eq!(post_login(&site, &large).await.problem(), (413, "body-too-large"));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let mut request = request("POST", "/api/v1/providers/corp/login", ALICE);
        request.headers_mut().insert("content-type", kind.parse().expect("a value"));
        assert_eq!(send(&site, request, None).await.problem(), (415, "unsupported-media-type"), "{kind}");
    }
}

#[tokio::test]
async fn an_outage_is_503_with_a_time_and_the_instance() {
    let site = Site::open().await;
    *site.corp.mood() = Mood::Down;
    let answer = post_login(&site, ALICE).await;
    assert_eq!(answer.problem(), (503, "unavailable"));
    assert_eq!(answer.headers[header::RETRY_AFTER], "5");
    assert_eq!(answer.body["provider"], "corp");

    *site.corp.mood() = Mood::Well;
    site.corp.set("alice", Scripted { incomplete: true, ..Scripted::default() });
    let answer = post_login(&site, ALICE).await;
    assert_eq!(answer.problem(), (503, "groups-incomplete"));
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn whoever_guesses_is_told_when_to_come_back() {
    let site = Site::open().await;
    for _ in 0..1_000 {
        let answer = post_login(&site, r#"{"username":"alice","password":"wrong"}"#).await;
        if answer.status != 401 {
            assert_eq!(answer.problem(), (429, "throttled"));
            assert!(answer.headers.contains_key(header::RETRY_AFTER));
            assert_eq!(answer.body["provider"], "corp");
            return;
        }
    }
    panic!("a thousand guesses were answered");
}

#[tokio::test]
async fn a_taken_name_is_told_with_the_command_that_releases_it() {
    let site = Site::open().await;
    site.login("alice").await.expect("logged in");
    site.corp.set("alice2", Scripted { name: Some("alice"), ..Scripted::default() });
    let answer = post_login(&site, r#"{"username":"alice2","password":"right"}"#).await;
    assert_eq!(answer.problem(), (403, "name-taken"));
    assert!(answer.text.contains("gatewarden cluster release-name"), "{}", answer.text);
    assert!(!answer.text.contains("corp_user://"), "whose it is, is for the operator");
}

#[tokio::test]
async fn too_many_groups_are_refused_with_the_count() {
    let site = Site::open().await;
    let many: Vec<(&'static str, &'static str)> =
        (0..1_001).map(|n| &*Box::leak(format!("g{n}").into_boxed_str())).map(|name| (name, name)).collect();
    site.corp.set("alice", Scripted { groups: many, ..Scripted::default() });
    let answer = post_login(&site, ALICE).await;
    assert_eq!(answer.problem(), (403, "too-many-groups"));
    assert!(answer.text.contains("1001") && answer.text.contains("1000"), "{}", answer.text);
}

#[tokio::test]
async fn why_an_expression_fails_is_for_the_operator_alone() {
    let site = Site::open().await;
    site.map(serde_json::json!({ "username": { "expression": "claims.attributes.badge.one()" } })).await;
    let error = site.login("alice").await.expect_err("refused");
    let why = "there is no `badge`; ask with has() before, or with `.?badge`";
    assert_eq!(error.audit_text(), format!("corp: the expression of the username fails: {why}"));
    let answer = post_login(&site, ALICE).await;
    assert_eq!(answer.problem(), (403, "not-mappable"));
    assert!(!answer.text.contains("badge") && !answer.text.contains("expression"), "{}", answer.text);
}

#[tokio::test]
async fn whom_a_validation_rule_keeps_out_is_told_in_its_words() {
    let site = Site::open().await;
    let rule = |expression: &str| {
        serde_json::json!({ "userValidationRules":
            [{ "expression": expression, "message": "contractors enter through the other gate" }] })
    };
    site.map(rule("user.username == 'corp:alice'")).await;
    assert_eq!(post_login(&site, ALICE).await.status, 201);
    site.map(rule("user.username != 'corp:alice'")).await;
    let answer = post_login(&site, ALICE).await;
    assert_eq!(answer.problem(), (403, "not-admitted"));
    assert!(answer.text.contains("contractors enter through the other gate"), "{}", answer.text);
}

#[tokio::test]
async fn anybody_may_see_the_providers_and_the_health() {
    let site = Site::open().await;
    let answer = send(&site, request("GET", "/api/v1/providers", ""), None).await;
    let corp = serde_json::json!({
        "id": "corp", "kind": "scripted", "displayName": "Corporate directory", "login": ["password"],
    });
    assert_eq!(answer.body, serde_json::json!({ "providers": [corp] }));
    assert_eq!(send(&site, request("GET", "/api/v1/health", ""), None).await.status, 200);
    site.control.store().close().await;
    assert_eq!(send(&site, request("GET", "/api/v1/health", ""), None).await.problem(), (503, "unavailable"));
}

#[tokio::test]
async fn me_is_who_the_gate_says_and_nobody_else() {
    let site = Site::open().await;
    assert_eq!(send(&site, request("GET", "/api/v1/me", ""), None).await.problem(), (401, "unauthenticated"));
    let done = site.login("alice").await.expect("logged in");
    let mut with_headers = request("GET", "/api/v1/me", "");
    with_headers.headers_mut().insert("impersonate-user", "corp:bob".parse().expect("a value"));
    let answer = send(&site, with_headers, Some(caller(&site, done.token.expose()).await)).await;
    assert_eq!(answer.body["identity"]["username"], "corp:alice");
    assert_eq!(answer.body["identity"]["groups"][0], "corp:dev");
    assert_eq!(answer.body["session"], done.session.as_str());
    assert!(!answer.text.contains(done.token.expose().split_once(':').expect("a colon").1));
}

#[tokio::test]
async fn one_ends_ones_own_token_and_no_other() {
    let site = Site::open().await;
    let (alice, bob) = (site.login("alice").await.expect("in"), site.login("bob").await.expect("in"));
    let as_alice = caller(&site, alice.token.expose()).await;
    let bobs = format!("/api/v1/tokens/{}", bob.name);
    for path in [bobs.as_str(), "/api/v1/tokens/gwt-aaaaaaaaaaaa", "/api/v1/tokens/%00", "/api/v1/tokens/%ff"] {
        let answer = send(&site, request("DELETE", path, ""), Some(as_alice.clone())).await;
        assert_eq!(answer.problem(), (404, "not-found"), "{path}");
    }
    site.control.resolve_token(bob.token.expose()).await.expect("bob stays");
    let unasked = send(&site, request("DELETE", "/api/v1/tokens/current", ""), None).await;
    assert_eq!(unasked.problem(), (401, "unauthenticated"));
    let answer = send(&site, request("DELETE", "/api/v1/tokens/current", ""), Some(as_alice)).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    site.control.resolve_token(alice.token.expose()).await.expect_err("alice has left");
}

#[tokio::test]
async fn a_path_that_is_not_there_and_a_method_that_is_not_taken_are_problems_too() {
    let site = Site::open().await;
    assert_eq!(send(&site, request("GET", "/api/v1/nothing", ""), None).await.problem(), (404, "not-found"));
    let wrong = send(&site, request("GET", "/api/v1/providers/corp/login", ""), None).await;
    assert_eq!(wrong.problem(), (405, "method-not-allowed"));
    let other = send(&site, request("POST", "/api/v1/providers/other/login", ALICE), None).await;
    assert_eq!(other.problem(), (404, "unknown-provider"));
}

#[tokio::test]
async fn a_request_that_came_past_the_gate_is_not_served() {
    let site = Site::open().await;
    let response = router(Arc::clone(&site.control)).oneshot(request("GET", "/api/v1/me", "")).await.expect("answered");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_caller_sees_their_clusters_and_where_tokens_come_from() {
    let site = Site::open().await;
    let token = site.login("alice").await.expect("logged in").token;
    let alice = caller(&site, token.expose()).await;
    let answer = send(&site, request("GET", "/api/v1/clusters", ""), Some(alice)).await;
    let expected = serde_json::json!([
        { "id": "east", "readOnly": false, "grantedTo": ["group:corp:dev"], "hosts": [], "identity": "impersonation" },
        { "id": "west", "readOnly": true, "grantedTo": [], "hosts": ["west.test"], "identity": "bearer" },
    ]);
    assert_eq!(answer.body["clusters"], expected);
    assert_eq!(answer.body["subjects"], serde_json::json!(["user:corp:alice", "group:corp:dev"]));
    assert_eq!(answer.body["whomToAsk"], "Ask the platform team.");
    let answer = send(&site, request("GET", "/.well-known/oauth-protected-resource", ""), None).await;
    assert_eq!(answer.body["authorization_servers"], serde_json::json!(["https://console.test/oidc"]));
    assert_eq!(answer.body["resource"], "https://gw.test");
}

#[tokio::test]
async fn a_person_takes_a_token_to_a_cluster_that_the_operator_opened_for_it() {
    let site = Site::open().await;
    let login = site.login("alice").await.expect("logged in");
    let ask = async |cluster: &str, caller: Caller| {
        send(&site, request("POST", &format!("/api/v1/clusters/{cluster}/token"), ""), Some(caller)).await
    };
    let alice = async || caller(&site, login.token.expose()).await;
    let made = ask("east", alice().await).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let claims = made.body["token"].as_str().and_then(|token| token.split('.').nth(1)).expect("a signed token");
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON");
    assert_eq!(claims["aud"], "https://gw.test/k8s/clusters/east");
    assert_eq!(claims["gatewarden"]["groups"], serde_json::json!(["corp:dev", "corp:ops"]));
    assert_eq!(claims["gatewarden"]["session"], login.session.as_str());
    // No longer than the login.
    let mut late = alice().await;
    late.expires_at = site.control.store().now() + Duration::from_secs(60);
    let made = ask("east", late.clone()).await;
    assert_eq!(made.body["expiresAt"], serde_json::json!(late.expires_at), "{}", made.text);
    // Through the gateway alone; unknown and without a grant are one answer; who may only read is held to it by us.
    let mut reader = alice().await;
    reader.clusters = BTreeMap::from([("east".to_owned(), true), ("west".to_owned(), false)]);
    for (cluster, status, code) in [("west", 409, "not-direct"), ("east", 403, "read-only"), ("north", 403, "no-grant")]
    {
        let refused = ask(cluster, reader.clone()).await;
        assert_eq!(refused.status, status, "{cluster}: {}", refused.text);
        assert_eq!(refused.body["type"], format!("urn:gatewarden:error:{code}"), "{cluster}");
    }
    assert_eq!(send(&site, request("POST", "/api/v1/clusters/east/token", ""), None).await.status, 401);
}
