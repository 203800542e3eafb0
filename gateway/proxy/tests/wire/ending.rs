//! Connections that end: by a stop, by age, by a limit, by a client that is too slow.

use std::sync::Arc;
use std::time::Duration;

use gatewarden_proxy::{Body, Limits, Timeouts};
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_util::task::TaskTracker;

use crate::client::{self, Client, Protocol};
use crate::gateway::{GUARD, Gateway, Settings, TOKEN_LIFE, until};
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
async fn a_stop_that_takes_its_time_lets_no_stream_outlive_its_token() {
    for expires in [true, false] {
        let (events, handler) = told();
        let upstream = Upstream::start(H2, handler).await;
        let mut gateway = Gateway::start_with(vec![upstream.cluster("east")], patient());
        gateway.opened().await;
        let mut client = Client::connect(&gateway, Protocol::H2).await;
        let mut watch = client.get("/k8s/clusters/east/api/v1/pods?watch=true").await;
        let stopping = TaskTracker::new().spawn(gateway.drain(Duration::from_hours(1)));
        until("nobody listens", || std::net::TcpStream::connect(gateway.address).is_err()).await;
        events.send(Ok("one".into())).unwrap();
        assert_eq!(next(&mut watch).await.unwrap().unwrap(), "one", "the stop itself waits for it");
        if expires {
            gateway.pass(TOKEN_LIFE);
        } else {
            gateway.revoke("gwt-alice");
        }
        assert!(next(&mut watch).await.unwrap().is_err());
        tokio::time::timeout(GUARD, stopping).await.expect("nothing is left to wait for").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_connection_is_asked_to_go_and_its_request_is_answered() {
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
    let mut settings = patient();
    settings.timeouts.connection_age = Some(Duration::from_millis(200));
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let request = tokio::time::timeout(GUARD, in_flight(&gateway, protocol, &arrived)).await.unwrap();
        // Two that come later, one after the other, reach their age: so has the first, whatever its tenth was.
        for _ in 0..2 {
            let later = Client::connect(&gateway, Protocol::H1).await;
            until("a later connection is closed", || later.is_closed()).await;
        }
        release.notify_one();
        let (answer, client) = tokio::time::timeout(GUARD, request).await.unwrap().unwrap();
        assert_eq!(answer.unwrap().status(), StatusCode::OK, "{protocol:?}");
        until("the connection is closed", || client.is_closed()).await;
    }
}

type Asked = JoinHandle<(hyper::Result<Response<Incoming>>, Client)>;

/// A request that the upstream holds. On a busy machine a connection may be old before its request: then on another.
async fn in_flight(gateway: &Gateway, protocol: Protocol, arrived: &Notify) -> Asked {
    loop {
        let mut client = Client::connect(gateway, protocol).await;
        let mut request = TaskTracker::new().spawn(async move {
            let answer = client.send(client::request(Method::GET, NODES, Body::empty())).await;
            (answer, client)
        });
        tokio::select! {
            () = arrived.notified() => return request,
            _ = &mut request => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_too_many_connections_gets_no_more() {
    let limits = Limits { connections_per_source: 2, ..Limits::default() };
    let gateway = Gateway::start_with(Vec::new(), Settings { limits, ..patient() });
    let first = client::tls(&gateway, Protocol::H2).await;
    let _second = client::tls(&gateway, Protocol::H2).await;
    assert!(closed(TcpStream::connect(gateway.address).await.unwrap()).await);
    drop(first);
    let room = async { while client::try_tls(&gateway, Protocol::H2).await.is_err() {} };
    tokio::time::timeout(GUARD, room).await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_begins_tls_is_hung_up_on() {
    let mut settings = patient();
    settings.timeouts.handshake = Duration::from_millis(50);
    let gateway = Gateway::start_with(Vec::new(), settings);
    assert!(closed(TcpStream::connect(gateway.address).await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_in_is_hung_up_on() {
    let mut settings = patient();
    settings.timeouts.head = Duration::from_millis(50);
    let gateway = Gateway::start_with(Vec::new(), settings);
    for (protocol, begun) in DRIPS {
        assert!(closed(dripping(&gateway, protocol, begun).await).await, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_has_greeted_may_be_silent() {
    let upstream = Upstream::start(H2, echo()).await;
    let mut settings = patient();
    settings.timeouts.head = Duration::from_secs(1);
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    for (protocol, begun) in DRIPS {
        let mut client = Client::connect(&gateway, protocol).await;
        client::bytes(client.get(NODES).await).await;
        // One that came later and did not finish its greeting is gone: the limit was over for both.
        assert!(closed(dripping(&gateway, protocol, begun).await).await);
        assert_eq!(client.get(NODES).await.status(), StatusCode::OK, "{protocol:?}");
    }
}

const DRIPS: [(Protocol, &str); 2] =
    [(Protocol::H1, "GET / HTTP/1.1\r\nHost: gw"), (Protocol::H2, "PRI * HTTP/2.0\r\n")];

async fn dripping(gateway: &Gateway, protocol: Protocol, begun: &str) -> TlsStream<TcpStream> {
    let mut io = client::tls(gateway, protocol).await;
    io.write_all(begun.as_bytes()).await.unwrap();
    io
}

/// Settings under which nothing ends but by what the test sets: a limit that is not wired is then no limit.
pub(crate) fn patient() -> Settings {
    const LONG: Duration = Duration::from_hours(1);
    let timeouts = Timeouts {
        handshake: LONG,
        head: LONG,
        idle: LONG,
        ping_interval: LONG,
        ping: LONG,
        connection_age: None,
        drain: LONG,
        drain_watches: LONG,
    };
    Settings { timeouts, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_carries_nothing_is_asked_to_go_and_one_with_a_watch_stays() {
    let (events, handler) = told();
    let upstream = Upstream::start(H2, handler).await;
    let mut settings = Settings::default();
    settings.timeouts.idle = Duration::from_millis(100);
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let mut watch = client.get("/k8s/clusters/east/api/v1/pods?watch=true").await;
    for _ in 0..3 {
        let silent = Client::connect(&gateway, Protocol::H2).await;
        until("the silent connection is closed", || silent.is_closed()).await;
    }
    events.send(Ok("one".into())).unwrap();
    assert_eq!(next(&mut watch).await.unwrap().unwrap(), "one");
    drop(events);
    assert!(next(&mut watch).await.is_none());
    until("nothing runs any more", || client.is_closed()).await;
}

/// Whether the other side hangs up (or says something last and hangs up).
async fn closed(mut io: impl tokio::io::AsyncRead + Unpin) -> bool {
    let mut bytes = Vec::new();
    tokio::time::timeout(GUARD, io.read_to_end(&mut bytes)).await.is_ok()
}
