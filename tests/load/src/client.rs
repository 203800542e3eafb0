//! A client of ours, where the generators fall short: it shows a certificate, sends tokens that differ, keeps connections
//! to itself.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use testbed::pki::Leaf;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use crate::contender::Contender;

/// Longer than any answer takes.
pub(crate) const GUARD: Duration = Duration::from_secs(60);

/// One HTTP/2 connection, one request after another.
pub(crate) struct Client {
    runtime: Runtime,
    sender: Sender,
    request: Request<Empty<Bytes>>,
}

/// Puts requests on one HTTP/2 connection.
pub(crate) type Sender = http2::SendRequest<Empty<Bytes>>;

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody answers there, or not by HTTP/2.
    pub(crate) fn open(target: &Contender) -> Result<Self> {
        let runtime = runtime()?;
        let sender = runtime.block_on(async { timeout(GUARD, connect(target)).await? })?;
        Ok(Self { runtime, sender, request: request(target)? })
    }

    /// Asks what the contender is asked, and reads the answer.
    ///
    /// # Errors
    /// When it is no 200.
    pub(crate) fn ask(&mut self) -> Result<()> {
        let asked = ask(&mut self.sender, self.request.clone());
        self.runtime.block_on(async { timeout(GUARD, asked).await? })
    }

    /// The same for whom another token stands for.
    ///
    /// # Errors
    /// When the answer is no 200.
    pub(crate) fn ask_by(&mut self, token: &str) -> Result<()> {
        self.request.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
        self.ask()
    }
}

/// Asks as often as it can for this long, with so many requests at once on each of so many connections. How many were
/// answered.
///
/// # Errors
/// When an answer is no 200.
pub(crate) fn busy(target: &Contender, connections: u32, streams: u32, lasts: Duration) -> Result<u64> {
    let request = request(target)?;
    runtime()?.block_on(async {
        let mut all = JoinSet::new();
        let mut senders = Vec::new();
        for _ in 0..connections {
            senders.push(timeout(GUARD, connect(target)).await??);
        }
        let until = Instant::now() + lasts;
        for sender in senders {
            for _ in 0..streams {
                all.spawn(ask_until(sender.clone(), request.clone(), until));
            }
        }
        let mut answered = 0;
        while let Some(one) = all.join_next().await {
            answered += one??;
        }
        Ok(answered)
    })
}

async fn ask_until(mut sender: Sender, request: Request<Empty<Bytes>>, until: Instant) -> Result<u64> {
    let mut answered = 0;
    while Instant::now() < until {
        timeout(GUARD, ask(&mut sender, request.clone())).await??;
        answered += 1;
    }
    Ok(answered)
}

async fn ask(sender: &mut Sender, request: Request<Empty<Bytes>>) -> Result<()> {
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    ensure!(status == 200, "{status} {}", String::from_utf8_lossy(&body));
    Ok(())
}

fn request(target: &Contender) -> Result<Request<Empty<Bytes>>> {
    let mut request = Request::get(target.url());
    for (name, value) in target.headers() {
        request = request.header(name, value);
    }
    Ok(request.body(Empty::new())?)
}

/// A connection, which ends when all its senders are dropped.
///
/// # Errors
/// When nobody answers there, or not by HTTP/2.
pub(crate) async fn connect(target: &Contender) -> Result<Sender> {
    let tls = TlsConnector::from(Arc::new(trusting(&target.ca, target.certificate.as_ref())?));
    let tcp = TcpStream::connect(target.address()).await?;
    tcp.set_nodelay(true)?;
    let stream = tls.connect(ServerName::try_from("localhost")?, tcp).await?;
    ensure!(stream.get_ref().1.alpn_protocol() == Some(b"h2"), "no HTTP/2");
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    TaskTracker::new().spawn(async move {
        // It ends when the sender is dropped.
        let _ = connection.await;
    });
    Ok(sender)
}

fn trusting(ca_file: &Path, certificate: Option<&Leaf>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match certificate {
        None => config.with_no_client_auth(),
        Some(Leaf { certificate, key }) => {
            let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).context("a key")?)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
