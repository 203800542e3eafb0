use http_body_util::BodyExt;
use serde_json::Value;

use super::*;

fn every() -> Vec<(Refusal, u16)> {
    let east = || Box::from("east");
    let wait = Duration::from_secs(3);
    vec![
        (Refusal::bad_request("x"), 400),
        (Refusal::UriTooLong, 414),
        (Refusal::HeadersTooLarge, 431),
        (Refusal::MethodNotAllowed, 405),
        (Refusal::Misdirected, 421),
        (Refusal::NotFound, 404),
        (Refusal::Unauthenticated(Rejected::Expired), 401),
        (Refusal::NoGrant { cluster: east(), whom_to_ask: "Ask us.".into() }, 403),
        (Refusal::OutOfScope("x"), 403),
        (Refusal::MayNotActAs("x".into()), 403),
        (Refusal::TooMany { retry_after: wait, what: "x" }, 429),
        (Refusal::Unavailable { retry_after: wait, what: "x" }, 503),
        (Refusal::ClusterUnavailable { cluster: east(), why: "10.0.0.1 refused".into(), retry_after: wait }, 503),
        (Refusal::ClusterClosed { cluster: east(), why: "10.0.0.1 is admin".into() }, 503),
        (Refusal::BadGateway { cluster: east(), why: "10.0.0.1 sent garbage".into() }, 502),
        (Refusal::TimedOut { cluster: east() }, 504),
        (Refusal::SessionEnded, 401),
        (Refusal::Internal("x"), 500),
        (Refusal::Panicked, 500),
    ]
}

async fn answer(refusal: &Refusal, surface: Surface) -> (Response<()>, Value) {
    let (head, body) = refusal.respond(About { surface, user: None, asked: None, discovers: false }).into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, ()), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn every_refusal_is_a_status_on_cluster_paths() {
    for (refusal, code) in every() {
        let (head, body) = answer(&refusal, Surface::Cluster).await;
        assert_eq!((head.status().as_u16(), &body["code"], &body["kind"]), (code, &code.into(), &"Status".into()));
        assert_eq!(head.headers()["content-type"], "application/json");
        assert!(!body["message"].as_str().unwrap().is_empty() && !body["reason"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn every_refusal_is_a_problem_on_the_management_api() {
    for (refusal, code) in every() {
        let (head, body) = answer(&refusal, Surface::Management).await;
        assert_eq!((head.status().as_u16(), &body["status"]), (code, &code.into()));
        assert_eq!(head.headers()["content-type"], "application/problem+json");
        assert_eq!(body["type"], format!("urn:gatewarden:error:{}", refusal.code()));
    }
}

#[tokio::test]
async fn where_waiting_helps_the_header_says_how_long() {
    for (refusal, code) in every() {
        let (head, body) = answer(&refusal, Surface::Cluster).await;
        let told = head.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let helps = matches!(code, 429 | 503) && !matches!(refusal, Refusal::ClusterClosed { .. });
        assert_eq!(told.is_some(), helps, "{refusal}");
        assert_eq!(told, body["details"]["retryAfterSeconds"].as_u64().map(|seconds| seconds.to_string()));
    }
}

#[tokio::test]
async fn a_client_learns_neither_addresses_nor_why_a_credential_failed() {
    for (refusal, _) in every() {
        let (_, body) = answer(&refusal, Surface::Cluster).await;
        let text = body.to_string();
        assert!(!text.contains("10.0.0.1") && !text.contains("expired"), "{text}");
    }
}

#[tokio::test]
async fn kubectl_that_discovers_reads_whom_to_ask_as_text() {
    let refusal = Refusal::NoGrant { cluster: "east".into(), whom_to_ask: "Ask us.".into() };
    let about = About { surface: Surface::Cluster, user: None, asked: None, discovers: true };
    let (head, body) = refusal.respond(about).into_parts();
    assert_eq!(
        (head.status.as_u16(), &head.headers["content-type"]),
        (403, &"text/plain; charset=utf-8".parse().unwrap())
    );
    assert_eq!(body.collect().await.unwrap().to_bytes(), "no access to cluster \"east\". Ask us.");
    let unknown = Refusal::Unauthenticated(Rejected::Missing).respond(about);
    assert_eq!(unknown.headers()["content-type"], "application/json", "only what is forbidden");
}

#[tokio::test]
async fn a_401_says_what_logs_in() {
    let (head, body) = answer(&Refusal::Unauthenticated(Rejected::Missing), Surface::Cluster).await;
    assert!(body["message"].as_str().unwrap().contains("/login"));
    assert!(!body["message"].as_str().unwrap().contains("kubectl"), "there is no such command yet");
    assert_eq!(head.headers()["www-authenticate"], "Bearer realm=\"gatewarden\"");
    let (head, _) = answer(&Refusal::Unauthenticated(Rejected::Missing), Surface::Management).await;
    assert_eq!(head.headers()["www-authenticate"], "Bearer realm=\"gatewarden\"");
}
