//! The wire shape of each refusal.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Status;
use crate::RequestInfo;

fn body(status: &Status) -> Value {
    serde_json::from_slice(&status.to_json()).unwrap()
}

fn asked(method: &Method, path: &str) -> RequestInfo {
    RequestInfo::parse(method, path, None).unwrap()
}

#[test]
fn a_401_is_byte_for_byte_what_the_api_server_sends() {
    assert_eq!(
        body(&Status::unauthorized()),
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Unauthorized", "reason": "Unauthorized", "code": 401
        })
    );
}

#[test]
fn what_may_succeed_later_says_when() {
    for (status, code, seconds) in [
        (Status::too_many_requests(Duration::from_secs(1)), 429, 1),
        (Status::too_many_requests(Duration::ZERO), 429, 1),
        (Status::service_unavailable("away", Duration::from_millis(1_001)), 503, 2),
        (Status::service_unavailable("away", Duration::from_secs(30)), 503, 30),
    ] {
        assert_eq!(status.retry_after(), Some(seconds));
        assert_eq!(body(&status)["details"]["retryAfterSeconds"], seconds);
        assert_eq!(body(&status)["code"], code);
    }
    assert_eq!(Status::unauthorized().retry_after(), None, "a wrong token does not become right by waiting");
}

#[test]
fn each_code_has_the_reason_that_clients_match_on() {
    for (status, code, reason) in [
        (Status::bad_request("x"), StatusCode::BAD_REQUEST, "BadRequest"),
        (Status::forbidden("x"), StatusCode::FORBIDDEN, "Forbidden"),
        (Status::not_found("x"), StatusCode::NOT_FOUND, "NotFound"),
        (Status::method_not_allowed("x"), StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        (Status::internal("x"), StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        (Status::gateway_timeout(), StatusCode::GATEWAY_TIMEOUT, "Timeout"),
    ] {
        assert_eq!((status.code(), status.reason()), (code, reason));
    }
}

#[test]
fn a_forbidden_request_is_told_in_the_words_of_the_api_server() {
    for (method, path, expected) in [
        (
            Method::GET,
            "/api/v1/namespaces/dev/pods/p",
            r#"pods "p" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "dev""#,
        ),
        (
            Method::POST,
            "/api/v1/namespaces/dev/pods/p/exec",
            r#"pods "p" is forbidden: User "u" cannot create resource "pods/exec" in API group "" in the namespace "dev""#,
        ),
        (
            Method::DELETE,
            "/apis/apps/v1/deployments",
            r#"deployments.apps is forbidden: User "u" cannot deletecollection resource "deployments" in API group "apps" at the cluster scope"#,
        ),
        (Method::GET, "/healthz", r#"forbidden: User "u" cannot get path "/healthz""#),
    ] {
        let status = Status::forbidden_request("u", &asked(&method, path), "");
        assert_eq!(status.message(), expected);
        let with_reason = Status::forbidden_request("u", &asked(&method, path), "not today");
        assert_eq!(with_reason.message(), format!("{expected}: not today"));
    }
    let details = body(&Status::forbidden_request("u", &asked(&Method::GET, "/apis/apps/v1/deployments/d"), ""));
    assert_eq!(details["details"], json!({"name": "d", "group": "apps", "kind": "deployments"}));
}

#[test]
fn markup_in_a_name_is_escaped() {
    let status = Status::forbidden_request("<b>&", &asked(&Method::GET, "/x"), "");
    assert_eq!(status.message(), r#"forbidden: User "&lt;b&gt;&amp;" cannot get path "/x""#);
}

#[test]
fn a_status_is_read_back() {
    let status = Status::service_unavailable("away", Duration::from_secs(5));
    assert_eq!(serde_json::from_slice::<Status>(&status.to_json()).unwrap(), status);
}
