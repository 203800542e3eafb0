//! Request bodies: small, of one type, and exactly as documented.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::control::Control;

const MAX_BYTES: usize = 16 * 1024;
/// A body of 16 KiB that takes longer is held back on purpose.
const DEADLINE: Duration = Duration::from_secs(10);

/// Reads a JSON object. `fields` is what a refusal says instead of repeating the input, which may hold a password.
pub(super) async fn read<T: DeserializeOwned>(
    control: &Control,
    headers: &HeaderMap,
    body: Body,
    fields: &str,
) -> Result<T, Problem> {
    if !is_json(headers) {
        return Err(Problem::new(415, "unsupported-media-type", "Send the body as application/json."));
    }
    let bytes = tokio::select! {
        read = to_bytes(body, MAX_BYTES) => read.map_err(|error| unread(&error))?,
        () = control.clock().sleep(DEADLINE) => {
            return Err(Problem::new(408, "body-timeout", "The body did not arrive in time."));
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::new(400, "invalid-body", format!("The body must be a JSON object with exactly {fields} ({place})."))
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn unread(error: &axum::Error) -> Problem {
    let too_long =
        std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
    if too_long {
        return Problem::new(413, "body-too-large", "The body is larger than 16 KiB.");
    }
    Problem::new(400, "invalid-body", "The body broke off.")
}
