//! An API server that does what a test asks of it, and answers the probe as a well-kept cluster would.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gatewarden_proxy::{Account, Body, Carrier, ClusterConfig};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a test wants to happen to a request that is none of the probe's.
pub(crate) type Handler = Arc<dyn Fn(Request<Incoming>) -> Answer + Send + Sync>;
pub(crate) type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// One endpoint of one cluster.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    pki: Pki,
    stop: CancellationToken,
}

/// What came in, and how the server is disposed.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    /// The account may do everything, as a careless operator would have it.
    pub(crate) privileged: AtomicBool,
    /// The next connection that gets a request says GOAWAY first.
    pub(crate) goaway: AtomicBool,
    pub(crate) minor: AtomicUsize,
    /// The minor version that it says it is, where that is a lie.
    pub(crate) told: AtomicUsize,
    /// Who may read secrets in kube-system and nowhere else: an account's bearer token.
    pub(crate) namespaced: Mutex<Option<&'static str>>,
    /// So many of the next streams are refused, as by a server that is about to stop.
    pub(crate) refuse: AtomicUsize,
}

#[derive(Clone)]
pub(crate) struct Pki {
    certificate: String,
    key: Vec<u8>,
    /// Who may connect by certificate; everybody may when nobody is named.
    clients: Option<String>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self { certificate: cert.pem(), key: signing_key.serialize_der(), clients: None }
    }

    /// Lets in only the holder of this certificate.
    pub(crate) fn for_client(self, certificate: &str) -> Self {
        Self { clients: Some(certificate.to_owned()), ..self }
    }
}

pub(crate) const H2: &[&[u8]] = &[b"h2", b"http/1.1"];
pub(crate) const H1: &[&[u8]] = &[b"http/1.1"];

impl Upstream {
    pub(crate) async fn start(alpn: &[&[u8]], handler: Handler) -> Self {
        Self::start_with(Pki::new(), alpn, handler).await
    }

    /// Several endpoints of one cluster share their certificate.
    pub(crate) async fn start_with(pki: Pki, alpn: &[&[u8]], handler: Handler) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), pki, alpn, handler).await
    }

    pub(crate) async fn start_at(address: SocketAddr, pki: Pki, alpn: &[&[u8]], handler: Handler) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        seen.minor.store(36, Ordering::SeqCst);
        let stop = CancellationToken::new();
        let acceptor = TlsAcceptor::from(server_config(&pki, alpn));
        let serving = serve(listener, acceptor, Arc::clone(&seen), handler);
        let until = stop.clone();
        TaskTracker::new().spawn(async move { until.run_until_cancelled(serving).await });
        Self { address, seen, pki, stop }
    }

    pub(crate) fn pki(&self) -> Pki {
        self.pki.clone()
    }

    /// The cluster that this is the only endpoint of.
    pub(crate) fn cluster(&self, id: &str) -> ClusterConfig {
        cluster(id, &self.pki, &[self.address])
    }

    /// Stops and closes all connections.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn cluster(id: &str, pki: &Pki, endpoints: &[SocketAddr]) -> ClusterConfig {
    ClusterConfig {
        id: id.to_owned(),
        endpoints: endpoints.iter().map(|address| format!("https://{address}").parse().unwrap()).collect(),
        ca_pem: pki.certificate.clone().into_bytes(),
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

/// Answers every request with what the server saw of it.
pub(crate) fn echo() -> Handler {
    Arc::new(|request| {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let lines = |headers: &HeaderMap| -> Vec<Value> {
                let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
                headers.iter().map(|(name, value)| json!([name.as_str(), text(value)])).collect()
            };
            let seen = json!({
                "method": head.method.as_str(),
                "target": head.uri.path_and_query().map(http::uri::PathAndQuery::as_str),
                "version": format!("{:?}", head.version),
                "headers": lines(&head.headers),
                "body": String::from_utf8_lossy(&body),
            });
            json_response(StatusCode::OK, &seen)
        })
    })
}

pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

fn server_config(pki: &Pki, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    use rustls_pki_types::pem::PemObject;
    let certificate = rustls_pki_types::CertificateDer::from_pem_slice(pki.certificate.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = match &pki.clients {
        None => builder.unwrap().with_no_client_auth(),
        Some(trusted) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(rustls_pki_types::CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.unwrap().with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(vec![certificate], PrivateKeyDer::try_from(pki.key.clone()).unwrap()).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, seen: Arc<Seen>, handler: Handler) {
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let tasks = TaskTracker::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (acceptor, seen, handler, stop) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&handler), stop.clone());
        tasks.spawn(async move { stop.run_until_cancelled(connection(tcp, acceptor, seen, handler)).await });
    }
}

async fn connection(tcp: tokio::net::TcpStream, acceptor: TlsAcceptor, seen: Arc<Seen>, handler: Handler) {
    tcp.set_nodelay(true).unwrap();
    let Ok(io) = acceptor.accept(tcp).await else { return };
    seen.connections.fetch_add(1, Ordering::SeqCst);
    let h2 = io.get_ref().1.alpn_protocol() == Some(b"h2");
    let goaway = CancellationToken::new();
    let (asked, state) = (goaway.clone(), Arc::clone(&seen));
    let service = service_fn(move |request: Request<Incoming>| {
        let (state, handler, goaway) = (Arc::clone(&state), Arc::clone(&handler), goaway.clone());
        async move {
            let refuse = |left: usize| left.checked_sub(1);
            let ours = request.uri().path().starts_with("/api/");
            if ours && state.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse).is_ok() {
                // Read a little of it, so that the gateway cannot have kept the whole to itself.
                let _ = request.into_body().frame().await;
                return Err(h2::Error::from(h2::Reason::REFUSED_STREAM));
            }
            Ok(answer(&state, &handler, &goaway, request).await)
        }
    });
    if h2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let mut connection = pin!(builder.max_concurrent_streams(100).serve_connection(TokioIo::new(io), service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = asked.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let mut builder = http1::Builder::new();
        let _ = builder.half_close(true).serve_connection(TokioIo::new(io), service).with_upgrades().await;
    }
}

async fn answer(
    seen: &Seen,
    handler: &Handler,
    goaway: &CancellationToken,
    request: Request<Incoming>,
) -> Response<Body> {
    match request.uri().path() {
        "/version" => {
            let (minor, told) = (seen.minor.load(Ordering::SeqCst), seen.told.load(Ordering::SeqCst));
            let minor = if told == 0 { minor } else { told }.to_string();
            json_response(StatusCode::OK, &json!({"major": "1", "minor": minor, "gitVersion": "v1.36.3"}))
        }
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => access_review(seen, request).await,
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => rules_review(seen, request).await,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => self_review(request.headers()),
        _ => {
            seen.requests.fetch_add(1, Ordering::SeqCst);
            if seen.goaway.swap(false, Ordering::SeqCst) {
                goaway.cancel();
            }
            handler(request).await
        }
    }
}

async fn access_review(seen: &Seen, request: Request<Incoming>) -> Response<Body> {
    // An account that comes by certificate is the impersonator here.
    let reviewer = request.headers().get("authorization").is_some_and(|value| value == "Bearer reviewer");
    let body: Bytes = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let text = |field: &str| {
        let at = |kind: &str| review.pointer(&format!("/spec/{kind}/{field}")).and_then(Value::as_str);
        at("resourceAttributes").or(at("nonResourceAttributes")).unwrap_or_default().to_owned()
    };
    let verb = text("verb");
    let legacy = seen.minor.load(Ordering::SeqCst) < 36;
    let allowed = match reviewer {
        true => matches!(text("resource").as_str(), "subjectaccessreviews" | "tokenreviews"),
        false if seen.privileged.load(Ordering::SeqCst) => true,
        false if legacy => verb == "impersonate" && text("resource") != "serviceaccounts",
        false => verb.starts_with("impersonate:user-info") || verb.starts_with("impersonate-on:user-info:"),
    };
    json_response(StatusCode::CREATED, &json!({"status": {"allowed": allowed}}))
}

async fn rules_review(seen: &Seen, request: Request<Incoming>) -> Response<Body> {
    let bearer = request.headers().get("authorization").cloned();
    let body: Bytes = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let mut rules = vec![json!({
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    })];
    let careless = *seen.namespaced.lock().unwrap();
    if review["spec"]["namespace"] == "kube-system"
        && bearer.is_some_and(|bearer| careless.is_some_and(|by| bearer == by))
    {
        rules.push(json!({ "verbs": ["get"], "apiGroups": [""], "resources": ["secrets"] }));
    }
    let paths = json!([{ "verbs": ["get"], "nonResourceURLs": ["/api/*", "/healthz"] }]);
    let status = json!({ "resourceRules": rules, "nonResourceRules": paths, "incomplete": false });
    json_response(StatusCode::CREATED, &json!({ "status": status }))
}

fn self_review(headers: &HeaderMap) -> Response<Body> {
    let all = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    let mut groups = all("impersonate-group");
    if groups.iter().any(|group| group == "system:masters") {
        return json_response(StatusCode::FORBIDDEN, &json!({"message": "not system:masters"}));
    }
    groups.push("system:authenticated".to_owned());
    let mut extra = serde_json::Map::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix("impersonate-extra-") {
            extra.insert(key.replace("%2f", "/"), json!([value.to_str().unwrap()]));
        }
    }
    let user = json!({
        "username": all("impersonate-user").concat(),
        "uid": all("impersonate-uid").concat(),
        "groups": groups,
        "extra": extra,
    });
    json_response(StatusCode::CREATED, &json!({"status": {"userInfo": user}}))
}
