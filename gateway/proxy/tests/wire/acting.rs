//! `kubectl --as`: the cluster is asked, and its answer is obeyed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use gatewarden_proxy::Body;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::client::{self, Client, Protocol};
use crate::gateway::Gateway;
use crate::upstream::{H2, Handler, Upstream, echo, json_response};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// What a cluster was asked, one line for each question.
type Asked = Arc<Mutex<Vec<String>>>;

/// A cluster that allows what `allows` says, and echoes everything else.
fn cluster(allows: impl Fn(&Value) -> Option<bool> + Send + Sync + 'static) -> (Handler, Asked) {
    let asked = Asked::default();
    let (allows, echo, seen) = (Arc::new(allows), echo(), Arc::clone(&asked));
    let handler: Handler = Arc::new(move |request| {
        if request.uri().path() != REVIEWS {
            return echo(request);
        }
        let (allows, seen) = (Arc::clone(&allows), Arc::clone(&seen));
        Box::pin(async move {
            assert_eq!(request.headers()["authorization"], "Bearer reviewer");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let review: Value = serde_json::from_slice(&body).unwrap();
            let spec = &review["spec"];
            assert_eq!(spec["user"], "corp:alice");
            assert_eq!(spec["uid"], "u-alice");
            assert_eq!(spec["groups"], json!(["corp:dev", "system:authenticated"]));
            assert_eq!(spec["extra"]["gatewarden/session-id"], json!(["s-alice"]));
            seen.lock().unwrap().push(line(spec));
            match allows(spec) {
                Some(allowed) => json_response(StatusCode::CREATED, &json!({"status": {"allowed": allowed}})),
                None => json_response(StatusCode::INTERNAL_SERVER_ERROR, &json!({})),
            }
        })
    });
    (handler, asked)
}

fn line(spec: &Value) -> String {
    if let Some(path) = spec.pointer("/nonResourceAttributes/path") {
        return format!("{} {}", text(spec, "/nonResourceAttributes/verb"), path.as_str().unwrap());
    }
    let at = |field: &str| text(spec, &format!("/resourceAttributes/{field}"));
    format!(
        "{} {}/{}/{} {}/{}",
        at("verb"),
        at("group"),
        at("resource"),
        at("subresource"),
        at("namespace"),
        at("name")
    )
}

fn text(spec: &Value, at: &str) -> String {
    spec.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn verb(spec: &Value) -> String {
    text(spec, "/resourceAttributes/verb") + &text(spec, "/nonResourceAttributes/verb")
}

async fn ask(client: &mut Client, path: &str, lines: &[(&'static str, &str)]) -> (StatusCode, Value) {
    let mut request = client::request(Method::GET, &format!("/k8s/clusters/east{path}"), Body::empty());
    for (name, value) in lines {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let response = client.send(request).await.unwrap();
    (response.status(), client::json(response).await)
}

fn identity(seen: &Value) -> Vec<String> {
    let lines = seen["headers"].as_array().unwrap().iter();
    let ours = lines.filter(|line| line[0].as_str().unwrap().starts_with("impersonate-"));
    ours.map(|line| format!("{} {}", line[0].as_str().unwrap(), line[1].as_str().unwrap())).collect()
}

fn asked_and_forget(asked: &Asked) -> BTreeSet<String> {
    asked.lock().unwrap().drain(..).collect()
}

fn lines<const N: usize>(lines: [&str; N]) -> BTreeSet<String> {
    lines.into_iter().map(str::to_owned).collect()
}

const PODS: &str = "/api/v1/namespaces/x/pods/y";

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_the_legacy_permission_for_each_name_acts_as_them() {
    let (handler, asked) = cluster(|spec| Some(verb(spec) == "impersonate"));
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let target = [
        ("impersonate-user", "root"),
        ("impersonate-uid", "7"),
        ("impersonate-group", "a,b"),
        ("impersonate-extra-Example.org%2Fteam", "blue"),
    ];
    let (status, seen) = ask(&mut client, PODS, &target).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    let expected = [
        "impersonate-user root",
        "impersonate-uid 7",
        "impersonate-group a,b",
        "impersonate-extra-example.org%2fteam blue",
        "impersonate-extra-gatewarden%2foriginal-user corp:alice",
    ];
    assert_eq!(identity(&seen), expected);
    let questions = lines([
        "impersonate /users/ /root",
        "impersonate authentication.k8s.io/uids/ /7",
        "impersonate /groups/ /a,b",
        "impersonate authentication.k8s.io/userextras/example.org/team /blue",
    ]);
    assert_eq!(asked_and_forget(&asked), questions);
    let (status, _) = ask(&mut client, "/api/v1/nodes", &target).await;
    assert_eq!((status, asked_and_forget(&asked).len()), (StatusCode::OK, 0), "remembered for a few seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_that_is_not_allowed_refuses_the_whole() {
    let (handler, _) = cluster(|spec| Some(text(spec, "/resourceAttributes/name") != "ops"));
    let upstream = Upstream::start(H2, handler).await;
    upstream.seen.minor.store(35, std::sync::atomic::Ordering::SeqCst);
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H1).await;
    let target = [("impersonate-user", "dev"), ("impersonate-group", "dev"), ("impersonate-group", "ops")];
    let (status, body) = ask(&mut client, PODS, &target).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let sentence =
        r#"groups "ops" is forbidden: User "corp:alice" cannot impersonate resource "groups" in API group """#;
    assert!(body["message"].as_str().unwrap().starts_with(sentence), "{body}");
    assert_eq!(upstream.seen.requests.load(std::sync::atomic::Ordering::SeqCst), 3, "three questions, no request");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_constrained_cluster_both_halves_of_the_pair_are_asked() {
    let (handler, asked) = cluster(|spec| Some(verb(spec).contains("user-info")));
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let (status, seen) = ask(&mut client, PODS, &[("impersonate-user", "dev")]).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    let questions = lines([
        "impersonate /users/ /dev",
        "impersonate:user-info authentication.k8s.io/users/ /dev",
        "impersonate-on:user-info:get /pods/ x/y",
    ]);
    assert_eq!(asked_and_forget(&asked), questions);
    ask(&mut client, "/healthz", &[("impersonate-user", "dev")]).await;
    assert!(asked_and_forget(&asked).contains("impersonate-on:user-info:get /healthz"), "another use is asked anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_pair_is_not_enough() {
    for half in ["impersonate:user-info", "impersonate-on:user-info:get"] {
        let (handler, _) = cluster(move |spec| Some(verb(spec) == half));
        let upstream = Upstream::start(H2, handler).await;
        let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
        let mut client = Client::connect(&gateway, Protocol::H2).await;
        let (status, _) = ask(&mut client, PODS, &[("impersonate-user", "dev")]).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{half}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_is_asked_about_as_one_and_sent_by_its_name_alone() {
    let (handler, asked) = cluster(|spec| Some(verb(spec) == "impersonate"));
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let (status, seen) = ask(&mut client, PODS, &[("impersonate-user", "system:serviceaccount:ns:sa")]).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    assert_eq!(asked_and_forget(&asked), lines(["impersonate /serviceaccounts/ ns/sa"]));
    assert_eq!(identity(&seen), ["impersonate-user system:serviceaccount:ns:sa"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_groups_are_asked_about_at_once_where_the_api_server_does_so() {
    let (handler, asked) = cluster(|spec| {
        let named = matches!(text(spec, "/resourceAttributes/name").as_str(), "*" | "dev");
        Some(verb(spec) == "impersonate-on:user-info:get" || (named && verb(spec) == "impersonate:user-info"))
    });
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let groups: Vec<String> = (0..150).map(|number| format!("g{number}")).collect();
    let mut target = vec![("impersonate-user", "dev")];
    target.extend(groups.iter().map(|group| ("impersonate-group", group.as_str())));
    let (status, seen) = ask(&mut client, PODS, &target).await;
    assert_eq!((status, identity(&seen).len()), (StatusCode::OK, 152), "{seen}");
    let questions = lines([
        "impersonate-on:user-info:get /pods/ x/y",
        "impersonate:user-info authentication.k8s.io/groups/ /*",
        "impersonate:user-info authentication.k8s.io/users/ /dev",
    ]);
    assert_eq!(asked_and_forget(&asked), questions);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_cluster_is_asked_about_each_group_by_its_name() {
    let (handler, asked) = cluster(|spec| Some(matches!(text(spec, "/resourceAttributes/name").as_str(), "*" | "dev")));
    let upstream = Upstream::start(H2, handler).await;
    upstream.seen.minor.store(35, std::sync::atomic::Ordering::SeqCst);
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let mut target = vec![("impersonate-user", "dev")];
    target.extend(["a", "b", "c", "d", "e"].map(|group| ("impersonate-group", group)));
    let (status, _) = ask(&mut client, PODS, &target).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(!asked_and_forget(&asked).contains("impersonate /groups/ /*"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_neither_yes_nor_no() {
    let (handler, asked) = cluster(|_| None);
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    for _ in 0..2 {
        let (status, body) = ask(&mut client, PODS, &[("impersonate-user", "dev")]).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        assert_eq!(asked_and_forget(&asked).len(), 1, "and it is not remembered");
    }
}
