//! An HTTPS client that sends exactly what a test says, over exactly the protocol that it says.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::GUARD;

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Https {
    host: String,
    addr: SocketAddr,
    roots: Arc<RootCertStore>,
}

/// The protocol to offer; the server must take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A connection with an answer on it that nobody reads; closed when dropped.
#[derive(Debug)]
pub struct Held {
    _stream: TlsStream<TcpStream>,
    _runtime: Runtime,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Https {
    /// Makes a client of `host` on a loopback port that trusts the authorities in a PEM file.
    ///
    /// # Errors
    ///
    /// When the file holds no certificate.
    pub fn new(host: &str, port: u16, ca_file: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_file)? {
            roots.add(certificate?)?;
        }
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Self { host: host.to_owned(), addr, roots: Arc::new(roots) })
    }

    /// Sends a request and reads the whole answer. `Host` is filled in when the request has none.
    ///
    /// # Errors
    ///
    /// When there is no whole answer within the guard.
    pub fn send(&self, protocol: Protocol, request: Request<Bytes>) -> Result<Answer> {
        let what = format!("{} {}", request.method(), request.uri());
        let answers = self.send_all(protocol, std::iter::once(request)).with_context(|| what.clone())?;
        answers.into_iter().next().context(what)
    }

    /// Sends a request so many times, one after the other on one connection, and wants 200 each time.
    ///
    /// # Errors
    ///
    /// When an answer is another one, or they take longer than the guard.
    pub fn repeat(&self, protocol: Protocol, request: &Request<Bytes>, times: usize) -> Result<()> {
        for answer in self.send_all(protocol, std::iter::repeat_n(request.clone(), times))? {
            ensure!(answer.status == StatusCode::OK, "{} {}", answer.status, answer.text());
        }
        Ok(())
    }

    /// Sends requests one after the other on one connection; the answers, in their order.
    ///
    /// # Errors
    ///
    /// When one has no whole answer, or they take longer than the guard.
    pub fn send_all(&self, protocol: Protocol, requests: impl Iterator<Item = Request<Bytes>>) -> Result<Vec<Answer>> {
        runtime()?.block_on(async {
            tokio::time::timeout(GUARD, self.exchange(protocol, requests)).await.context("too slow")?
        })
    }

    /// The certificate that the server shows, as DER.
    ///
    /// # Errors
    ///
    /// When there is no handshake.
    pub fn certificate(&self) -> Result<Vec<u8>> {
        let stream = runtime()?.block_on(self.connect(Protocol::Http1))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        Ok(shown.context("no certificate")?.to_vec())
    }

    /// Sends raw bytes over TLS and reads until the server closes.
    ///
    /// # Errors
    ///
    /// When no byte came back, or the connection stays open longer than the guard.
    pub fn raw(&self, bytes: &[u8]) -> Result<String> {
        self.raw_until(bytes, |_| false)
    }

    /// Sends raw bytes over TLS and reads until `enough`, or until the server closes.
    ///
    /// # Errors
    ///
    /// When no byte came back, or neither comes within the guard.
    pub fn raw_until(&self, bytes: &[u8], enough: impl Fn(&str) -> bool) -> Result<String> {
        runtime()?.block_on(async {
            let mut stream = self.connect(Protocol::Http1).await?;
            let mut answer = String::new();
            let exchange = async {
                // A server that refuses early may close while we still write.
                let _ = stream.write_all(bytes).await;
                let _ = stream.flush().await;
                let mut buffer = [0; 8192];
                while !enough(&answer) {
                    match stream.read(&mut buffer).await {
                        Ok(count @ 1..) => answer += &String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()),
                        // Closed, with TLS' goodbye or without.
                        Ok(0) | Err(_) => break,
                    }
                }
            };
            let end = tokio::time::timeout(GUARD, exchange).await;
            end.with_context(|| format!("the server does not close behind {answer:?}"))?;
            ensure!(!answer.is_empty(), "no answer");
            Ok(answer)
        })
    }

    /// Sends raw bytes, waits for the first bytes of an answer, and reads no further.
    ///
    /// # Errors
    ///
    /// When no byte comes within the guard.
    pub fn open(&self, bytes: &[u8]) -> Result<Held> {
        let runtime = runtime()?;
        let stream = runtime.block_on(async {
            let mut stream = self.connect(Protocol::Http1).await?;
            stream.write_all(bytes).await?;
            stream.flush().await?;
            let first = tokio::time::timeout(GUARD, stream.read_u8()).await.context("no answer begins")?;
            first.map(|_| stream).context("the server closed")
        })?;
        Ok(Held { _stream: stream, _runtime: runtime })
    }

    /// Sends one after the other on one connection.
    async fn exchange(
        &self,
        protocol: Protocol,
        requests: impl Iterator<Item = Request<Bytes>>,
    ) -> Result<Vec<Answer>> {
        let stream = TokioIo::new(self.connect(protocol).await?);
        let host = format!("{}:{}", self.host, self.addr.port());
        match protocol {
            Protocol::Http1 => {
                let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
                let answers = in_turn(requests, async |mut request: Request<Bytes>| {
                    request.headers_mut().entry("host").or_insert(host.parse()?);
                    sender.ready().await?;
                    read(sender.send_request(request.map(Full::new)).await?).await
                });
                driven(answers, connection).await
            }
            Protocol::Http2 => {
                let mut http2 = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
                let (mut sender, connection) = http2.max_header_list_size(1 << 20).handshake(stream).await?;
                let answers = in_turn(requests, async |mut request: Request<Bytes>| {
                    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
                    *request.uri_mut() = format!("https://{host}{path}").parse()?;
                    read(sender.send_request(request.map(Full::new)).await?).await
                });
                driven(answers, connection).await
            }
        }
    }

    async fn connect(&self, protocol: Protocol) -> Result<TlsStream<TcpStream>> {
        let alpn: &[u8] = if protocol == Protocol::Http1 { b"http/1.1" } else { b"h2" };
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_owned()];
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.clone())?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        if stream.get_ref().1.alpn_protocol() != Some(alpn) {
            bail!("the server did not take {protocol:?}");
        }
        Ok(stream)
    }
}

/// Waits for an answer while the connection runs. A connection that ends may have brought the whole answer before.
async fn in_turn(
    requests: impl Iterator<Item = Request<Bytes>>,
    mut ask: impl AsyncFnMut(Request<Bytes>) -> Result<Answer>,
) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for request in requests {
        answers.push(ask(request).await?);
    }
    Ok(answers)
}

async fn driven<E>(
    answer: impl Future<Output = Result<Vec<Answer>>>,
    connection: impl Future<Output = E>,
) -> Result<Vec<Answer>> {
    let mut answer = pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
