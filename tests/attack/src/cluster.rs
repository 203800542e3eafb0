//! A cluster that records what arrives, byte for byte over HTTP/1.1 and field for field over HTTP/2, and answers the
//! gateway's own questions as a well-kept cluster would.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use gatewarden_proxy::{Account, Carrier, ClusterConfig};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::case::{Field, Protocol};
use crate::exchange::{Answer, Then};

/// One request as the cluster saw it.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) target: String,
    pub(crate) headers: Vec<Field>,
}

impl Arrived {
    pub(crate) fn all(&self, name: &str) -> Vec<&[u8]> {
        let same = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_slice()).collect()
    }
}

/// The cluster. It stops when it is dropped.
pub(crate) struct Cluster {
    address: SocketAddr,
    certificate: String,
    record: Record,
    _stop: DropGuard,
}

/// What is told to the cluster, and what it saw.
#[derive(Debug, Clone, Default)]
struct Record {
    arrived: Arc<Mutex<Vec<Arrived>>>,
    /// How often the gateway asked what a caller may do.
    asked: Arc<AtomicUsize>,
    /// What a tunnel carried to it.
    carried: Arc<Mutex<Vec<u8>>>,
    /// What it answers instead of a Pod.
    told: Arc<Mutex<Option<Answer>>>,
}

impl Cluster {
    pub(crate) async fn start(protocol: Protocol) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = cert.pem();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap(),
            )
            .unwrap();
        // A cluster that speaks HTTP/2 speaks HTTP/1.1 with whoever wants to switch.
        let http2 = (protocol == Protocol::H2).then(|| Protocol::H2.alpn().to_vec());
        config.alpn_protocols = http2.into_iter().chain([Protocol::H1.alpn().to_vec()]).collect();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let record = Record::default();
        let stop = CancellationToken::new();
        let serving = accept(listener, TlsAcceptor::from(Arc::new(config)), record.clone(), stop.clone());
        let until = stop.clone();
        TaskTracker::new().spawn(async move { until.run_until_cancelled(serving).await });
        Self { address, certificate, record, _stop: stop.drop_guard() }
    }

    pub(crate) fn config(&self) -> ClusterConfig {
        ClusterConfig {
            id: "one".to_owned(),
            endpoints: vec![format!("https://{}", self.address).parse().unwrap()],
            ca_pem: self.certificate.clone().into_bytes(),
            tls_server_name: None,
            carrier: Carrier::Impersonation {
                impersonator: Account::Token("impersonator".into()),
                reviewer: Account::Token("reviewer".into()),
            },
            hosts: Vec::new(),
            dangerous_privileged_account: false,
            reserved: Vec::new(),
            extra_prefix: "gatewarden".to_owned(),
            send_session_extra: true,
            service_accounts: None,
        }
    }

    /// Takes what arrived since the last time, without the gateway's own questions.
    pub(crate) fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.record.arrived.lock().unwrap())
    }

    /// How often it was asked what a caller may do, since the last time.
    pub(crate) fn asked(&self) -> usize {
        self.record.asked.swap(0, Ordering::Relaxed)
    }

    /// Answers like this from now on, and forgets what tunnels carried.
    pub(crate) fn tell(&self, answer: Option<Answer>) {
        *self.record.told.lock().unwrap() = answer;
        self.record.carried.lock().unwrap().clear();
    }

    /// What tunnels carried to it so far.
    pub(crate) fn carried(&self) -> Vec<u8> {
        self.record.carried.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, record: Record, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (acceptor, record, stop) = (acceptor.clone(), record.clone(), stop.clone());
        tasks.spawn(async move { stop.run_until_cancelled(connection(tcp, acceptor, record)).await });
    }
}

async fn connection(tcp: TcpStream, acceptor: TlsAcceptor, record: Record) {
    let Ok(io) = acceptor.accept(tcp).await else { return };
    if io.get_ref().1.alpn_protocol() == Some(b"h2") {
        let service = hyper::service::service_fn(move |request| http2(request, record.clone()));
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(io), service).await;
    } else {
        http1(io, record).await;
    }
}

async fn http2(request: Request<Incoming>, record: Record) -> Result<Response<Reply>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return Ok(Response::default()) };
    // A trailer is a header to whoever reads it as one.
    let trailers = body.trailers().cloned().unwrap_or_default();
    let fields = head.headers.iter().chain(&trailers);
    let headers = fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let (builder, data, then) = match answer(Arrived { target, headers }, &body.to_bytes(), &record) {
        Reaction::Json(status, value) => {
            let builder = Response::builder().status(status).header("content-type", "application/json");
            (builder, Some(value.to_string().into()), Then::Goes)
        }
        Reaction::Told(told) => {
            let http2 = told.http2.expect("an answer for this protocol");
            let builder = Response::builder().status(http2.status);
            let large = "x".repeat(150_000);
            let builder = http2
                .fields
                .iter()
                .fold(builder, |builder, (name, value)| builder.header(*name, value.replace("{150K}", &large)));
            (builder, http2.body.map(|text| Bytes::from_static(text.as_bytes())), told.then)
        }
    };
    Ok(builder.body(Reply { data, broken: then == Then::Closes }).unwrap())
}

/// Some bytes, and then an end or a reset.
#[derive(Debug, Default)]
struct Reply {
    data: Option<Bytes>,
    broken: bool,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.data.take() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None if std::mem::take(&mut self.broken) => Poll::Ready(Some(Err(std::io::Error::other("broken")))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !self.broken
    }
}

/// Reads with no library between the bytes and the record.
async fn http1(mut io: TlsStream<TcpStream>, record: Record) {
    let mut buffer = Vec::new();
    loop {
        let Some(end) = fill_until(&mut io, &mut buffer, b"\r\n\r\n").await else { return };
        let head = buffer.drain(..end).collect::<Vec<u8>>();
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let target = String::from_utf8_lossy(lines.next().unwrap()).split(' ').nth(1).unwrap_or_default().to_owned();
        let header = |line: &[u8]| {
            let at = line.iter().position(|byte| *byte == b':')?;
            Some((String::from_utf8_lossy(&line[..at]).into_owned(), line[at + 1..].trim_ascii().to_vec()))
        };
        let one = Arrived { target, headers: lines.filter_map(header).collect() };
        let Some(body) = body(&mut io, &mut buffer, &one).await else { return };
        let told = match answer(one, &body, &record) {
            Reaction::Json(status, value) => {
                let body = value.to_string();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                if io.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
            Reaction::Told(told) => told,
        };
        // A reader that refuses may close while we still write.
        let _ = io.write_all(http1_bytes(told).as_bytes()).await;
        match told.then {
            Then::Goes => {}
            Then::Closes => return,
            Then::Tunnels => return tunnel(io, buffer, &record).await,
        }
    }
}

fn http1_bytes(told: Answer) -> String {
    let (text, times) = told.before;
    let large = format!("X-Large: {}\r\n", "x".repeat(300_000));
    format!("{}{}", text.repeat(times), told.http1.replace("{300K}", &large))
}

/// Records what the other side says until it stops.
async fn tunnel(mut io: TlsStream<TcpStream>, mut buffer: Vec<u8>, record: &Record) {
    loop {
        record.carried.lock().unwrap().append(&mut buffer);
        if fill(&mut io, &mut buffer).await.is_none() {
            return;
        }
    }
}

async fn body(io: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>, one: &Arrived) -> Option<Vec<u8>> {
    if one.all("transfer-encoding").is_empty() {
        let length: usize = match one.all("content-length").as_slice() {
            [] => 0,
            [text] => std::str::from_utf8(text).unwrap().parse().unwrap(),
            several => panic!("{} lengths arrived", several.len()),
        };
        while buffer.len() < length {
            fill(io, buffer).await?;
        }
        return Some(buffer.drain(..length).collect());
    }
    assert!(one.all("content-length").is_empty(), "both framings arrived");
    let end = fill_until(io, buffer, b"0\r\n\r\n").await?;
    Some(buffer.drain(..end).collect())
}

async fn fill_until(io: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>, mark: &[u8]) -> Option<usize> {
    loop {
        if let Some(at) = buffer.windows(mark.len()).position(|window| window == mark) {
            return Some(at + mark.len());
        }
        fill(io, buffer).await?;
    }
}

async fn fill(io: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>) -> Option<()> {
    let read = io.read_buf(buffer).await.ok()?;
    (read > 0).then_some(())
}

/// What the cluster does about a request.
enum Reaction {
    Json(u16, Value),
    Told(Answer),
}

fn answer(one: Arrived, body: &[u8], record: &Record) -> Reaction {
    let (status, value) = match one.target.as_str() {
        "/version" => (200, json!({ "major": "1", "minor": "36", "gitVersion": "v1.36.3" })),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => (201, own_rights(&one, body)),
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => {
            (201, json!({ "status": { "resourceRules": [], "nonResourceRules": [], "incomplete": false } }))
        }
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
            record.asked.fetch_add(1, Ordering::Relaxed);
            others_rights(body)
        }
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => identity(&one),
        _ => {
            record.arrived.lock().unwrap().push(one);
            if let Some(told) = *record.told.lock().unwrap() {
                return Reaction::Told(told);
            }
            (200, json!({ "kind": "Pod" }))
        }
    };
    Reaction::Json(status, value)
}

fn own_rights(one: &Arrived, body: &[u8]) -> Value {
    let review: Value = serde_json::from_slice(body).unwrap();
    let text = |field: &str| {
        let at = |kind: &str| review.pointer(&format!("/spec/{kind}/{field}")).and_then(Value::as_str);
        at("resourceAttributes").or(at("nonResourceAttributes")).unwrap_or_default().to_owned()
    };
    let allowed = match one.all("authorization").as_slice() {
        [b"Bearer reviewer"] => text("resource") == "subjectaccessreviews",
        _ => text("verb").starts_with("impersonate:user-info") || text("verb").starts_with("impersonate-on:user-info:"),
    };
    json!({ "status": { "allowed": allowed } })
}

/// Alice may act as `bob`, in the group `readers`, with the uid `7` and as of the site `eu`, and, in a cluster that trusts
/// too much, as whoever Kubernetes keeps a name for; whoever asks about `broken` gets no answer.
fn others_rights(body: &[u8]) -> (u16, Value) {
    let review: Value = serde_json::from_slice(body).unwrap();
    let text = |field: &str| {
        review.pointer(&format!("/spec/resourceAttributes/{field}")).and_then(Value::as_str).unwrap_or_default()
    };
    if text("name") == "broken" {
        return (500, json!({ "kind": "Status", "code": 500 }));
    }
    let known = matches!(
        (text("group"), text("resource"), text("subresource"), text("name")),
        ("", "users", "", "bob")
            | ("", "groups", "", "readers")
            | ("", "groups", "", "system:masters" | "system:nodes" | "system:monitoring")
            | ("", "users", "", "system:anonymous" | "system:node:n1" | "system:kube-controller-manager")
            | ("authentication.k8s.io", "uids", "", "7")
            | ("authentication.k8s.io", "userextras", "example.org/site", "eu")
    );
    (201, json!({ "status": { "allowed": known && text("verb") == "impersonate" } }))
}

fn identity(one: &Arrived) -> (u16, Value) {
    let text = |name: &str| -> Vec<String> {
        one.all(name).iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    };
    let mut groups = text("impersonate-group");
    if groups.iter().any(|group| group == "system:masters") {
        return (403, json!({ "kind": "Status", "code": 403, "message": "not system:masters" }));
    }
    groups.push("system:authenticated".to_owned());
    let mut extra = serde_json::Map::new();
    for (name, value) in &one.headers {
        if let Some(key) = name.to_ascii_lowercase().strip_prefix("impersonate-extra-") {
            extra.insert(key.replace("%2f", "/"), json!([String::from_utf8_lossy(value)]));
        }
    }
    let user = json!({
        "username": text("impersonate-user").concat(), "uid": text("impersonate-uid").concat(), "groups": groups,
        "extra": extra,
    });
    (201, json!({ "status": { "userInfo": user } }))
}
