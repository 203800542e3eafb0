//! An issuer in memory, with keys of its own, and a provider that asks it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use auth_core::testing::{ManualClock, MemoryUsers, ScriptedHttp, block_on, ports_with};
use auth_core::{
    AuthError, AuthProvider, Context, HttpError, Login, LoginInput, Ports, PrincipalId, ProviderKind, ProviderSecret,
    RedirectAnswer, Refetch,
};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use aws_lc_rs::{hmac, rsa::KeySize};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{Request, Response};
use serde_json::{Value, json};
use url::Url;

use crate::OidcKind;
use crate::random::challenge;

pub(super) const ISSUER: &str = "https://id.example.org/realms/staff";
/// Where Microsoft Graph is.
pub(super) const GRAPH: &str = "graph.microsoft.com";
pub(super) const CALLBACK: &str = "https://console.example.org/callback/sso";
/// Where the clock of the tests stands.
pub(super) const NOW: i64 = 1_767_225_600;

pub(super) static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

pub(super) fn ec() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn jwk(key: &EcdsaKeyPair, kid: &str) -> Value {
    let point = key.public_key().as_ref();
    json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": encode(&point[1..33]), "y": encode(&point[33..])})
}

/// PKCS #1: a sequence of the modulus and the exponent 65537.
pub(super) fn rsa_jwk(kid: &str) -> Value {
    let der = RSA.public_key().as_ref();
    let modulus = &der[der.len() - 5 - 256..der.len() - 5];
    json!({"kty": "RSA", "kid": kid, "n": encode(modulus), "e": "AQAB"})
}

/// How a token is signed.
pub(super) enum Sign {
    Issuer,
    Stranger,
    Rsa,
    Hmac(Vec<u8>),
    Raw(Vec<u8>),
}

/// A token about to be made: a test changes what it wants to.
pub(super) struct Forge {
    pub(super) header: Value,
    pub(super) claims: Value,
    /// In place of the claims, letter for letter.
    pub(super) payload: Option<String>,
    pub(super) sign: Sign,
}

type Change = Box<dyn Fn(&mut Forge) + Send>;

/// How far a clock goes while it answers.
type Slowness = (Arc<ManualClock>, Duration);

/// The issuer.
pub(super) struct World {
    pub(super) key: EcdsaKeyPair,
    pub(super) discovery: Value,
    pub(super) keys: Value,
    pub(super) claims: Value,
    pub(super) change: Change,
    pub(super) token_answer: Value,
    /// In place of what the token endpoint answers.
    pub(super) token_refusal: Option<(u16, Value)>,
    pub(super) userinfo: Option<Value>,
    pub(super) userinfo_status: u16,
    pub(super) down: bool,
    /// How long its document takes, and the clock that shows it.
    pub(super) slow: Option<Slowness>,
    /// What its answers say that they are.
    pub(super) content_type: &'static str,
    challenge: String,
    nonce: String,
    spent: HashSet<String>,
    pub(super) authorization: Option<String>,
    pub(super) form: BTreeMap<String, String>,
    /// What Microsoft Graph answers to each address, and with which token it was asked.
    pub(super) graph: BTreeMap<String, (u16, Value)>,
    pub(super) graph_asked: Vec<String>,
    pub(super) push_answer: (u16, Value),
    pub(super) pushed: BTreeMap<String, String>,
    /// What a pushed request names more than once.
    pub(super) pushed_twice: Vec<String>,
}

/// The issuer and a provider that asks it.
pub(super) struct Bed {
    pub(super) clock: Arc<ManualClock>,
    pub(super) http: Arc<ScriptedHttp>,
    pub(super) world: Arc<Mutex<World>>,
    pub(super) ports: Ports,
    pub(super) provider: Arc<dyn AuthProvider>,
}

/// A trip whose browser is at the issuer.
pub(super) struct Trip {
    pub(super) location: Url,
    pub(super) state: String,
    pub(super) memo: ProviderSecret,
}

pub(super) fn bed() -> Bed {
    bed_with(json!({}))
}

pub(super) fn bed_with(changes: Value) -> Bed {
    let clock = Arc::new(ManualClock::new());
    let world = Arc::new(Mutex::new(World::new()));
    let asked = Arc::clone(&world);
    let http = Arc::new(ScriptedHttp::new(move |request| asked.lock().unwrap().answer(request)));
    let ports = ports_with(Arc::clone(&clock), Arc::new(MemoryUsers::default())).with_http(http.clone());
    let mut config = json!({"issuer": ISSUER, "clientId": "gatewarden", "clientSecret": "s3cret/+"});
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let provider = OidcKind.build("sso".parse().unwrap(), config, &ports).unwrap();
    Bed { clock, http, world, ports, provider }
}

impl Bed {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(super) fn ctx(&self) -> Context {
        auth_core::testing::context(&self.ports)
    }

    pub(super) fn begin(&self) -> Result<Trip, AuthError> {
        let begun = block_on(self.provider.redirect().unwrap().begin(&self.ctx(), CALLBACK))?;
        let location: Url = begun.location.parse().unwrap();
        let query: BTreeMap<_, _> = location.query_pairs().into_owned().collect();
        let mut world = self.world();
        let request = if query.contains_key("request_uri") { world.pushed.clone() } else { query };
        world.nonce.clone_from(&request["nonce"]);
        world.challenge.clone_from(&request["code_challenge"]);
        drop(world);
        Ok(Trip { location, state: begun.state, memo: begun.memo })
    }

    pub(super) fn finish(&self, memo: &ProviderSecret, parameters: &[(&str, &str)]) -> Result<Login, AuthError> {
        let parameters = parameters.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let answer = RedirectAnswer { parameters, begun: ProviderSecret::new(memo.expose()) };
        block_on(self.provider.authenticate_user(&self.ctx(), LoginInput::Redirect { answer }))
    }

    pub(super) fn log_in(&self) -> Result<Login, AuthError> {
        let trip = self.begin()?;
        self.finish(&trip.memo, &[("code", "c0de"), ("state", &trip.state)])
    }

    pub(super) fn refetch(&self, login: &Login) -> Result<Refetch, AuthError> {
        self.refetch_with(&login.user.id, login.secret.as_ref())
    }

    pub(super) fn refetch_with(&self, id: &PrincipalId, secret: Option<&ProviderSecret>) -> Result<Refetch, AuthError> {
        block_on(self.provider.refetch_group_principals(&self.ctx(), id, secret))
    }

    /// How often an address was asked whose path ends so.
    pub(super) fn asked(&self, end: &str) -> usize {
        self.http.asked().iter().filter(|asked| asked.ends_with(end)).count()
    }
}

impl World {
    fn new() -> Self {
        let key = ec();
        Self {
            discovery: json!({
                "issuer": ISSUER,
                "authorization_endpoint": format!("{ISSUER}/auth"),
                "token_endpoint": format!("{ISSUER}/token"),
                "jwks_uri": format!("{ISSUER}/keys"),
                "userinfo_endpoint": format!("{ISSUER}/userinfo"),
            }),
            keys: json!({"keys": [jwk(&key, "k1")]}),
            key,
            claims: json!({
                "iss": ISSUER, "aud": "gatewarden", "sub": "u-1", "iat": NOW, "exp": NOW + 300,
                "preferred_username": "alice", "name": "Alice Liddell", "groups": ["dev", "ops"],
            }),
            change: Box::new(|_| {}),
            token_answer: json!({"access_token": "at-1", "token_type": "Bearer", "refresh_token": "rt-1"}),
            token_refusal: None,
            userinfo: None,
            userinfo_status: 200,
            down: false,
            slow: None,
            content_type: "application/json; charset=utf-8",
            challenge: String::new(),
            nonce: String::new(),
            spent: HashSet::new(),
            authorization: None,
            form: BTreeMap::new(),
            graph: BTreeMap::new(),
            graph_asked: Vec::new(),
            push_answer: (201, json!({"request_uri": "urn:request:1", "expires_in": 60})),
            pushed: BTreeMap::new(),
            pushed_twice: Vec::new(),
        }
    }

    fn answer(&mut self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
        if self.down {
            return Err(HttpError::TimedOut);
        }
        if let Some((clock, by)) = self.slow.as_ref().filter(|_| request.uri().path().contains("well-known")) {
            clock.advance(*by);
        }
        if request.uri().host() == Some(GRAPH) {
            let at = request.uri().path_and_query().unwrap().to_string();
            let (status, body) = self.graph.get(&at).unwrap_or_else(|| panic!("nobody asks for {at}")).clone();
            self.graph_asked.push(authorization(request).unwrap_or_default());
            let response = Response::builder().status(status).header("content-type", self.content_type);
            return Ok(response.body(body.to_string().into_bytes()).unwrap());
        }
        let path = request.uri().path().strip_prefix("/realms/staff").unwrap_or_default().to_owned();
        let (status, body) = match path.as_str() {
            "/.well-known/openid-configuration" => (200, self.discovery.clone()),
            "/keys" => (200, self.keys.clone()),
            "/token" | "/tls/token" => self.tokens(request),
            "/par" => self.push(request),
            "/userinfo" => (self.userinfo_status, self.userinfo.clone().unwrap_or_default()),
            other => panic!("nobody asks for {other}"),
        };
        let response = Response::builder().status(status).header("content-type", self.content_type);
        Ok(response.body(body.to_string().into_bytes()).unwrap())
    }

    fn push(&mut self, request: &Request<Vec<u8>>) -> (u16, Value) {
        self.pushed.clear();
        for (name, value) in url::form_urlencoded::parse(request.body()).into_owned() {
            if self.pushed.insert(name.clone(), value).is_some() {
                self.pushed_twice.push(name);
            }
        }
        self.authorization = authorization(request);
        self.push_answer.clone()
    }

    fn tokens(&mut self, request: &Request<Vec<u8>>) -> (u16, Value) {
        self.form = url::form_urlencoded::parse(request.body()).into_owned().collect();
        self.authorization = authorization(request);
        if let Some(refusal) = &self.token_refusal {
            return refusal.clone();
        }
        if self.form["grant_type"] == "client_credentials" {
            return (200, json!({"access_token": "graph-1", "token_type": "Bearer", "expires_in": 3600}));
        }
        if let Some(code) = self.form.get("code") {
            let proves = challenge(&self.form["code_verifier"]) == self.challenge;
            if !proves || self.form["redirect_uri"] != CALLBACK || !self.spent.insert(code.clone()) {
                return (400, json!({"error": "invalid_grant"}));
            }
        }
        let mut answer = self.token_answer.clone();
        if answer.get("id_token").is_none() {
            answer["id_token"] = self.mint().into();
        }
        (200, answer)
    }

    pub(super) fn mint(&self) -> String {
        let mut claims = self.claims.clone();
        if claims.get("nonce").is_none() && self.form.contains_key("code") {
            claims["nonce"] = self.nonce.clone().into();
        }
        let header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
        let mut forge = Forge { header, claims, payload: None, sign: Sign::Issuer };
        (self.change)(&mut forge);
        let payload = forge.payload.unwrap_or_else(|| forge.claims.to_string());
        let signed = format!("{}.{}", encode(forge.header.to_string()), encode(payload));
        let random = SystemRandom::new();
        let signature = match &forge.sign {
            Sign::Issuer => self.key.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Sign::Stranger => ec().sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Sign::Rsa => {
                let mut signature = vec![0; 256];
                RSA.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Sign::Hmac(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes()).as_ref().to_vec()
            }
            Sign::Raw(bytes) => bytes.clone(),
        };
        format!("{signed}.{}", encode(signature))
    }
}

fn authorization(request: &Request<Vec<u8>>) -> Option<String> {
    request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned())
}

/// What the issuer would see of a client's name and secret.
pub(super) fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}
