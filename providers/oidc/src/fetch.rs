//! Asking an issuer: bounded, and with its answers read strictly.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthError, Http, HttpError, HttpIdentity, HttpLimits};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Request, Response};

use crate::json::{self, Object};

const BYTES: usize = 1 << 20;
const LASTS: Duration = Duration::from_secs(3_600);
const LASTS_MIN: u64 = 300;
const LASTS_MAX: u64 = 24 * 3_600;

/// The way to the issuer.
#[derive(Debug, Clone)]
pub(crate) struct Fetch {
    pub(crate) http: Arc<dyn Http>,
    pub(crate) roots: Option<Arc<str>>,
    pub(crate) dangerous_plain: bool,
}

impl Fetch {
    /// Asks without saying who we are.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>, time: Duration) -> Result<Response<Vec<u8>>, AuthError> {
        self.send_as(None, request, time).await
    }

    /// Asks, and shows a certificate where there is one.
    pub(crate) async fn send_as(
        &self,
        identity: Option<Arc<HttpIdentity>>,
        request: Request<Vec<u8>>,
        time: Duration,
    ) -> Result<Response<Vec<u8>>, AuthError> {
        let field = if identity.is_some() { "clientCertificate" } else { "certificateAuthority" };
        let limits = HttpLimits::new(time, BYTES)
            .with_roots(self.roots.clone())
            .with_dangerous_plain(self.dangerous_plain)
            .with_identity(identity);
        self.http.send(request, limits).await.map_err(|error| failed(error, field))
    }

    /// Reads a document and how long it may be kept.
    pub(crate) async fn document(&self, url: &str, time: Duration) -> Result<(Object, Duration), AuthError> {
        let request = Request::get(url).header(ACCEPT, "application/json").body(Vec::new());
        let response = self.send(request.map_err(|_| no_address(url))?, time).await?;
        if response.status() != http::StatusCode::OK {
            return Err(refused(url, response.status()));
        }
        let object = object(&response).map_err(|why| AuthError::Protocol(format!("{url}: {why}")))?;
        Ok((object, lasts(response.headers())))
    }
}

/// The body as an object, when it says that it is JSON.
pub(crate) fn object(response: &Response<Vec<u8>>) -> Result<Object, String> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        return Err("not application/json".to_owned());
    }
    json::object(response.body())
}

/// An answer that is none of those foreseen: that of a system in trouble, or that of another system.
pub(crate) fn refused(url: &str, status: http::StatusCode) -> AuthError {
    let text = format!("{url} answered {}", status.as_u16());
    if passes(status) { AuthError::unavailable(text) } else { AuthError::Protocol(text) }
}

/// The status of a system that has trouble, or too many guests: it says nothing of who asks.
pub(crate) fn passes(status: http::StatusCode) -> bool {
    status.is_server_error() || status.as_u16() == 429 || status.as_u16() == 408
}

pub(crate) fn no_address(url: &str) -> AuthError {
    AuthError::Protocol(format!("`{url}` is no address"))
}

fn failed(error: HttpError, certificates: &str) -> AuthError {
    match error {
        HttpError::Refused(why) => AuthError::Misconfigured { field: "issuer".to_owned(), message: why.to_owned() },
        HttpError::Certificates(why) => {
            AuthError::Misconfigured { field: certificates.to_owned(), message: why.to_string() }
        }
        HttpError::TooLarge => AuthError::Protocol("the issuer's answer is larger than 1 MiB".to_owned()),
        other => AuthError::unavailable(other),
    }
}

fn lasts(headers: &HeaderMap) -> Duration {
    let control = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let age = control.split(',').find_map(|part| part.trim().strip_prefix("max-age=")?.parse::<u64>().ok());
    age.map_or(LASTS, |seconds| Duration::from_secs(seconds.clamp(LASTS_MIN, LASTS_MAX)))
}
