//! Endpoints that die, lie low, or break off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatewarden_proxy::{Body, PoolSettings};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::client::{self, Client, Protocol};
use crate::gateway::{Gateway, Settings};
use crate::upstream::{H1, H2, Handler, Upstream, cluster, echo, json_response};

const NODES: &str = "/k8s/clusters/east/api/v1/nodes";

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_is_passed_over() {
    let first = Upstream::start(H2, echo()).await;
    let second = Upstream::start_with(first.pki(), H2, echo()).await;
    let gateway = Gateway::start(vec![cluster("east", &first.pki(), &[first.address, second.address])]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    client.get(NODES).await;
    first.stop();
    for _ in 0..20 {
        // A POST too: the connection that failed took nothing of it.
        for method in [Method::GET, Method::POST] {
            let response = client.send(client::request(method, NODES, Body::empty())).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_down_costs_few_dials_and_no_other_cluster() {
    let east = Upstream::start(H2, echo()).await;
    let west = Upstream::start(H2, echo()).await;
    let gateway = Gateway::start(vec![east.cluster("east"), west.cluster("west")]).await;
    let address = east.address;
    drop(east);
    let dials = Arc::new(AtomicUsize::new(0));
    let listener = reopened(address).await;
    let counter = Arc::clone(&dials);
    let counting = TaskTracker::new().spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst); // and hang up
        }
    });
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    for _ in 0..30 {
        let response = client.get(NODES).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
        let text = String::from_utf8(client::bytes(response).await.to_vec()).unwrap();
        assert!(text.contains("\"Status\"") && !text.contains("127.0.0.1"), "{text}");
        let response = client.get("/k8s/clusters/west/api/v1/nodes").await;
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert!(dials.load(Ordering::SeqCst) < 8, "{} dials for 30 requests", dials.load(Ordering::SeqCst));
    counting.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_on_over_a_goaway() {
    let upstream = Upstream::start(H2, echo()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    client.get(NODES).await;
    for round in 0..10 {
        upstream.seen.goaway.store(true, Ordering::SeqCst);
        let before = upstream.connections();
        for _ in 0..5 {
            let response = client.get(NODES).await;
            assert_eq!(response.status(), StatusCode::OK, "round {round}");
            client::bytes(response).await;
        }
        assert!(upstream.connections() <= before + 1, "round {round}: {before} to {}", upstream.connections());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_stream_is_sent_again_whole_or_not_at_all() {
    let upstream = Upstream::start(H2, echo()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H1).await;
    upstream.seen.refuse.store(3, Ordering::SeqCst);
    let small = client::request(Method::POST, NODES, Body::full("a small object"));
    let seen = client::json(client.send(small).await.unwrap()).await;
    assert_eq!(seen["body"], "a small object");
    assert_eq!(upstream.seen.requests.load(Ordering::SeqCst), 1, "the others were not looked at");
    upstream.seen.refuse.store(1, Ordering::SeqCst);
    let large = client::request(Method::POST, NODES, Body::full(vec![b'x'; LARGE]));
    // The refusal comes before or after more was read than is kept: both happen, and half a body never arrives. Where the
    // answer overtakes the body, the connection may end under the client's hands.
    match client.send(large).await {
        Ok(response) if response.status() == StatusCode::OK => {
            assert_eq!(client::json(response).await["body"].as_str().unwrap().len(), LARGE);
        }
        Ok(response) => assert_eq!(response.status(), StatusCode::BAD_GATEWAY),
        Err(fault) => assert!(fault.is_body_write_aborted() || fault.to_string().contains("body"), "{fault}"),
    }
    assert!(upstream.seen.requests.load(Ordering::SeqCst) <= 2, "sent more than once");
}

const LARGE: usize = 1024 * 1024;

/// Hangs up on the first request of each two.
fn moody() -> Handler {
    let calls = AtomicUsize::new(0);
    Arc::new(move |_| {
        let hang_up = calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        Box::pin(async move {
            if hang_up {
                std::panic::resume_unwind(Box::new("hang up")); // quietly: no hook runs
            }
            json_response(StatusCode::OK, &json!({}))
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_again_only_where_that_changes_nothing() {
    let upstream = Upstream::start(H1, moody()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let requests = || upstream.seen.requests.load(Ordering::SeqCst);
    assert_eq!(client.get(NODES).await.status(), StatusCode::OK);
    assert_eq!(requests(), 2);
    let response = client.send(client::request(Method::DELETE, NODES, Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(requests(), 3, "sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_left_and_what_it_may_have_done_is_not_repeated() {
    let upstream = Upstream::start(H2, echo()).await;
    let wire = Wire::start(upstream.address).await;
    let ping = Duration::from_millis(50);
    let pool = PoolSettings { ping_interval: ping, ping, ..PoolSettings::default() };
    let clusters = vec![cluster("east", &upstream.pki(), &[wire.address])];
    let gateway = Gateway::start_with(clusters, Settings { pool, ..Settings::default() });
    gateway.opened().await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    for (method, status) in [(Method::GET, StatusCode::OK), (Method::POST, StatusCode::GATEWAY_TIMEOUT)] {
        assert_eq!(client.get(NODES).await.status(), StatusCode::OK, "a connection is there");
        wire.hang();
        let response = client.send(client::request(method.clone(), NODES, Body::empty())).await.unwrap();
        assert_eq!(response.status(), status, "{method}");
    }
}

/// A wire whose connections of the moment can be made to carry nothing more, while new ones work.
struct Wire {
    address: SocketAddr,
    made: Arc<AtomicUsize>,
    hanging: Arc<AtomicUsize>,
}

impl Wire {
    async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self { address: listener.local_addr().unwrap(), made: Arc::default(), hanging: Arc::default() };
        let (made, hanging) = (Arc::clone(&wire.made), Arc::clone(&wire.hanging));
        TaskTracker::new().spawn(async move {
            let tasks = TaskTracker::new();
            while let Ok((client, _)) = listener.accept().await {
                let number = made.fetch_add(1, Ordering::SeqCst);
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = TcpStream::connect(target).await.unwrap().into_split();
                tasks.spawn(carry(from_client, to_server, number, Arc::clone(&hanging)));
                tasks.spawn(carry(from_server, to_client, number, Arc::clone(&hanging)));
            }
        });
        wire
    }

    fn hang(&self) {
        self.hanging.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: usize, hanging: Arc<AtomicUsize>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if number >= hanging.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_begin_is_a_timeout() {
    let handler: Handler = Arc::new(|_| Box::pin(std::future::pending()));
    let upstream = Upstream::start(H2, handler).await;
    let settings = Settings { response_timeout: Some(Duration::from_millis(50)), ..Settings::default() };
    let gateway = Gateway::start_with(vec![upstream.cluster("east")], settings);
    gateway.opened().await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    assert_eq!(client.get(NODES).await.status(), StatusCode::GATEWAY_TIMEOUT);
}

/// The port that was just given up, once the system lets us have it.
async fn reopened(address: std::net::SocketAddr) -> TcpListener {
    for _ in 0..500 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{address} stays in use");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_of_ours_that_the_cluster_refuses_costs_no_caller_the_login() {
    let handler: Handler =
        Arc::new(|_| Box::pin(async { json_response(StatusCode::UNAUTHORIZED, &json!({"who": "the other side"})) }));
    let upstream = Upstream::start(H2, handler).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let response = client.get(NODES).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    // What is behind a service proxy may want a login of its own.
    let response = client.get("/k8s/clusters/east/api/v1/namespaces/a/services/s/proxy/x").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(client::json(response).await["who"], "the other side");
}
