//! A request that is played and not sent: what it tells is what happens to one that is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatewarden_proxy::Body;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::client::{self, Client, Protocol};
use crate::gateway::Gateway;
use crate::upstream::{H2, Handler, Upstream, echo, json_response};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// Alice may act as jane in group qa and as nobody else; jane may get pods and alice nothing. Counts what is no question.
fn cluster() -> (Handler, Arc<AtomicUsize>) {
    let (echo, arrived) = (echo(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&arrived);
    let handler: Handler = Arc::new(move |request| {
        if request.uri().path() != REVIEWS {
            count.fetch_add(1, Ordering::SeqCst);
            return echo(request);
        }
        Box::pin(async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let spec: Value = serde_json::from_slice::<Value>(&body).unwrap()["spec"].take();
            let asked = &spec["resourceAttributes"];
            let is = |user: &str, verb: &str, name: &str| {
                spec["user"] == user && asked["verb"] == verb && asked["name"] == name
            };
            let acts = is("corp:alice", "impersonate", "jane") || is("corp:alice", "impersonate", "qa");
            let gets = is("jane", "get", "web") && spec["groups"] == json!(["qa", "system:authenticated"]);
            let reason = if gets { "a binding" } else { "" };
            let status = json!({ "status": { "allowed": acts || gets, "reason": reason } });
            json_response(StatusCode::CREATED, &status)
        })
    });
    (handler, arrived)
}

fn lines(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// The impersonation headers that arrive, in the order of their names and values.
async fn arriving(client: &mut Client, path: &str, headers: HeaderMap) -> Vec<(String, String)> {
    let mut request = client::request(Method::GET, &format!("/k8s/clusters/east{path}"), Body::empty());
    request.headers_mut().extend(headers);
    let seen = client::json(client.send(request).await.unwrap()).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = seen["headers"].as_array().unwrap().iter().map(|line| (text(&line[0]), text(&line[1])));
    sorted(all.filter(|(name, _)| name.starts_with("impersonate-")).collect())
}

fn sorted(mut lines: Vec<(String, String)>) -> Vec<(String, String)> {
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_that_are_told_are_the_headers_that_arrive() {
    let (handler, _) = cluster();
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let rehearsal = gateway.rehearsal("east").await;
    let pod = "/api/v1/namespaces/dev/pods/web";
    for headers in [lines(&[]), lines(&[("impersonate-user", "jane"), ("impersonate-group", "qa")])] {
        let told = rehearsal.play(&Method::GET, pod, &headers).await.unwrap();
        let arrived = arriving(&mut client, pod, headers).await;
        assert!(arrived.len() >= 3, "{arrived:?}");
        assert_eq!(sorted(told.headers), arrived);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_asked_about_the_one_it_would_see_and_is_sent_nothing() {
    let (handler, arrived) = cluster();
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let rehearsal = gateway.rehearsal("east").await;
    let pod = "/api/v1/namespaces/dev/pods/web";
    let as_jane = lines(&[("impersonate-user", "jane"), ("impersonate-group", "qa")]);
    let verdict = rehearsal.play(&Method::GET, pod, &as_jane).await.unwrap().verdict.unwrap().unwrap();
    assert!(verdict.allowed && verdict.reason == "a binding", "{verdict:?}");
    let verdict = rehearsal.play(&Method::GET, pod, &lines(&[])).await.unwrap().verdict.unwrap().unwrap();
    assert!(!verdict.allowed, "{verdict:?}");
    let stopped =
        rehearsal.play(&Method::GET, pod, &lines(&[("impersonate-user", "bob")])).await.unwrap().stopped.unwrap();
    assert_eq!((stopped.code, stopped.status), ("may-not-act-as", 403), "{stopped:?}");
    assert!(stopped.why.contains("corp:alice") && stopped.why.contains("bob"), "{stopped:?}");
    assert_eq!(arrived.load(Ordering::SeqCst), 0, "a rehearsal sends nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_no_verdict() {
    let handler: Handler =
        Arc::new(|_| Box::pin(async { json_response(StatusCode::INTERNAL_SERVER_ERROR, &json!({})) }));
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let played = gateway.rehearsal("east").await.play(&Method::GET, "/api/v1/nodes", &lines(&[])).await.unwrap();
    assert!(played.verdict.unwrap().is_err());
}
