//! Watches that stand open and say nothing, by the thousand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use crate::contender::{Contender, PREFIX};

/// Requests at once on one connection: what the peers allow.
pub(crate) const PER_CONNECTION: usize = 100;
const GUARD: Duration = Duration::from_secs(60);

/// Open watches; closed when dropped.
pub(crate) struct Watches {
    runtime: Runtime,
    _open: Vec<Standing>,
}

/// A connection and the answers that stand on it.
struct Standing {
    _sender: SendRequest<Empty<Bytes>>,
    _answers: Vec<Response<Incoming>>,
}

impl Watches {
    /// Opens this many connections, and [`PER_CONNECTION`] watches on each, and reads the first event of each.
    ///
    /// # Errors
    /// When one is refused or says nothing.
    pub(crate) fn open(target: &Contender, ca_file: &Path, connections: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let open = runtime.block_on(async {
            let mut open = Vec::with_capacity(connections);
            for _ in 0..connections {
                open.push(timeout(GUARD, connection(target, ca_file)).await.context("watches that begin in time")??);
            }
            anyhow::Ok(open)
        })?;
        Ok(Self { runtime, _open: open })
    }

    /// Lets the connections breathe, so that what they still had to say to each other is said.
    pub(crate) fn settle(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }
}

async fn connection(target: &Contender, ca_file: &Path) -> Result<Standing> {
    let tcp = TcpStream::connect(target.address()).await?;
    let tls = TlsConnector::from(Arc::new(trusting(ca_file)?)).connect(ServerName::try_from("localhost")?, tcp).await?;
    ensure!(tls.get_ref().1.alpn_protocol() == Some(b"h2"), "no HTTP/2");
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
    TaskTracker::new().spawn(async move {
        // It ends when the sender is dropped.
        let _ = connection.await;
    });
    let mut answers = Vec::with_capacity(PER_CONNECTION);
    for _ in 0..PER_CONNECTION {
        let mut request = Request::get(format!("https://localhost{PREFIX}/api/v1/namespaces/dev/pods?watch=1"));
        for (name, value) in target.headers() {
            request = request.header(name, value);
        }
        sender.ready().await?;
        let mut answer = sender.send_request(request.body(Empty::new())?).await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        answer.body_mut().frame().await.context("a first event")??;
        answers.push(answer);
    }
    Ok(Standing { _sender: sender, _answers: answers })
}

fn trusting(ca_file: &Path) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
