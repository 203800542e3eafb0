//! Errors as RFC 9457 problems.

use std::time::Duration;

use auth_core::MappingError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::login::LoginError;
use crate::store::StoreFault;

/// How long to wait when nobody knows better.
const RETRY: Duration = Duration::from_secs(5);

/// An answer that says what went wrong, and to programs in a word that never changes.
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    code: &'static str,
    detail: String,
    retry_after: Option<Duration>,
    provider: Option<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
}

impl Problem {
    pub(super) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: None, provider: None }
    }

    fn of(mut self, provider: impl ToString) -> Self {
        self.provider = Some(provider.to_string());
        self
    }

    fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}

impl From<StoreFault> for Problem {
    fn from(fault: StoreFault) -> Self {
        tracing::error!(why = %crate::store::chain(&fault), "the store failed");
        Self::new(503, "unavailable", "The gateway's store does not answer. Try again later.")
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::UnknownProvider => Self::new(404, "unknown-provider", "There is no such login provider."),
            LoginError::Refused { provider, error } => {
                Self::new(error.http_status(), error.code(), error.public_message())
                    .of(provider)
                    .retry_after(error.retry_after())
            }
            LoginError::Mapping { provider, error } => mapping(&error).of(provider),
            LoginError::NameTaken { provider, name, .. } => Self::new(
                403,
                "name-taken",
                format!(
                    "The cluster user name {name:?} belongs to another account. \
                     An administrator releases it with: gatewarden cluster release-name {}",
                    quoted(&name)
                ),
            )
            .of(provider),
            LoginError::Store(fault) => fault.into(),
            LoginError::Keys(fault) => {
                tracing::error!(why = %crate::store::chain(&fault), "no token can be made");
                Self::new(500, "internal", "The gateway could not make a token.")
            }
        }
    }
}

/// As one word of a shell: the name may come from a directory that others fill, and the command is there to be copied.
fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', r"'\''"))
}

fn mapping(error: &MappingError) -> Problem {
    let code = match error {
        MappingError::TooManyGroups { .. } => "too-many-groups",
        MappingError::TooLarge { .. } => "identity-too-large",
        _ => "not-mappable",
    };
    Problem::new(403, code, format!("Clusters cannot be told who you are: {error}. Tell your administrator."))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let written = Written {
            r#type: format!("urn:gatewarden:error:{}", self.code),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &self.detail,
            provider: self.provider.as_deref(),
        };
        // Only text and numbers: there is nothing that could fail to be written.
        let body = serde_json::to_vec(&written).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self.status, 429 | 503) {
            headers.insert(header::RETRY_AFTER, seconds(self.retry_after.unwrap_or(RETRY)));
        }
        if self.status == 401 {
            // RFC 9110 §15.5.2: a 401 names a challenge.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gatewarden\""));
        }
        response
    }
}

/// Rounded up: whoever comes back too early is refused again.
fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_command_is_one_word_whatever_it_holds() {
        assert_eq!(quoted("corp:alice"), "'corp:alice'");
        assert_eq!(quoted("a'; $(reboot) `x`"), r"'a'\''; $(reboot) `x`'");
    }
}
