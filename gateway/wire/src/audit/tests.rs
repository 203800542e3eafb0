//! The wire shape of a record.

use std::borrow::Cow;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Event, ResponseStatus, Stage};
use crate::{RequestInfo, Status, UserInfo};

fn info(method: &Method, path: &str) -> RequestInfo {
    RequestInfo::parse(method, path, None).unwrap()
}

fn event<'a>(path: &'a str, info: &'a RequestInfo) -> Event<'a> {
    Event::new("id-1", path, info, "2026-01-02T03:04:05.0000067Z".parse().unwrap())
}

fn json(event: &Event<'_>) -> Value {
    serde_json::from_slice(&event.to_line()).unwrap()
}

#[test]
fn a_record_has_the_shape_that_the_api_server_writes() {
    let path = "/apis/apps/v1/namespaces/dev/deployments/d/scale";
    let info = info(&Method::POST, path);
    let user = UserInfo { uid: Some("u-1".to_owned()), groups: vec!["dev".to_owned()], ..UserInfo::named("alice") };
    let mut event = event(path, &info).at(Stage::ResponseComplete, "2026-01-02T03:04:06Z".parse().unwrap());
    event.user = Cow::Borrowed(&user);
    event.impersonated_user = Some(Cow::Owned(UserInfo::named("bob")));
    event.source_ips = vec!["192.0.2.1".to_owned()];
    event.user_agent = "kubectl".into();
    event.response_status = Some(StatusCode::CREATED.into());
    event.annotate("gatewarden/cluster", "east");
    assert_eq!(
        json(&event),
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "id-1",
            "stage": "ResponseComplete", "requestURI": "/apis/apps/v1/namespaces/dev/deployments/d/scale",
            "verb": "create", "user": {"username": "alice", "uid": "u-1", "groups": ["dev"]},
            "impersonatedUser": {"username": "bob"}, "sourceIPs": ["192.0.2.1"], "userAgent": "kubectl",
            "objectRef": {"resource": "deployments", "namespace": "dev", "name": "d", "apiGroup": "apps",
                          "apiVersion": "v1", "subresource": "scale"},
            "responseStatus": {"metadata": {}, "code": 201},
            "requestReceivedTimestamp": "2026-01-02T03:04:05.000006Z",
            "stageTimestamp": "2026-01-02T03:04:06.000000Z",
            "annotations": {"gatewarden/cluster": "east"}
        })
    );
}

#[test]
fn a_path_without_a_resource_has_no_object() {
    let info = info(&Method::GET, "/version");
    let event = event("/version", &info);
    assert_eq!(event.object_ref, None);
    assert_eq!(json(&event)["verb"], "get");
}

#[test]
fn a_refusal_is_recorded_as_it_was_told() {
    let told = ResponseStatus::from(&Status::forbidden("no"));
    assert_eq!(
        serde_json::to_value(told).unwrap(),
        json!({"metadata": {}, "status": "Failure", "message": "no", "reason": "Forbidden", "code": 403})
    );
}

#[test]
fn one_record_is_one_line_whatever_stands_in_it() {
    let info = info(&Method::GET, "/version");
    let mut event = event("/version", &info);
    event.user_agent = "a\nb\u{2028}\u{1b}[0m".into();
    assert!(!event.to_line().contains(&b'\n') && !event.to_line().contains(&0x1b));
}

#[test]
fn a_record_of_the_api_server_is_read() {
    let line = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": "x",
        "stage": "ResponseStarted", "requestURI": "/api", "verb": "get",
        "user": {"username": "system:serviceaccount:a:b", "extra": {"k": ["v"]}},
        "authenticationMetadata": {"impersonationConstraint": "impersonate:user-info"},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000006Z", "stageTimestamp": "2026-01-02T03:04:05.1Z",
        "requestObject": {"any": "thing"}
    });
    let event: Event = serde_json::from_value(line).unwrap();
    assert_eq!(event.authentication_metadata.unwrap().impersonation_constraint, "impersonate:user-info");
    assert_eq!(event.stage_timestamp, "2026-01-02T03:04:05.1Z".parse::<Timestamp>().unwrap());
}
