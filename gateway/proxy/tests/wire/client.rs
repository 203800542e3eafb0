//! A client with its own connection, in the protocol that a test names.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use gatewarden_proxy::Body;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::TaskTracker;

use crate::gateway::{ALICE, GUARD, Gateway};

pub(crate) type Sent = Request<Pinned>;
/// hyper's client wants a body that may move.
pub(crate) type Pinned = std::pin::Pin<Box<Body>>;

pub(crate) enum Client {
    H1(http1::SendRequest<Pinned>),
    H2(http2::SendRequest<Pinned>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    H1,
    H2,
}

impl Client {
    pub(crate) async fn connect(gateway: &Gateway, protocol: Protocol) -> Self {
        let io = TokioIo::new(tls(gateway, protocol).await);
        match protocol {
            Protocol::H1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                TaskTracker::new().spawn(connection.with_upgrades());
                Self::H1(sender)
            }
            Protocol::H2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
                TaskTracker::new().spawn(connection);
                Self::H2(sender)
            }
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(&mut self, mut request: Sent) -> hyper::Result<Response<Incoming>> {
        let answer = async {
            match self {
                Self::H1(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await
                }
                Self::H2(sender) => {
                    let host = request.headers_mut().remove("host").unwrap();
                    let uri = format!("https://{}{}", host.to_str().unwrap(), request.uri());
                    *request.uri_mut() = uri.parse().unwrap();
                    sender.send_request(request).await
                }
            }
        };
        tokio::time::timeout(GUARD, answer).await.expect("no answer")
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response<Incoming> {
        self.send(request(Method::GET, path, Body::empty())).await.unwrap()
    }

    /// Whether the server has closed the connection, or told that it will.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::H1(sender) => sender.is_closed(),
            Self::H2(sender) => sender.is_closed(),
        }
    }
}

/// A request of alice's.
pub(crate) fn request(method: Method, path: &str, body: Body) -> Sent {
    let request = Request::builder().method(method).uri(path).header("host", "gw.example.org");
    request.header("authorization", format!("Bearer {ALICE}")).body(Box::pin(body)).unwrap()
}

pub(crate) async fn bytes(response: Response<Incoming>) -> Bytes {
    let read = tokio::time::timeout(GUARD, response.into_body().collect());
    read.await.expect("no end of the body").unwrap().to_bytes()
}

pub(crate) async fn json(response: Response<Incoming>) -> Value {
    serde_json::from_slice(&bytes(response).await).unwrap()
}

/// A TLS connection to the gateway.
pub(crate) async fn tls(gateway: &Gateway, protocol: Protocol) -> TlsStream<TcpStream> {
    try_tls(gateway, protocol).await.unwrap()
}

/// The same where the gateway may refuse the connection.
pub(crate) async fn try_tls(gateway: &Gateway, protocol: Protocol) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(gateway.ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name: &[u8] = match protocol {
        Protocol::H1 => b"http/1.1",
        Protocol::H2 => b"h2",
    };
    config.alpn_protocols = vec![name.to_vec()];
    let tcp = TcpStream::connect(gateway.address).await?;
    let server = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(server, tcp).await
}
