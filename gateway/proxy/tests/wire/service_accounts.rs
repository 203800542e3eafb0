//! A cluster's own service-account tokens: checked by that cluster, sent on to it, and nowhere else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewarden_proxy::{Account, Body, Carrier, ClusterConfig, ServiceAccountTokens, probe};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::client::{self, Client, Protocol, Sent};
use crate::gateway::{Gateway, until};
use crate::streams::{next, told};
use crate::upstream::{Answer, H2, Handler, Pki, Upstream, echo, json_response};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const NODES: &str = "/k8s/clusters/east/api/v1/nodes";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// How a cluster answers a TokenReview, by its body.
type Review = Box<dyn Fn(&Value) -> Answer + Send + Sync>;

/// The part of an API server that makes tokens and says whether they hold.
struct Signer {
    pair: EcdsaKeyPair,
    kid: &'static str,
    review: Mutex<Review>,
    reviews: AtomicUsize,
    key_sets: AtomicUsize,
}

impl Signer {
    fn new(kid: &'static str) -> Arc<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (reviews, key_sets) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let review: Review = Box::new(|_| answering(StatusCode::CREATED, holds("ci", "deployer")));
        Arc::new(Self { pair, kid, review: Mutex::new(review), reviews, key_sets })
    }

    fn token(&self, namespace: &str, name: &str, lasts: Duration) -> String {
        self.token_of(self.kid, namespace, name, lasts)
    }

    fn token_of(&self, kid: &str, namespace: &str, name: &str, lasts: Duration) -> String {
        let claims = json!({
            "iss": ISSUER, "aud": [ISSUER], "exp": now() + lasts.as_secs(),
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": "u-7"}},
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!({"alg": "ES256", "kid": kid})), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn deployer(&self) -> String {
        self.token("ci", "deployer", Duration::from_secs(600))
    }

    fn answers(&self, review: impl Fn(&Value) -> Answer + Send + Sync + 'static) {
        *self.review.lock().unwrap() = Box::new(review);
    }

    fn refuses(&self) {
        let no = json!({"authenticated": false, "error": "[invalid bearer token, the account is gone]"});
        self.answers(move |_| answering(StatusCode::CREATED, review(no.clone())));
    }

    fn reviews(&self) -> usize {
        self.reviews.load(Ordering::SeqCst)
    }

    fn keys(&self) -> Value {
        let point = &self.pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(32);
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        json!({"keys": [{"kid": self.kid, "kty": "EC", "crv": "P-256", "use": "sig", "x": encode(x), "y": encode(y)}]})
    }

    /// Answers for the signer, and hands everything else on.
    fn before(self: &Arc<Self>, handler: Handler) -> Handler {
        let signer = Arc::clone(self);
        Arc::new(move |request| {
            let path = request.uri().path().to_owned();
            if ![REVIEWS, "/openid/v1/jwks", "/.well-known/openid-configuration"].contains(&path.as_str()) {
                return handler(request);
            }
            assert_eq!(request.headers()["authorization"], "Bearer reviewer");
            if path.starts_with("/.well") {
                return answering(StatusCode::OK, json!({"issuer": ISSUER}));
            }
            if path != REVIEWS {
                // As a real one does.
                if request.headers()["accept"] != "application/jwk-set+json" {
                    return answering(StatusCode::NOT_ACCEPTABLE, json!({"kind": "Status"}));
                }
                signer.key_sets.fetch_add(1, Ordering::SeqCst);
                return answering(StatusCode::OK, signer.keys());
            }
            signer.reviews.fetch_add(1, Ordering::SeqCst);
            let signer = Arc::clone(&signer);
            Box::pin(async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let answer = (signer.review.lock().unwrap())(&serde_json::from_slice(&body).unwrap());
                answer.await
            })
        })
    }
}

fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the clock of the tests")]
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn answering(status: StatusCode, value: Value) -> Answer {
    Box::pin(async move { json_response(status, &value) })
}

fn review(status: Value) -> Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status})
}

fn holds(namespace: &str, name: &str) -> Value {
    let user = json!({"username": format!("system:serviceaccount:{namespace}:{name}"), "uid": "u-7"});
    review(json!({"authenticated": true, "audiences": [ISSUER], "user": user}))
}

fn open(cluster: ClusterConfig) -> ClusterConfig {
    let tokens = ServiceAccountTokens { issuer: ISSUER.to_owned(), audiences: vec![ISSUER.to_owned()] };
    ClusterConfig { service_accounts: Some(tokens), ..cluster }
}

fn request(path: &str, token: &str) -> Sent {
    let mut request = client::request(Method::GET, path, Body::empty());
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

async fn get(client: &mut Client, path: &str, token: &str) -> Response<Incoming> {
    client.send(request(path, token)).await.unwrap()
}

/// A cluster that echoes, its signer, and a gateway before it.
async fn east(signer: &Arc<Signer>) -> (Upstream, Gateway, Client) {
    let upstream = Upstream::start(H2, signer.before(echo())).await;
    let gateway = Gateway::start(vec![open(upstream.cluster("east"))]).await;
    let client = Client::connect(&gateway, Protocol::H2).await;
    (upstream, gateway, client)
}

fn lines<'a>(seen: &'a Value, prefix: &str) -> Vec<&'a str> {
    let lines = seen["headers"].as_array().unwrap().iter();
    lines.filter(|line| line[0].as_str().unwrap().starts_with(prefix)).map(|line| line[1].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_sees_its_own_token_and_nothing_else_that_says_who_asks() {
    let signer = Signer::new("one");
    let (_upstream, _gateway, mut client) = east(&signer).await;
    let token = signer.deployer();
    let mut asked = request(NODES, &token);
    for name in ["x-remote-user", "x-remote-group", "x-gatewarden-user"] {
        asked.headers_mut().insert(name, "system:admin".parse().unwrap());
    }
    let response = client.send(asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let seen = client::json(response).await;
    assert_eq!(lines(&seen, "authorization"), [format!("Bearer {token}")]);
    assert_eq!(lines(&seen, "impersonate"), [""; 0]);
    assert!(!seen.to_string().contains("system:admin"), "{seen}");
    let alices = client::json(client.get(NODES).await).await;
    assert_eq!(lines(&alices, "authorization"), ["Bearer impersonator"], "nobody else's request changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_reaches_no_cluster_but_its_own_and_nothing_of_the_gateway() {
    let (easts, wests) = (Signer::new("one"), Signer::new("one"));
    let east = Upstream::start(H2, easts.before(echo())).await;
    let west = Upstream::start(H2, wests.before(echo())).await;
    let north = Upstream::start(H2, wests.before(echo())).await;
    let clusters = vec![open(east.cluster("east")), open(west.cluster("west")), north.cluster("north")];
    let gateway = Gateway::start(clusters).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let asked = west.seen.requests.load(Ordering::SeqCst);
    let token = easts.deployer();
    assert_eq!(get(&mut client, NODES, &token).await.status(), StatusCode::OK);
    for elsewhere in ["/k8s/clusters/west/api", "/k8s/clusters/north/api", "/k8s/clusters/gone/api", "/api/v1/me"] {
        let response = get(&mut client, elsewhere, &token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{elsewhere}");
    }
    assert_eq!((easts.reviews(), wests.reviews()), (1, 0), "the signature decides before anybody is asked");
    assert_eq!(west.seen.requests.load(Ordering::SeqCst) - asked, 1, "for its keys");
    assert_eq!(north.seen.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_over_no_connection_that_shows_a_certificate_of_ours() {
    let account = rcgen::generate_simple_self_signed(["gatewarden".to_owned()]).unwrap();
    let signer = Signer::new("one");
    let certificate = || Account::ClientCertificate {
        cert_pem: account.cert.pem().into_bytes(),
        key_pem: account.signing_key.serialize_pem().into(),
    };
    let asks = {
        let before = signer.before(echo());
        let handler: Handler = Arc::new(move |mut request| {
            request.headers_mut().entry("authorization").or_insert("Bearer reviewer".parse().unwrap());
            before(request)
        });
        handler
    };
    let upstream = Upstream::start_with(Pki::new().for_client(&account.cert.pem()), H2, asks).await;
    let carrier = Carrier::Impersonation { impersonator: certificate(), reviewer: certificate() };
    let cluster = open(upstream.cluster("east"));
    let gateway = Gateway::start(vec![ClusterConfig { carrier, dangerous_privileged_account: true, ..cluster }]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    assert_eq!(client.get(NODES).await.status(), StatusCode::OK, "alice's goes by the impersonator's certificate");
    let before = upstream.seen.requests.load(Ordering::SeqCst);
    let response = get(&mut client, NODES, &signer.deployer()).await;
    assert!(response.status().is_server_error(), "the server wants a certificate, and gets none: {response:?}");
    let asked = upstream.seen.requests.load(Ordering::SeqCst) - before;
    assert_eq!(asked, 2, "the keys and the review, and never the request itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_not_switched_on_nobody_is_asked() {
    let signer = Signer::new("one");
    let upstream = Upstream::start(H2, signer.before(echo())).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    assert_eq!(get(&mut client, NODES, &signer.deployer()).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(upstream.seen.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_enters_by_a_grant_for_it_and_by_no_other() {
    let signer = Signer::new("one");
    let (_upstream, _gateway, mut client) = east(&signer).await;
    for (namespace, name, method, expected) in [
        ("ci", "deployer", Method::POST, StatusCode::OK),
        ("ci", "other", Method::GET, StatusCode::FORBIDDEN),
        ("readers", "any", Method::GET, StatusCode::OK),
        ("readers", "any", Method::POST, StatusCode::FORBIDDEN),
    ] {
        signer.answers(move |_| answering(StatusCode::CREATED, holds(namespace, name)));
        let mut asked = request(NODES, &signer.token(namespace, name, Duration::from_secs(600)));
        *asked.method_mut() = method.clone();
        assert_eq!(client.send(asked).await.unwrap().status(), expected, "{method} by {namespace}/{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_costs_a_cluster_no_review_and_names_of_keys_one_question() {
    let signer = Signer::new("one");
    let (_upstream, _gateway, mut client) = east(&signer).await;
    let asked = signer.key_sets.load(Ordering::SeqCst);
    let good = signer.deployer();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let cases = [
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode([7; 64])),
        Signer::new("one").deployer(),
        signer.token_of("two", "ci", "deployer", Duration::from_secs(600)),
        signer.token_of("three", "ci", "deployer", Duration::from_secs(600)),
        signer.token("ci", "deployer", Duration::ZERO),
    ];
    for token in cases {
        assert_eq!(get(&mut client, NODES, &token).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(signer.reviews(), 0);
    assert_eq!(signer.key_sets.load(Ordering::SeqCst) - asked, 1, "once for all of them");
    assert_eq!(get(&mut client, NODES, &good).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_nobody_s_fault_and_is_not_remembered() {
    let signer = Signer::new("one");
    let (_upstream, _gateway, mut client) = east(&signer).await;
    let token = signer.deployer();
    let cases = [
        (StatusCode::TOO_MANY_REQUESTS, json!({})),
        (StatusCode::INTERNAL_SERVER_ERROR, holds("ci", "deployer")),
        (StatusCode::FORBIDDEN, json!({"kind": "Status"})),
        (StatusCode::UNAUTHORIZED, json!({"kind": "Status"})),
        (StatusCode::CREATED, json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1beta1"})),
        (StatusCode::OK, json!([])),
    ];
    for (status, body) in cases {
        let told = format!("{status} {body}");
        signer.answers(move |_| answering(status, body.clone()));
        let response = get(&mut client, NODES, &token).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{told}");
        assert!(response.headers().contains_key("retry-after"), "{told}");
    }
    signer.answers(|_| answering(StatusCode::CREATED, holds("ci", "deployer")));
    assert_eq!(get(&mut client, NODES, &token).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_asks_once_and_a_deleted_account_is_known_within_the_time_of_the_cache() {
    let signer = Signer::new("one");
    let (_upstream, gateway, mut client) = east(&signer).await;
    let token = signer.deployer();
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (mut client, token) = (Client::connect(&gateway, Protocol::H2).await, token.clone());
        crowd.spawn(async move { get(&mut client, NODES, &token).await.status() });
    }
    while let Some(status) = crowd.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    assert_eq!(signer.reviews(), 1);
    signer.refuses();
    assert_eq!(get(&mut client, NODES, &token).await.status(), StatusCode::OK, "remembered");
    gateway.age(Duration::from_secs(10));
    for _ in 0..3 {
        assert_eq!(get(&mut client, NODES, &token).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(signer.reviews(), 2, "a no is remembered for a moment too");
    signer.answers(|_| answering(StatusCode::CREATED, holds("ci", "deployer")));
    gateway.age(Duration::from_secs(2));
    assert_eq!(get(&mut client, NODES, &token).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_refuses_the_token_itself_refuses_its_caller() {
    let signer = Signer::new("one");
    let refusing: Handler = Arc::new(|_| answering(StatusCode::UNAUTHORIZED, json!({"kind": "Status"})));
    let upstream = Upstream::start(H2, signer.before(refusing)).await;
    let gateway = Gateway::start(vec![open(upstream.cluster("east"))]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    assert_eq!(get(&mut client, NODES, &signer.deployer()).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(client.get(NODES).await.status(), StatusCode::SERVICE_UNAVAILABLE, "alice's login is as good as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_account_acts_as_is_for_the_cluster_to_judge_but_no_reserved_name() {
    let signer = Signer::new("one");
    let (upstream, _gateway, mut client) = east(&signer).await;
    let mut asked = request(NODES, &signer.deployer());
    asked.headers_mut().insert("impersonate-user", "jane".parse().unwrap());
    let seen = client::json(client.send(asked).await.unwrap()).await;
    assert_eq!(lines(&seen, "impersonate"), ["jane"]);
    assert_eq!(lines(&seen, "authorization").len(), 1);
    let before = upstream.seen.requests.load(Ordering::SeqCst);
    for (name, value) in [("impersonate-user", "system:admin"), ("impersonate-group", "system:masters")] {
        let mut asked = request(NODES, &signer.deployer());
        asked.headers_mut().insert("impersonate-user", "jane".parse().unwrap());
        asked.headers_mut().insert(name, value.parse().unwrap());
        let status = client.send(asked).await.unwrap().status();
        assert!(status.is_client_error(), "{name}: {value}: {status}");
    }
    let asked = upstream.seen.requests.load(Ordering::SeqCst) - before;
    assert_eq!(asked, signer.reviews() - 1, "nothing but reviews of the two other tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_asks_for_keys_and_issuer_and_a_wrong_one_closes_nothing() {
    let signer = Signer::new("one");
    let upstream = Upstream::start(H2, signer.before(echo())).await;
    let good = open(upstream.cluster("east"));
    let report = probe(good.clone()).await.unwrap();
    assert!(report.is_good(), "{report:#?}");
    let tokens = ServiceAccountTokens { issuer: "https://other.test".to_owned(), audiences: vec!["a".to_owned()] };
    let config = ClusterConfig { service_accounts: Some(tokens), ..good };
    let report = probe(config.clone()).await.unwrap();
    let failed: Vec<_> = report.checks.iter().filter(|check| !check.ok).map(|check| &*check.found).collect();
    assert_eq!(failed, [ISSUER]);
    assert_eq!(report.commands(), ["kubectl get --raw /.well-known/openid-configuration"]);
    Gateway::start(vec![config]).await; // opens
}

const WATCH: &str = "/k8s/clusters/east/api/v1/pods?watch=1";

/// A cluster whose watch goes on by itself.
struct Watched {
    upstream: Upstream,
    token: String,
    _events: Box<dyn std::any::Any>,
}

/// A watch by the deployer, whose first event has come.
async fn watch(signer: &Arc<Signer>) -> (Watched, Gateway, Response<Incoming>) {
    let (events, handler) = told();
    let upstream = Upstream::start(H2, signer.before(handler)).await;
    let gateway = Gateway::start(vec![open(upstream.cluster("east"))]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let token = signer.deployer();
    let mut response = get(&mut client, WATCH, &token).await;
    assert_eq!(response.status(), StatusCode::OK);
    events.send(Ok("event".into())).unwrap();
    assert_eq!(next(&mut response).await.unwrap().unwrap(), "event");
    (Watched { upstream, token, _events: Box::new(events) }, gateway, response)
}

async fn is_cut(mut response: Response<Incoming>) -> bool {
    let end = tokio::time::timeout(crate::gateway::GUARD, response.body_mut().frame()).await;
    matches!(end.expect("the watch ends"), Some(Err(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_its_token() {
    let signer = Signer::new("one");
    let (_watched, gateway, watch) = watch(&signer).await;
    gateway.pass(Duration::from_secs(601));
    assert!(is_cut(watch).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_its_cluster_does_not_stand_by_the_token_any_more() {
    let signer = Signer::new("one");
    let (_watched, gateway, watch) = watch(&signer).await;
    let outages = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&outages);
    signer.answers(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        answering(StatusCode::INTERNAL_SERVER_ERROR, json!({}))
    });
    gateway.age(Duration::from_secs(30));
    until("it is asked about again", || outages.load(Ordering::SeqCst) > 0).await;
    let before = signer.reviews();
    signer.refuses();
    assert!(is_cut(watch).await);
    assert!(signer.reviews() > before, "by the no, and not by the outage before it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_the_first_request_that_its_cluster_says_no_to() {
    let signer = Signer::new("one");
    let (watched, gateway, watch) = watch(&signer).await;
    signer.refuses();
    gateway.age(Duration::from_secs(10));
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    assert_eq!(get(&mut client, NODES, &watched.token).await.status(), StatusCode::UNAUTHORIZED);
    assert!(is_cut(watch).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_the_setting_that_let_it_in() {
    let signer = Signer::new("one");
    let (watched, gateway, watch) = watch(&signer).await;
    gateway.reload(vec![watched.upstream.cluster("east")]);
    assert!(is_cut(watch).await);
}
