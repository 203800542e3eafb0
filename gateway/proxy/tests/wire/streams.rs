//! Answers that take their time: watches, large lists, and those that break off.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use gatewarden_proxy::{Body, BoxError};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use crate::client::{self, Client, Protocol};
use crate::gateway::{GUARD, Gateway, TOKEN_LIFE, until};
use crate::upstream::{H1, H2, Handler, Upstream, json_response};

type Chunk = Result<Bytes, BoxError>;

const WATCH: &str = "/k8s/clusters/east/api/v1/pods?watch=true";

/// Answers one request with what the test sends.
pub(crate) fn told() -> (mpsc::UnboundedSender<Chunk>, Handler) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    let handler: Handler = Arc::new(move |_| {
        let receiver = receiver.lock().unwrap().take().expect("one request");
        Box::pin(async move { Response::new(streamed(receiver)) })
    });
    (sender, handler)
}

fn streamed(receiver: mpsc::UnboundedReceiver<Chunk>) -> Body {
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk: Chunk| (chunk.map(Frame::data), receiver))
    });
    Body::boxed(StreamBody::new(chunks))
}

/// The next bytes of a body; `None` at its end. HTTP/2 may end by a frame without bytes.
pub(crate) async fn next(response: &mut Response<Incoming>) -> Option<hyper::Result<Bytes>> {
    loop {
        let frame = tokio::time::timeout(GUARD, response.frame()).await.expect("nothing came");
        match frame?.map(|frame| frame.into_data().unwrap()) {
            Ok(bytes) if bytes.is_empty() => {}
            bytes => return Some(bytes),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_flows_at_once_in_every_pair_of_protocols() {
    for protocol in [Protocol::H1, Protocol::H2] {
        for alpn in [H1, H2] {
            let (events, handler) = told();
            let upstream = Upstream::start(alpn, handler).await;
            let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
            let mut client = Client::connect(&gateway, protocol).await;
            let mut watch = client.get(WATCH).await;
            // Each event is sent only when the one before has arrived.
            for event in ["one", "two", "three"] {
                events.send(Ok(event.into())).unwrap();
                assert_eq!(next(&mut watch).await.unwrap().unwrap(), event);
            }
            drop(events);
            assert!(next(&mut watch).await.is_none());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_never_looks_complete() {
    for protocol in [Protocol::H1, Protocol::H2] {
        for alpn in [H1, H2] {
            let (events, handler) = told();
            let upstream = Upstream::start(alpn, handler).await;
            let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
            let mut client = Client::connect(&gateway, protocol).await;
            let mut list = client.get("/k8s/clusters/east/api/v1/pods").await;
            events.send(Ok("half".into())).unwrap();
            assert_eq!(next(&mut list).await.unwrap().unwrap(), "half");
            events.send(Err("broken".into())).unwrap();
            assert!(next(&mut list).await.unwrap().is_err(), "{protocol:?} {alpn:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_do_not_read_stall_nobody_and_fill_no_memory() {
    const SLOW: usize = 40;
    const CHUNK: usize = 64 * 1024;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let handler: Handler = Arc::new(move |request| {
        let counter = Arc::clone(&counter);
        Box::pin(async move {
            if request.uri().path() != "/api/v1/pods" {
                return json_response(StatusCode::OK, &serde_json::json!({}));
            }
            let endless = stream::repeat_with(move || {
                counter.fetch_add(CHUNK, Ordering::SeqCst);
                Ok::<_, BoxError>(Frame::data(Bytes::from_static(&[0; CHUNK])))
            });
            Response::new(Body::boxed(StreamBody::new(endless)))
        })
    });
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let proving = upstream.connections();
    let mut unread = Vec::new();
    for _ in 0..SLOW {
        // Each with a connection of its own, so that only the upstream connection is shared.
        let mut client = Client::connect(&gateway, Protocol::H2).await;
        let response = client.get("/k8s/clusters/east/api/v1/pods").await;
        unread.push((client, response));
    }
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    for _ in 0..20 {
        let response = client.get("/k8s/clusters/east/api/v1/nodes").await;
        assert_eq!(response.status(), StatusCode::OK);
        client::bytes(response).await;
    }
    assert_eq!(upstream.connections() - proving, 1, "all of them share one upstream connection");
    let most = SLOW * 4 * 1024 * 1024;
    assert!(sent.load(Ordering::SeqCst) < most, "{} bytes for readers that read none", sent.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_its_token_and_not_before() {
    for protocol in [Protocol::H1, Protocol::H2] {
        let (events, handler) = told();
        let upstream = Upstream::start(H2, handler).await;
        let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
        let mut client = Client::connect(&gateway, protocol).await;
        let mut watch = client.get(WATCH).await;
        gateway.pass(TOKEN_LIFE / 2);
        events.send(Ok("one".into())).unwrap();
        assert!(next(&mut watch).await.unwrap().is_ok());
        gateway.pass(TOKEN_LIFE / 2);
        assert!(next(&mut watch).await.unwrap().is_err());
        until("the upstream's stream is gone too", || events.is_closed()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_takes_a_cluster_away_ends_its_watch_and_one_that_adds_does_not() {
    let (events, handler) = told();
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let mut watch = client.get(WATCH).await;
    gateway.reload(vec![upstream.cluster("east"), upstream.cluster("west")]);
    events.send(Ok("one".into())).unwrap();
    assert!(next(&mut watch).await.unwrap().is_ok());
    gateway.reload(vec![upstream.cluster("west")]);
    assert!(next(&mut watch).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_watch_at_once() {
    for protocol in [Protocol::H1, Protocol::H2] {
        let (events, handler) = told();
        let upstream = Upstream::start(H2, handler).await;
        let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
        let mut client = Client::connect(&gateway, protocol).await;
        let mut watch = client.get(WATCH).await;
        events.send(Ok("one".into())).unwrap();
        assert!(next(&mut watch).await.unwrap().is_ok());
        gateway.revoke("gwt-alice");
        assert!(next(&mut watch).await.unwrap().is_err());
        until("the upstream's stream is gone too", || events.is_closed()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_its_watch_at_the_cluster() {
    let (events, handler) = told();
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let watch = client.get(WATCH).await;
    drop((watch, client));
    until("the upstream's stream is gone", || events.is_closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_do_not_share_a_connection_with_short_requests() {
    let (_events, watch) = told();
    let handler: Handler = Arc::new(move |request| match request.uri().query() {
        Some(_) => watch(request),
        None => Box::pin(async { json_response(StatusCode::OK, &serde_json::json!({})) }),
    });
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let proving = upstream.connections();
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let _watch = client.get(WATCH).await;
    client.get("/k8s/clusters/east/api/v1/nodes").await;
    assert_eq!(upstream.connections() - proving, 2);
}

/// A watch that stays open, and a server behind the API server that answers with a head beyond every bound.
fn monstrous(events: mpsc::UnboundedReceiver<Chunk>) -> Handler {
    let events = Mutex::new(Some(events));
    Arc::new(move |request: http::Request<Incoming>| {
        let mut response = Response::new(Body::empty());
        if request.uri().path().contains("/proxy/") {
            for line in 0..100 {
                let name = http::HeaderName::try_from(format!("x-{line}")).unwrap();
                response.headers_mut().insert(name, http::HeaderValue::try_from("x".repeat(4096)).unwrap());
            }
        } else {
            response = Response::new(streamed(events.lock().unwrap().take().expect("one watch")));
        }
        Box::pin(async move { response })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_behind_a_cluster_ends_nobody_elses_watch() {
    let (events, receiver) = mpsc::unbounded_channel();
    let upstream = Upstream::start(H2, monstrous(receiver)).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let mut watch = client.get(WATCH).await;
    for kind in ["pods/p:80", "services/s", "nodes/n"] {
        let path = format!("/k8s/clusters/east/api/v1/namespaces/a/{kind}/proxy/x");
        let response = client.get(&path).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{kind}");
        events.send(Ok("event".into())).unwrap();
        assert_eq!(next(&mut watch).await.unwrap().unwrap(), "event", "{kind}");
    }
}
