//! The upstream that all contenders stand in front of: it answers every request with one Pod of a kilobyte, and a watch
//! with one event and then silence.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use testbed::kept;
use testbed::pki::Leaf;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

/// A Pod as `kubectl get -o json` shows it, padded to this many bytes.
const POD_SIZE: usize = 1024;

static POD: LazyLock<Bytes> = LazyLock::new(|| {
    let pod = |note: &str| {
        let metadata = serde_json::json!({ "name": "web", "namespace": "dev", "annotations": { "note": note } });
        serde_json::json!({ "kind": "Pod", "apiVersion": "v1", "metadata": metadata }).to_string()
    };
    let missing = POD_SIZE.saturating_sub(pod("").len());
    Bytes::from(pod(&"x".repeat(missing)))
});

/// Serves on this loopback port until the process is stopped.
///
/// # Errors
/// When the port is taken or the certificate unreadable.
pub(crate) fn serve(port: u16, leaf: &Leaf) -> Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(tls(&leaf.certificate, &leaf.key)?));
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let tasks = TaskTracker::new();
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            let acceptor = acceptor.clone();
            tasks.spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http2().max_concurrent_streams(250);
                // A client that goes away ends its connection with a fault, which is nobody's business here.
                let _ = builder.serve_connection(TokioIo::new(tls), service_fn(answer)).await;
            });
        }
    })
}

fn tls(certificate: &Path, key: &Path) -> Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let (head, body) = request.into_parts();
    if head.uri.query().is_some_and(|query| query.contains("watch=")) {
        return Ok(json(200, Answer { bytes: Some(POD.clone()), endless: true }));
    }
    if !head.uri.path().ends_with("reviews") && head.uri.path() != "/version" {
        return Ok(json(200, Answer { bytes: Some(POD.clone()), endless: false }));
    }
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let lines: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let (status, value) = kept::answer(head.uri.path(), &lines, &body).unwrap_or((404, serde_json::Value::Null));
    Ok(json(status, Answer { bytes: Some(value.to_string().into()), endless: false }))
}

fn json(status: u16, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Some bytes, and then the end or silence.
struct Answer {
    bytes: Option<Bytes>,
    endless: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.bytes.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None if self.endless => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && !self.endless
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len) as u64;
        if self.endless { hyper::body::SizeHint::default() } else { hyper::body::SizeHint::with_exact(length) }
    }
}
