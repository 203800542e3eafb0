//! exec, attach and port-forward: both sides leave HTTP, and bytes flow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use gatewarden_proxy::{Body, PoolSettings};
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::task::TaskTracker;

use crate::client::{self, Client, Protocol};
use crate::gateway::{ALICE, GUARD, Gateway, Settings, TOKEN_LIFE, until};
use crate::upstream::{H1, H2, Handler, Upstream, json_response};

const EXEC: &str = "/k8s/clusters/east/api/v1/namespaces/a/pods/p/exec?command=sh";

/// Switches and sends everything back; says "bye" when the other side has closed.
fn echoing() -> Handler {
    Arc::new(|mut request| {
        Box::pin(async move {
            let protocol = request.headers()["upgrade"].clone();
            assert_eq!(request.headers()["connection"], "Upgrade");
            let upgraded = hyper::upgrade::on(&mut request);
            TaskTracker::new().spawn(async move {
                let io = TokioIo::new(upgraded.await.unwrap());
                let (mut reader, mut writer) = tokio::io::split(io);
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                let _ = writer.write_all(b"bye").await;
                let _ = writer.shutdown().await;
            });
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert("upgrade", protocol);
            response.headers_mut().insert("connection", HeaderValue::from_static("Upgrade"));
            response
        })
    })
}

async fn exec(gateway: &Gateway, protocol: &str) -> Response<Incoming> {
    let mut client = Client::connect(gateway, Protocol::H1).await;
    let method = if protocol == "websocket" { Method::GET } else { Method::POST };
    let mut request = client::request(method, EXEC, Body::empty());
    request.headers_mut().insert("connection", HeaderValue::from_static("Upgrade"));
    request.headers_mut().insert("upgrade", HeaderValue::from_str(protocol).unwrap());
    client.send(request).await.unwrap()
}

async fn tunnel(gateway: &Gateway, protocol: &str) -> TokioIo<Upgraded> {
    let response = exec(gateway, protocol).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["upgrade"].to_str().unwrap().to_lowercase(), protocol.to_lowercase());
    TokioIo::new(hyper::upgrade::on(response).await.unwrap())
}

async fn read(io: &mut TokioIo<Upgraded>, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    tokio::time::timeout(GUARD, io.read_exact(&mut bytes)).await.expect("nothing came").unwrap();
    bytes
}

/// Reads to the end, however it comes.
async fn rest(io: &mut TokioIo<Upgraded>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(GUARD, io.read_to_end(&mut bytes)).await.expect("no end");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_of_kubectl_switch_and_flow_both_ways() {
    for protocol in ["websocket", "SPDY/3.1"] {
        for alpn in [H1, H2] {
            let upstream = Upstream::start(alpn, echoing()).await;
            let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
            let mut io = tunnel(&gateway, protocol).await;
            for word in ["ls\n", "exit\n"] {
                io.write_all(word.as_bytes()).await.unwrap();
                io.flush().await.unwrap();
                assert_eq!(read(&mut io, word.len()).await, word.as_bytes());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_switches_to_another_protocol_is_no_api_server() {
    for answered in [&["foo"][..], &[], &["websocket", "foo"]] {
        let handler: Handler = Arc::new(move |_| {
            Box::pin(async move {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                response.headers_mut().insert("connection", HeaderValue::from_static("Upgrade"));
                for protocol in answered {
                    response.headers_mut().append("upgrade", HeaderValue::from_static(protocol));
                }
                response
            })
        });
        let upstream = Upstream::start(H1, handler).await;
        let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
        assert_eq!(exec(&gateway, "websocket").await.status(), StatusCode::BAD_GATEWAY, "{answered:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_one_side_leaves_the_other_open() {
    let upstream = Upstream::start(H2, echoing()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut io = tunnel(&gateway, "SPDY/3.1").await;
    io.write_all(b"input").await.unwrap();
    io.shutdown().await.unwrap();
    assert_eq!(rest(&mut io).await, b"inputbye");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_came_too_early_go_into_the_tunnel_and_are_no_request() {
    let upstream = Upstream::start(H2, echoing()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut io = client::tls(&gateway, Protocol::H1).await;
    let early = "GET /k8s/clusters/east/api/v1/secrets HTTP/1.1\r\nHost: gw.example.org\r\n\r\n";
    let head = format!(
        "GET {EXEC} HTTP/1.1\r\nHost: gw.example.org\r\nAuthorization: Bearer {ALICE}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n{early}"
    );
    io.write_all(head.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(early.as_bytes()) {
        let mut bytes = [0; 1024];
        let read = tokio::time::timeout(GUARD, io.read(&mut bytes)).await.expect("nothing came").unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&bytes[..read]);
    }
    assert!(seen.starts_with(b"HTTP/1.1 101 "));
    assert_eq!(upstream.seen.requests.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_the_cluster_refuses_is_an_ordinary_answer() {
    let handler: Handler = Arc::new(|_| {
        Box::pin(async { json_response(StatusCode::FORBIDDEN, &serde_json::json!({"reason": "Forbidden"})) })
    });
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let response = exec(&gateway, "websocket").await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(client::json(response).await["reason"], "Forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_tunnel() {
    let upstream = Upstream::start(H2, echoing()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut io = tunnel(&gateway, "websocket").await;
    io.write_all(b"x").await.unwrap();
    assert_eq!(read(&mut io, 1).await, b"x");
    gateway.revoke("gwt-alice");
    assert_eq!(rest(&mut io).await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_has_so_many_tunnels_and_gives_each_back() {
    let upstream = Upstream::start(H2, echoing()).await;
    let settings = Settings { user_upgrades: Some(1), ..Settings::default() };
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    let mut io = tunnel(&gateway, "websocket").await;
    io.write_all(b"x").await.unwrap();
    assert_eq!(read(&mut io, 1).await, b"x");
    assert_eq!(exec(&gateway, "websocket").await.status(), StatusCode::TOO_MANY_REQUESTS);
    io.shutdown().await.unwrap();
    assert_eq!(rest(&mut io).await, b"bye");
    let again = async {
        while exec(&gateway, "websocket").await.status() != StatusCode::SWITCHING_PROTOCOLS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(GUARD, again).await.expect("the place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_ends_with_its_token() {
    let upstream = Upstream::start(H2, echoing()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut io = tunnel(&gateway, "websocket").await;
    io.write_all(b"x").await.unwrap();
    assert_eq!(read(&mut io, 1).await, b"x");
    gateway.pass(TOKEN_LIFE);
    assert_eq!(rest(&mut io).await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_a_tunnel_go_on_until_its_deadline() {
    let upstream = Upstream::start(H2, echoing()).await;
    let mut gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let address = gateway.address;
    let mut io = tunnel(&gateway, "websocket").await;
    let stopping = TaskTracker::new().spawn(async move { gateway.drain(Duration::from_secs(3)).await });
    until("nobody listens", || std::net::TcpStream::connect(address).is_err()).await;
    io.write_all(b"still here").await.unwrap();
    assert_eq!(read(&mut io, 10).await, b"still here");
    assert_eq!(rest(&mut io).await, b"");
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_tunnel_ends_where_the_operator_wants_that() {
    let upstream = Upstream::start(H2, echoing()).await;
    let mut settings = Settings::default();
    settings.pool.tunnel_idle = Some(Duration::from_millis(50));
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    let mut io = tunnel(&gateway, "websocket").await;
    assert_eq!(rest(&mut io).await, b"");
}

/// Terminals work; what a pod answers for itself never comes.
fn pods_that_never_answer(asked: Arc<AtomicUsize>) -> Handler {
    let terminals = echoing();
    Arc::new(move |request: http::Request<Incoming>| {
        if !request.uri().path().contains("/proxy/") {
            return terminals(request);
        }
        asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_never_answer_take_no_terminal_s_place() {
    let asked = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::start(H2, pods_that_never_answer(Arc::clone(&asked))).await;
    let pool = PoolSettings { http1_connections: 4, ..PoolSettings::default() };
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], Settings { pool, ..Settings::default() });
    gateway.opened().await;
    let proxied = || {
        let path = "/k8s/clusters/east/api/v1/namespaces/a/pods/mine/proxy/";
        let gateway = &gateway;
        async move { Client::connect(gateway, Protocol::H2).await.get(path).await.status() }
    };
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(proxied())).collect();
    until("a pod that takes the last place", || {
        waiting.iter_mut().for_each(|request| assert!(request.now_or_never().is_none()));
        asked.load(Ordering::SeqCst) == 2
    })
    .await;
    assert_eq!(proxied().await, StatusCode::TOO_MANY_REQUESTS);
    let mut terminals = Vec::new();
    for _ in 0..4 {
        terminals.push(tunnel(&gateway, "websocket").await);
    }
}
