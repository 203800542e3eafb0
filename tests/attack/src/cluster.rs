//! A cluster that records what arrives, byte for byte over HTTP/1.1 and field for field over HTTP/2, and answers the
//! gateway's own questions as a well-kept cluster would.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use gatewarden_proxy::{Account, ClusterConfig};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
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
    arrived: Arc<Mutex<Vec<Arrived>>>,
    _stop: DropGuard,
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
        config.alpn_protocols = vec![protocol.alpn().to_vec()];
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let serving = accept(listener, TlsAcceptor::from(Arc::new(config)), Arc::clone(&arrived), stop.clone());
        let until = stop.clone();
        TaskTracker::new().spawn(async move { until.run_until_cancelled(serving).await });
        Self { address, certificate, arrived, _stop: stop.drop_guard() }
    }

    pub(crate) fn config(&self) -> ClusterConfig {
        ClusterConfig {
            id: "one".to_owned(),
            endpoints: vec![format!("https://{}", self.address).parse().unwrap()],
            ca_pem: self.certificate.clone().into_bytes(),
            tls_server_name: None,
            impersonator: Account::Token("impersonator".into()),
            reviewer: Account::Token("reviewer".into()),
            hosts: Vec::new(),
            dangerous_privileged_account: false,
            reserved: Vec::new(),
            extra_prefix: "gatewarden".to_owned(),
            send_session_extra: true,
        }
    }

    /// Takes what arrived since the last time, without the gateway's own questions.
    pub(crate) fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.arrived.lock().unwrap())
    }
}

type Recorded = Arc<Mutex<Vec<Arrived>>>;

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, arrived: Recorded, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (acceptor, arrived, stop) = (acceptor.clone(), Arc::clone(&arrived), stop.clone());
        tasks.spawn(async move { stop.run_until_cancelled(connection(tcp, acceptor, arrived)).await });
    }
}

async fn connection(tcp: TcpStream, acceptor: TlsAcceptor, arrived: Recorded) {
    let Ok(io) = acceptor.accept(tcp).await else { return };
    if io.get_ref().1.alpn_protocol() == Some(b"h2") {
        let service = hyper::service::service_fn(move |request| http2(request, Arc::clone(&arrived)));
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(io), service).await;
    } else {
        http1(io, arrived).await;
    }
}

async fn http2(request: Request<Incoming>, arrived: Recorded) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return Ok(Response::default()) };
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let (status, value) = answer(Arrived { target, headers }, &body.to_bytes(), &arrived);
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(value.to_string()))).unwrap())
}

/// Reads with no library between the bytes and the record.
async fn http1(mut io: TlsStream<TcpStream>, arrived: Recorded) {
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
        let (status, value) = answer(one, &body, &arrived);
        let value = value.to_string();
        let head =
            format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", value.len());
        if io.write_all(format!("{head}{value}").as_bytes()).await.is_err() {
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

fn answer(one: Arrived, body: &[u8], arrived: &Recorded) -> (u16, Value) {
    match one.target.as_str() {
        "/version" => (200, json!({ "major": "1", "minor": "36", "gitVersion": "v1.36.3" })),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => (201, own_rights(&one, body)),
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => {
            (201, json!({ "status": { "resourceRules": [], "nonResourceRules": [], "incomplete": false } }))
        }
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => others_rights(body),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => identity(&one),
        _ => {
            arrived.lock().unwrap().push(one);
            (200, json!({ "kind": "Pod" }))
        }
    }
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

/// Alice may act as `bob` and in the group `readers`; whoever asks about `broken` gets no answer.
fn others_rights(body: &[u8]) -> (u16, Value) {
    let review: Value = serde_json::from_slice(body).unwrap();
    let text = |field: &str| {
        review.pointer(&format!("/spec/resourceAttributes/{field}")).and_then(Value::as_str).unwrap_or_default()
    };
    if text("name") == "broken" {
        return (500, json!({ "kind": "Status", "code": 500 }));
    }
    let known = matches!((text("resource"), text("name")), ("users", "bob") | ("groups", "readers"));
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
