//! HTTPS to the gateway and its issuer, and to nobody else.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, RequestBuilder};
use url::Url;

use crate::clock;
use crate::environment;
use crate::failure::Failure;
use crate::proxy::{self, Proxies, is_local};

/// A client that trusts one authority, or what the system trusts.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    proxies: Proxies,
}

/// An answer whose body is JSON, or nothing that we can read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// By which the operator finds the request.
    pub(crate) audit_id: String,
    /// What time it is there.
    pub(crate) date: Option<Timestamp>,
}

/// Longer than the gateway waits for its provider: an answer that is given up may have spent a refresh token.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);
const MOST: u64 = 1024 * 1024;

impl Http {
    pub(crate) fn new(ca: Option<&str>) -> Result<Self, Failure> {
        let roots = match ca {
            Some(pem) => RootCerts::Specific(Arc::new(certificates(pem)?)),
            None => RootCerts::PlatformVerifier,
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let agent = format!("kubectl-gatewarden/{} on {}", env!("CARGO_PKG_VERSION"), environment::host_name());
        let config = Config::builder()
            .tls_config(tls)
            .https_only(true)
            // An answer that leads elsewhere would take a token along.
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent(agent)
            // Each request has its own: what is on this machine is not asked for elsewhere.
            .proxy(None)
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), Names);
        Ok(Self { agent, proxies: proxy::given() })
    }

    pub(crate) fn get(&self, url: &str, token: Option<&str>) -> Result<Answer, Failure> {
        let request = self.on_its_way(self.agent.get(url), url)?.header("accept", "application/json");
        let request = token.into_iter().fold(request, |request, token| request.header("authorization", bearer(token)));
        read(url, request.call())
    }

    pub(crate) fn delete(&self, url: &str, token: &str) -> Result<Answer, Failure> {
        let request = self.on_its_way(self.agent.delete(url), url)?;
        read(url, request.header("authorization", bearer(token)).call())
    }

    pub(crate) fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<Answer, Failure> {
        read(url, self.on_its_way(self.agent.post(url), url)?.send_form(fields.iter().copied()))
    }

    pub(crate) fn post_json(&self, url: &str, body: &Value) -> Result<Answer, Failure> {
        read(url, self.on_its_way(self.agent.post(url), url)?.send_json(body))
    }

    /// A request that goes through the proxy of its host, where there is one.
    fn on_its_way<B>(&self, request: RequestBuilder<B>, url: &str) -> Result<RequestBuilder<B>, Failure> {
        let parsed = Url::parse(url).map_err(|error| Failure::other(format!("{url}: {error}")))?;
        let proxy = self.proxies.of(parsed.host_str().unwrap_or_default())?;
        Ok(request.config().proxy(proxy).build())
    }
}

impl Answer {
    /// The body of an answer that went well.
    pub(crate) fn ok(self, what: &str) -> Result<Value, Failure> {
        match self.status {
            200..=299 => Ok(self.body),
            status => Err(self.refused(what, status)),
        }
    }

    /// What the other side says it is.
    pub(crate) fn error(&self) -> &str {
        self.body.get("error").and_then(Value::as_str).unwrap_or_default()
    }

    fn refused(&self, what: &str, status: u16) -> Failure {
        let told = ["detail", "error_description", "message"].iter().find_map(|key| self.body.get(key)?.as_str());
        let id = if self.audit_id.is_empty() { String::new() } else { format!(" (id {})", self.audit_id) };
        let clock = self.date.and_then(clock::fault).map(|fault| format!("; {fault}")).unwrap_or_default();
        let text = format!("{what}: {} {status}{id}{clock}", told.unwrap_or("the gateway answers"));
        match status {
            401 => Failure::LoginNeeded(format!("{text}; run `kubectl gatewarden login`")),
            403 => Failure::Denied(text),
            429 | 500..=599 => Failure::Network(text),
            _ => Failure::other(text),
        }
    }
}

fn read(url: &str, answer: Result<Response<Body>, ureq::Error>) -> Result<Answer, Failure> {
    let unreachable = |error: &dyn Error| {
        let place = url.split('/').take(3).collect::<Vec<_>>().join("/");
        let clock = if is_about_time(error) { said_here() } else { String::new() };
        let advice = "`kubectl gatewarden doctor` looks for the reason";
        Failure::Network(format!("{place} does not answer: {error}{clock}; {advice}"))
    };
    let mut answer = answer.map_err(|error| unreachable(&error))?;
    let audit_id = answer.headers().get("audit-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
    let status = answer.status().as_u16();
    let bytes = answer.body_mut().with_config().limit(MOST).read_to_vec().map_err(|error| unreachable(&error))?;
    Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), audit_id, date })
}

/// Whether a certificate was refused because of the day: it may be ours that is wrong.
fn is_about_time(error: &dyn Error) -> bool {
    let error = error.to_string();
    error.contains("expired") || error.contains("not valid yet")
}

fn said_here() -> String {
    format!("; this machine says that it is {:.0}: if it is not, {}", environment::now(), clock::FIX)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn certificates(pem: &str) -> Result<Vec<Certificate<'static>>, Failure> {
    let items: Result<Vec<_>, _> = parse_pem(pem.as_bytes()).collect();
    let items = items.map_err(|error| Failure::Usage(format!("the certificate authority is no PEM: {error}")))?;
    let found = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(Failure::Usage("the certificate authority holds no certificate: name a PEM file".to_owned()));
    }
    Ok(found)
}

/// Looks names up as the system does, except that what ends in `localhost` is this machine (RFC 6761 §6.3): browsers know
/// that, and many systems do not.
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        if !is_local(host) || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return DefaultResolver::default().resolve(uri, config, timeout);
        }
        let mut found = self.empty();
        let port = uri.port_u16().unwrap_or(443);
        found.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        Ok(found)
    }
}
