//! Connections that end: by a stop, by age, by a limit, by a client that is too slow.

use std::sync::Arc;
use std::time::Duration;

use gatewarden_proxy::Limits;
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::client::{self, Client, Protocol};
use crate::gateway::{GUARD, Gateway, Settings, until};
use crate::streams::{next, told};
use crate::upstream::{H2, Handler, Upstream, echo, json_response};

const NODES: &str = "/k8s/clusters/east/api/v1/nodes";

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_requests_in_flight_finish_and_takes_no_new_ones() {
    let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&arrived), Arc::clone(&release));
    let handler: Handler = Arc::new(move |_| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        Box::pin(async move {
            tell.notify_one();
            wait.notified().await;
            json_response(StatusCode::OK, &json!({}))
        })
    });
    let upstream = Upstream::start(H2, handler).await;
    let mut gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let idle = Client::connect(&gateway, Protocol::H1).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let address = gateway.address;
    let request = TaskTracker::new().spawn(async move {
        let response = client.get(NODES).await;
        (response.status(), client::bytes(response).await)
    });
    arrived.notified().await;
    let stopping = TaskTracker::new().spawn(async move { gateway.drain(GUARD).await });
    until("the idle connection is closed", || idle.is_closed()).await;
    until("nobody listens", || std::net::TcpStream::connect(address).is_err()).await;
    release.notify_one();
    let (status, body) = request.await.unwrap();
    assert_eq!((status, &*body), (StatusCode::OK, &b"{}"[..]));
    tokio::time::timeout(GUARD, stopping).await.expect("the stop ends").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_watches_cleanly_because_their_clients_ask_again() {
    let (events, handler) = told();
    let upstream = Upstream::start(H2, handler).await;
    let mut settings = Settings::default();
    settings.timeouts.drain_watches = Duration::from_millis(50);
    let mut gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let mut watch = client.get("/k8s/clusters/east/api/v1/pods?watch=true").await;
    events.send(Ok("one".into())).unwrap();
    assert_eq!(next(&mut watch).await.unwrap().unwrap(), "one");
    gateway.drain(GUARD).await;
    assert!(next(&mut watch).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_what_is_left_at_its_deadline() {
    let (events, handler) = told();
    let upstream = Upstream::start(H2, handler).await;
    let mut gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let mut logs = client.get("/k8s/clusters/east/api/v1/namespaces/a/pods/p/log?follow=true").await;
    events.send(Ok("line".into())).unwrap();
    assert_eq!(next(&mut logs).await.unwrap().unwrap(), "line");
    gateway.drain(Duration::from_millis(50)).await;
    assert!(next(&mut logs).await.unwrap().is_err(), "half a log never looks whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_connection_is_asked_to_go_and_its_requests_are_answered() {
    let upstream = Upstream::start(H2, echo()).await;
    let mut settings = Settings::default();
    settings.timeouts.connection_age = Some(Duration::from_millis(100));
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut client = Client::connect(&gateway, protocol).await;
        assert_eq!(client.get(NODES).await.status(), StatusCode::OK);
        until("the connection is closed", || client.is_closed()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_too_many_connections_gets_no_more() {
    let limits = Limits { connections_per_source: 2, ..Limits::default() };
    let gateway = Gateway::start_with(Vec::new(), Settings { limits, ..Settings::default() });
    let first = client::tls(&gateway, Protocol::H2).await;
    let _second = client::tls(&gateway, Protocol::H2).await;
    assert!(closed(TcpStream::connect(gateway.address).await.unwrap()).await);
    drop(first);
    let mut attempts = 0;
    until("there is room again", || {
        attempts += 1;
        let connected = std::net::TcpStream::connect(gateway.address).unwrap();
        connected.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        // One that may stay hears nothing; one that may not is closed.
        std::io::Read::read(&mut &connected, &mut [0]).is_err()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_begins_tls_is_hung_up_on() {
    let mut settings = Settings::default();
    settings.timeouts.handshake = Duration::from_millis(50);
    let gateway = Gateway::start_with(Vec::new(), settings);
    assert!(closed(TcpStream::connect(gateway.address).await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_in_is_hung_up_on() {
    let mut settings = Settings::default();
    settings.timeouts.head = Duration::from_millis(50);
    let gateway = Gateway::start_with(Vec::new(), settings);
    for (protocol, begun) in [(Protocol::H1, "GET / HTTP/1.1\r\nHost: gw"), (Protocol::H2, "PRI * HTTP/2.0\r\n")] {
        let mut io = client::tls(&gateway, protocol).await;
        io.write_all(begun.as_bytes()).await.unwrap();
        assert!(closed(io).await, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_has_greeted_may_be_silent() {
    let upstream = Upstream::start(H2, echo()).await;
    let mut settings = Settings::default();
    settings.timeouts.head = Duration::from_millis(50);
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut client = Client::connect(&gateway, protocol).await;
        client::bytes(client.get(NODES).await).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(client.get(NODES).await.status(), StatusCode::OK, "{protocol:?}");
    }
}

/// Whether the other side hangs up (or says something last and hangs up).
async fn closed(mut io: impl tokio::io::AsyncRead + Unpin) -> bool {
    let mut bytes = Vec::new();
    tokio::time::timeout(GUARD, io.read_to_end(&mut bytes)).await.is_ok()
}
