//! RFC 9457 problems: how the gateway's own API tells a failure, whichever part of the gateway says no.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

/// What every 401 asks for. RFC 9110 §15.5.2: a 401 names a challenge.
pub const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"gatewarden\"");

/// A failure: a word that programs match on and that never changes, and a sentence for people.
///
/// ```
/// use http::StatusCode;
/// use kube_wire::Problem;
///
/// let answer = Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing at this path.").into_response();
/// assert_eq!(answer.headers()["content-type"], "application/problem+json");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    r#type: String,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    /// Makes a problem of the type `urn:gatewarden:error:<word>`.
    pub fn new(status: StatusCode, word: &str, detail: impl Into<String>) -> Self {
        Self {
            r#type: format!("urn:gatewarden:error:{word}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            provider: None,
            retry_after: None,
        }
    }

    /// Names the login provider that it is about.
    #[must_use]
    pub fn of_provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Says when trying again can help, in whole seconds, rounded up and never zero: whoever comes back too early is
    /// refused again.
    #[must_use]
    pub fn retried_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// The HTTP status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The whole answer. Nobody keeps it, and no browser guesses another content type.
    pub fn into_response(self) -> Response<Bytes> {
        // Only text and numbers: there is nothing that could fail to be written.
        let body = serde_json::to_vec(&self).map(Bytes::from).unwrap_or_default();
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests;
