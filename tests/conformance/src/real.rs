//! Ports for fixtures over real servers: real time, tasks on the test's runtime, HTTP over real connections.
#![expect(
    clippy::disallowed_methods,
    reason = "a real server lives in real time, and the runtime of a test ends its tasks"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth_core::testing::MemoryUsers;
use auth_core::{BoxFuture, Busy, Clock, Context, Http, HttpError, HttpLimits, Ports, Tasks};
use http::{Request, Response};
use jiff::Timestamp;
use reqwest::{Certificate, Client, redirect};

/// Real ports without local people, whose clock is ahead of the machine's by so much.
///
/// What a trip or a session of long ago is worth is found out by a provider that lives later.
pub fn ports(ahead: Duration) -> Ports {
    let clock = RealClock { ahead };
    Ports::new(Arc::new(clock), Arc::new(RuntimeTasks), Arc::new(MemoryUsers::default()))
        .with_http(Arc::new(Web::default()))
}

/// The circumstances of a call with thirty seconds left.
pub fn context() -> Context {
    Context::new(Instant::now() + Duration::from_secs(30), "conformance")
}

#[derive(Debug)]
struct RealClock {
    ahead: Duration,
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now().checked_add(self.ahead).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[derive(Debug)]
struct RuntimeTasks;

#[async_trait]
impl Tasks for RuntimeTasks {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    async fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Busy> {
        tokio::task::spawn_blocking(job);
        Ok(())
    }
}

/// By the certificates that they trust; none for those of the system.
type Clients = BTreeMap<Option<String>, Client>;

/// HTTP that keeps what [`Http`] promises, and a line that can be cut.
#[derive(Debug, Default)]
pub struct Web {
    cut: AtomicBool,
    clients: Mutex<Clients>,
}

impl Web {
    /// Cuts the line, or mends it: while it is cut nobody is reached. For servers that are too slow to stop.
    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    fn client(&self, limits: &HttpLimits) -> Result<Client, HttpError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let roots = limits.roots.as_deref().or(limits.dangerous_plain.then_some(""));
        if let Some(client) = clients.get(&roots.map(str::to_owned)) {
            return Ok(client.clone());
        }
        let made = client(roots).map_err(|error| HttpError::Certificates(error.into()))?;
        clients.insert(roots.map(str::to_owned), made.clone());
        Ok(made)
    }
}

#[async_trait]
impl Http for Web {
    async fn send(&self, request: Request<Vec<u8>>, limits: HttpLimits) -> Result<Response<Vec<u8>>, HttpError> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(HttpError::Failed("the line is cut".into()));
        }
        if request.uri().scheme_str() != Some("https") && !limits.dangerous_plain {
            return Err(HttpError::Refused("plain http"));
        }
        let mut request = reqwest::Request::try_from(request).map_err(|_| HttpError::Refused("no address"))?;
        *request.timeout_mut() = Some(limits.time);
        let mut answer = self.client(&limits)?.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limits.bytes {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

/// A client that trusts these certificates and no others, or else those of the system. It goes nowhere by itself and keeps
/// no connection: a server that was stopped leaves none that is dead.
pub(crate) fn client(roots: Option<&str>) -> reqwest::Result<Client> {
    let builder =
        Client::builder().tls_backend_rustls().redirect(redirect::Policy::none()).no_proxy().pool_max_idle_per_host(0);
    match roots {
        Some(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem.as_bytes())?).build(),
        None => builder.build(),
    }
}

fn failed(error: reqwest::Error) -> HttpError {
    if error.is_timeout() { HttpError::TimedOut } else { HttpError::Failed(error.without_url().into()) }
}
