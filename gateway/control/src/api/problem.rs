//! Which problem each error of the API is.

use std::time::Duration;

use auth_core::MappingError;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::noted::Noted;
use crate::login::LoginError;
use crate::store::StoreFault;

/// How long to wait when nobody knows better.
const RETRY: Duration = Duration::from_secs(5);

/// An answer that says what went wrong, and to programs in a word that never changes.
#[derive(Debug)]
pub(crate) struct Problem {
    told: kube_wire::Problem,
    /// What the client is not told.
    noted: Option<Box<Noted>>,
}

impl Problem {
    pub(super) fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { told: kube_wire::Problem::new(status, code, detail), noted: None }.retry_after(None)
    }

    fn of(self, provider: impl ToString) -> Self {
        Self { told: self.told.of_provider(provider.to_string()), ..self }
    }

    fn retry_after(self, wait: Option<Duration>) -> Self {
        match self.told.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Self { told: self.told.retried_after(wait.unwrap_or(RETRY)), ..self }
            }
            _ => self,
        }
    }
}

impl From<StoreFault> for Problem {
    fn from(fault: StoreFault) -> Self {
        tracing::error!(why = %auth_core::with_causes(&fault), "the store failed");
        Self::new(503, "unavailable", "The gateway's store does not answer. Try again later.")
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        let noted = Some(Box::new(Noted::no_login(&error)));
        Self { noted, ..refused(error) }
    }
}

fn refused(error: LoginError) -> Problem {
    match error {
        LoginError::UnknownProvider => Problem::new(404, "unknown-provider", "There is no such login provider."),
        LoginError::Refused { provider, error } => {
            Problem::new(error.http_status(), error.code(), error.public_message())
                .of(provider)
                .retry_after(error.retry_after())
        }
        LoginError::Mapping { provider, error } => mapping(&error).of(provider),
        LoginError::NameTaken { provider, name, .. } => Problem::new(
            403,
            "name-taken",
            format!(
                "The cluster user name {name:?} belongs to another account. \
                     An administrator releases it with: gatewarden cluster release-name {}",
                quoted(&name)
            ),
        )
        .of(provider),
        LoginError::Over => Problem::new(410, "login-over", "This login took too long. Start it anew."),
        LoginError::Store(fault) => fault.into(),
        LoginError::Keys(fault) => {
            tracing::error!(why = %auth_core::with_causes(&fault), "no token can be made");
            Problem::new(500, "internal", "The gateway could not make a token.")
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
        // The operator's words for this person.
        MappingError::Invalid { message } => {
            return Problem::new(403, "not-admitted", format!("You may not log in here: {message}."));
        }
        // Why a rule of the configuration fails is for the audit record.
        MappingError::Expression { .. } => {
            let told =
                "Clusters cannot be told who you are: a rule of this login does not fit you. Tell your administrator.";
            return Problem::new(403, "not-mappable", told);
        }
        _ => "not-mappable",
    };
    Problem::new(403, code, format!("Clusters cannot be told who you are: {error}. Tell your administrator."))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.told.into_response().map(Body::from);
        if let Some(noted) = self.noted {
            response.extensions_mut().insert(*noted);
        }
        response
    }
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
