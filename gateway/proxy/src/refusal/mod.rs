//! Every way to say no, and the one place that turns it into an answer.

use std::borrow::Cow;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use kube_wire::{CHALLENGE, Problem, RequestInfo, Status};

use crate::body::Body;
use crate::boundary::Rejected;

/// Why a request is not answered by its upstream.
///
/// A variant says who must act. What the client reads follows from it here; what only the audit log may know is in
/// [`Refusal::reason`].
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refusal {
    /// The request has no meaning, or two. The client must change: 400.
    #[error("{0}")]
    BadRequest(Cow<'static, str>),
    /// The target is longer than we read: 414.
    #[error("the target is too long")]
    UriTooLong,
    /// The header block is larger than we read: 431.
    #[error("the header block is too large")]
    HeadersTooLarge,
    /// Not for this method: 405.
    #[error("the method is not allowed")]
    MethodNotAllowed,
    /// The connection was made for another host: 421, and the client opens one for this.
    #[error("the gateway does not answer to this host name on this connection")]
    Misdirected,
    /// Nothing is at this path: 404.
    #[error("nothing is at this path")]
    NotFound,
    /// The credential does not tell who asks. The user logs in again: 401.
    #[error("credential refused: {0}")]
    Unauthenticated(Rejected),
    /// No grant, or no such cluster: the same 403, so that nobody can list clusters by asking.
    #[error("no grant for cluster {cluster}")]
    NoGrant { cluster: Box<str>, whom_to_ask: Box<str> },
    /// The token or the grant does not reach this far: 403.
    #[error("{0}")]
    OutOfScope(&'static str),
    /// The caller may not act as the one that `--as` names, or uses a name that is never given: 403.
    #[error("{0}")]
    MayNotActAs(Box<str>),
    /// The cluster takes tokens, and the caller's identity is larger than one may be: 403.
    #[error("{0}")]
    IdentityTooLarge(Box<str>),
    /// Somebody asks too much: 429.
    #[error("too many {what}")]
    TooMany { retry_after: Duration, what: &'static str },
    /// Revocations could not be read lately, the session store does not answer, or the audit log is full: 503.
    #[error("{what}")]
    Unavailable { retry_after: Duration, what: &'static str },
    /// The cluster cannot be reached or is not proven yet. Its operator must act: 503. The text is for the audit log.
    #[error("cluster {cluster} is unavailable: {why}")]
    ClusterUnavailable { cluster: Box<str>, why: Box<str>, retry_after: Duration },
    /// The cluster is closed by its own operator's fault, such as an account that may do too much: 503.
    #[error("cluster {cluster} is closed: {why}")]
    ClusterClosed { cluster: Box<str>, why: Box<str> },
    /// The cluster answered what no API server answers, or could not prove who it is: 502.
    #[error("cluster {cluster} answered wrongly: {why}")]
    BadGateway { cluster: Box<str>, why: Box<str> },
    /// The cluster did not begin its answer in time: 504.
    #[error("cluster {cluster} did not answer in time")]
    TimedOut { cluster: Box<str> },
    /// The session ended while the request was under way: 401.
    #[error("the session ended")]
    SessionEnded,
    /// A fault of ours: 500.
    #[error("internal: {0}")]
    Internal(&'static str),
    /// A stage panicked. A fault of ours: 500.
    #[error("a stage panicked")]
    Panicked,
}

/// In whose words a refusal is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// `metav1.Status`.
    Cluster,
    /// `application/problem+json`.
    Management,
}

/// Whom and what a refusal is about, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) surface: Surface,
    pub(crate) user: Option<&'a str>,
    pub(crate) asked: Option<&'a RequestInfo>,
    /// kubectl looks for what the cluster has. It shows no `Status` that refuses this, and shows text.
    pub(crate) discovers: bool,
}

impl Refusal {
    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::BadRequest(message.into())
    }

    /// The word for metrics and for a problem's type.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::UriTooLong => "uri-too-long",
            Self::HeadersTooLarge => "headers-too-large",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Misdirected => "misdirected",
            Self::NotFound => "not-found",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::NoGrant { .. } => "no-grant",
            Self::OutOfScope(_) => "out-of-scope",
            Self::MayNotActAs(_) => "may-not-act-as",
            Self::IdentityTooLarge(_) => "identity-too-large",
            Self::TooMany { .. } => "too-many-requests",
            Self::Unavailable { .. } => "unavailable",
            Self::ClusterUnavailable { .. } => "cluster-unavailable",
            Self::ClusterClosed { .. } => "cluster-closed",
            Self::BadGateway { .. } => "bad-gateway",
            Self::TimedOut { .. } => "timed-out",
            Self::SessionEnded => "session-ended",
            Self::Internal(_) => "internal",
            Self::Panicked => "panic",
        }
    }

    /// What the audit log keeps. It may say more than the client reads.
    pub(crate) fn reason(&self) -> String {
        self.to_string()
    }

    /// The refusal in Kubernetes' words.
    pub(crate) fn status(&self, about: About<'_>) -> Status {
        let forbidden = |why: &str| match (about.user, about.asked) {
            (Some(user), Some(asked)) => Status::forbidden_request(user, asked, why),
            _ => Status::forbidden(why.to_owned()),
        };
        match self {
            Self::BadRequest(message) => Status::bad_request(message.clone()),
            Self::UriTooLong => Status::failure(StatusCode::URI_TOO_LONG, "RequestURITooLong", self.to_string()),
            Self::HeadersTooLarge => Status::request_header_fields_too_large(self.to_string()),
            Self::MethodNotAllowed => Status::method_not_allowed(self.to_string()),
            Self::Misdirected => Status::misdirected(self.to_string()),
            Self::NotFound => Status::not_found(self.to_string()),
            Self::Unauthenticated(_) | Self::SessionEnded => Status::unauthorized().with_message(LOG_IN),
            Self::NoGrant { cluster, whom_to_ask } => {
                Status::forbidden(format!("no access to cluster {cluster:?}. {whom_to_ask}").trim_end().to_owned())
            }
            Self::OutOfScope(why) => forbidden(why),
            Self::MayNotActAs(message) | Self::IdentityTooLarge(message) => Status::forbidden(message.to_string()),
            Self::TooMany { retry_after, .. } => {
                Status::too_many_requests(*retry_after).with_message(format!("{self}: please wait and try again"))
            }
            Self::Unavailable { retry_after, what } => Status::service_unavailable(*what, *retry_after),
            Self::ClusterUnavailable { cluster, retry_after, .. } => {
                Status::service_unavailable(format!("cluster {cluster:?} is unavailable"), *retry_after)
            }
            // Without a time to wait: clients would wait for nothing, ten times over.
            Self::ClusterClosed { cluster, .. } => Status::failure(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                format!("cluster {cluster:?} is closed by the gateway; its operator must act"),
            ),
            Self::BadGateway { cluster, .. } => {
                Status::bad_gateway(format!("cluster {cluster:?} did not answer as an API server"))
            }
            Self::TimedOut { .. } => Status::gateway_timeout(),
            Self::Internal(_) | Self::Panicked => Status::internal("the gateway failed; its log knows the audit id"),
        }
    }

    /// The status of the answer.
    pub(crate) fn code_of_answer(&self) -> StatusCode {
        self.status(About { surface: Surface::Cluster, user: None, asked: None, discovers: false }).code()
    }

    /// The whole answer.
    pub(crate) fn respond(&self, about: About<'_>) -> Response<Body> {
        let status = self.status(about);
        let (content_type, body) = match about.surface {
            Surface::Management => return self.problem(&status).into_response().map(Body::full),
            Surface::Cluster if about.discovers && status.code() == StatusCode::FORBIDDEN => {
                ("text/plain; charset=utf-8", status.message().to_owned().into())
            }
            Surface::Cluster => (Status::CONTENT_TYPE, status.to_json()),
        };
        let mut response = Response::new(Body::full(body));
        *response.status_mut() = status.code();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(seconds) = status.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if status.code() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }

    /// Whether it came before we knew where the message ends. What follows on the same connection could then be a
    /// request to one reader and a body to another.
    pub(crate) fn doubts_the_message(&self) -> bool {
        match self {
            Self::BadRequest(_)
            | Self::UriTooLong
            | Self::HeadersTooLarge
            | Self::MethodNotAllowed
            | Self::Misdirected
            | Self::NotFound => true,
            Self::Unauthenticated(_)
            | Self::NoGrant { .. }
            | Self::OutOfScope(_)
            | Self::MayNotActAs(_)
            | Self::IdentityTooLarge(_)
            | Self::TooMany { .. }
            | Self::Unavailable { .. }
            | Self::ClusterUnavailable { .. }
            | Self::ClusterClosed { .. }
            | Self::BadGateway { .. }
            | Self::TimedOut { .. }
            | Self::SessionEnded
            | Self::Internal(_)
            | Self::Panicked => false,
        }
    }

    fn problem(&self, status: &Status) -> Problem {
        let problem = Problem::new(status.code(), self.code(), status.message());
        match status.retry_after() {
            Some(seconds) => problem.retried_after(Duration::from_secs(seconds)),
            None => problem,
        }
    }
}

const LOG_IN: &str = "Unauthorized: log in again (POST /api/v1/providers/<provider>/login)";

#[cfg(test)]
mod tests;
