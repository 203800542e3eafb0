//! Plain requests, in each pair of protocols.

use gatewarden_proxy::Body;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::{self, Client, Protocol};
use crate::gateway::Gateway;
use crate::upstream::{H1, H2, Upstream, echo};

type Pair = (Protocol, &'static [&'static [u8]]);

const PAIRS: [Pair; 4] = [(Protocol::H1, H1), (Protocol::H1, H2), (Protocol::H2, H1), (Protocol::H2, H2)];

fn values<'a>(seen: &'a Value, name: &str) -> Vec<&'a str> {
    let lines = seen["headers"].as_array().unwrap();
    lines.iter().filter(|line| line[0] == name).map(|line| line[1].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_arrives_with_its_bytes_and_the_callers_identity_in_every_pair_of_protocols() {
    for (protocol, alpn) in PAIRS {
        let upstream = Upstream::start(alpn, echo()).await;
        let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
        let mut client = Client::connect(&gateway, protocol).await;
        let path = "/k8s/clusters/east/api/v1/namespaces/a/configmaps?fieldSelector=a%3Db&limit=5";
        let response = client.send(client::request(Method::POST, path, Body::full("some body"))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let seen = client::json(response).await;
        assert_eq!(seen["method"], "POST", "{protocol:?} {seen}");
        assert_eq!(seen["target"], "/api/v1/namespaces/a/configmaps?fieldSelector=a%3Db&limit=5");
        assert_eq!(seen["body"], "some body");
        assert_eq!(seen["version"], if alpn.len() == 2 { "HTTP/2.0" } else { "HTTP/1.1" });
        assert_eq!(values(&seen, "authorization"), ["Bearer impersonator"]);
        assert_eq!(values(&seen, "impersonate-user"), ["corp:alice"]);
        assert_eq!(values(&seen, "impersonate-group"), ["corp:dev"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_one_after_another_use_one_upstream_connection() {
    for alpn in [H1, H2] {
        let upstream = Upstream::start(alpn, echo()).await;
        let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
        let proving = upstream.connections();
        let mut client = Client::connect(&gateway, Protocol::H1).await;
        for _ in 0..20 {
            let response = client.get("/k8s/clusters/east/api/v1/nodes").await;
            client::json(response).await;
        }
        assert_eq!(upstream.connections() - proving, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_requests_shares_http2_connections() {
    let upstream = Upstream::start(H2, echo()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let proving = upstream.connections();
    let client = Client::connect(&gateway, Protocol::H2).await;
    let Client::H2(sender) = client else { panic!("HTTP/2") };
    let requests = (0..60).map(|_| {
        let mut client = Client::H2(sender.clone());
        async move { client.get("/k8s/clusters/east/api/v1/nodes").await.status() }
    });
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.iter().all(|status| *status == StatusCode::OK));
    assert_eq!(upstream.connections() - proving, 1, "60 streams are below four fifths of 100");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_did_not_change_keeps_its_connections_over_a_reload() {
    let upstream = Upstream::start(H2, echo()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    client.get("/k8s/clusters/east/api/v1/nodes").await;
    let before = upstream.connections();
    gateway.reload(vec![upstream.cluster("east")]);
    for _ in 0..5 {
        let response = client.get("/k8s/clusters/east/api/v1/nodes").await;
        assert_eq!(response.status(), StatusCode::OK);
        client::bytes(response).await;
    }
    assert_eq!(upstream.connections(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_request_starts_no_task_but_the_ones_of_http2_streams() {
    // hyper starts one for each stream that it serves, and one for each that it opens.
    for (protocol, alpn, most) in [(Protocol::H1, H1, 0), (Protocol::H1, H2, 1), (Protocol::H2, H2, 2)] {
        let upstream = Upstream::start(alpn, echo()).await;
        let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
        let mut client = Client::connect(&gateway, protocol).await;
        client::bytes(client.get("/k8s/clusters/east/api/v1/nodes").await).await;
        let before = gateway.tasks_started();
        for _ in 0..100 {
            client::bytes(client.get("/k8s/clusters/east/api/v1/nodes").await).await;
        }
        assert_eq!(gateway.tasks_started() - before, 100 * most, "{protocol:?} {alpn:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_told_once() {
    let upstream = Upstream::start(H2, echo()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    client::bytes(client.get("/k8s/clusters/east/api/v1/pods").await).await;
    let text = gateway.metrics();
    assert!(text.contains("gatewarden_cluster_open{cluster=\"east\"} 1"), "{text}");
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.rsplit_once(' ')?.0));
    for told in [names.collect::<Vec<_>>(), series.collect()] {
        let once: std::collections::BTreeSet<_> = told.iter().collect();
        assert!(told.len() > 10);
        assert_eq!(told.len(), once.len(), "{text}");
    }
}
