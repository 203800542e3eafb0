//! `metav1.Status`: how a refusal is told, so that kubectl and client-go understand it.
//!
//! client-go tries again on 429, and on 5xx only with a `Retry-After` header. A refusal that could succeed later
//! therefore carries the seconds twice: in the header and in `details.retryAfterSeconds`.

mod forbidden;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// A failure as the Kubernetes API tells it.
///
/// ```
/// use kube_wire::Status;
///
/// let status = Status::unauthorized();
/// assert_eq!(status.code(), http::StatusCode::UNAUTHORIZED);
/// assert_eq!(status.message(), "Unauthorized");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    #[serde(rename = "apiVersion")]
    api_version: Cow<'static, str>,
    kind: Cow<'static, str>,
    #[serde(default)]
    metadata: Empty,
    status: Cow<'static, str>,
    #[serde(default)]
    message: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    reason: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    #[serde(default)]
    code: u16,
}

/// The `metadata` that every Status carries and nobody fills.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Empty {}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

impl Status {
    /// The content type of [`Status::to_json`].
    pub const CONTENT_TYPE: &'static str = "application/json";

    /// Makes a failure with a reason of the caller's own; prefer the named ones, whose pairs are Kubernetes' own.
    pub fn failure(code: StatusCode, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            api_version: Cow::Borrowed("v1"),
            kind: Cow::Borrowed("Status"),
            metadata: Empty {},
            status: Cow::Borrowed("Failure"),
            message: message.into(),
            reason: Cow::Borrowed(reason),
            details: None,
            code: code.as_u16(),
        }
    }

    /// 400: the request cannot mean anything.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 401 with the one message that kube-apiserver gives, whatever the reason was.
    ///
    /// More would tell a guesser which half was right.
    pub fn unauthorized() -> Self {
        Self::failure(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// 403 with a message of the gateway's own.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// 404: there is nothing at this path.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// 405: the path exists, and not for this method.
    pub fn method_not_allowed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// 421: the connection was made for another host name.
    pub fn misdirected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::MISDIRECTED_REQUEST, "MisdirectedRequest", message)
    }

    /// 429: wait and try again.
    pub fn too_many_requests(retry: Duration) -> Self {
        Self::failure(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "too many requests: please wait and try again")
            .retried_after(retry)
    }

    /// 431: the header block is larger than the gateway reads.
    pub fn request_header_fields_too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "RequestHeaderFieldsTooLarge", message)
    }

    /// 500: the gateway failed at something that should not fail.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// 502: the cluster's answer makes no sense, or it could not prove who it is.
    pub fn bad_gateway(message: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::BAD_GATEWAY, "BadGateway", message)
    }

    /// 503: something needed is away for now.
    pub fn service_unavailable(message: impl Into<Cow<'static, str>>, retry: Duration) -> Self {
        Self::failure(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message).retried_after(retry)
    }

    /// 504 in kube-apiserver's words for a deadline that passed.
    pub fn gateway_timeout() -> Self {
        Self::failure(
            StatusCode::GATEWAY_TIMEOUT,
            "Timeout",
            "Timeout: request did not complete within requested timeout",
        )
    }

    /// Replaces the message and keeps code and reason.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// The HTTP status code.
    pub fn code(&self) -> StatusCode {
        StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The word that programs match on.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The sentence that people read.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The seconds for the `Retry-After` header, when trying again can help.
    pub fn retry_after(&self) -> Option<u64> {
        self.details.as_ref().and_then(|details| details.retry_after_seconds)
    }

    /// The body.
    pub fn to_json(&self) -> Bytes {
        // Strings and numbers always serialize; an empty body would still carry the right code.
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }

    /// Whole seconds, rounded up and never zero: "after 0 seconds" would invite a storm.
    fn retried_after(mut self, retry: Duration) -> Self {
        let seconds = retry.as_secs() + u64::from(retry.subsec_nanos() > 0);
        self.details.get_or_insert_default().retry_after_seconds = Some(seconds.max(1));
        self
    }
}
