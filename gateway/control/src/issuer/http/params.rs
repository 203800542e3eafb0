//! The parameters of a request: each at most once (RFC 6749 §3.1), and an empty one is none.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::pages::Failed;
use super::texts::Texts;
use crate::api::Entered;

/// Parameters by name.
#[derive(Debug, Default)]
pub(super) struct Params(BTreeMap<String, String>);

/// Why parameters cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("a parameter stands there twice")]
    Twice,
    #[error("the body must be application/x-www-form-urlencoded, of 16 KiB at most")]
    NoForm,
}

impl Unreadable {
    /// What a browser is shown, at every address: nobody knows what the request was about.
    pub(super) fn page(&self, headers: &HeaderMap, entered: &Entered) -> Response {
        let texts = Texts::wanted(headers);
        Failed::new(texts, texts.bad_request, entered.arrival()).with(StatusCode::BAD_REQUEST)
    }
}

/// Bytes of a form.
pub(super) const MOST: usize = 16 * 1024;

/// Whether a body says that it is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

impl Params {
    /// Reads the query of an address.
    pub(super) fn of_query(query: Option<String>) -> Result<Self, Unreadable> {
        Self::read(query.unwrap_or_default().as_bytes())
    }

    /// Reads a query or a form.
    pub(super) fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let mut found = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            if found.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Unreadable::Twice);
            }
        }
        found.retain(|_, value| !value.is_empty());
        Ok(Self(found))
    }

    /// Reads the form in a body.
    pub(super) async fn of_form(headers: &HeaderMap, body: Body) -> Result<Self, Unreadable> {
        if !is_form(headers) {
            return Err(Unreadable::NoForm);
        }
        // The data plane has waited for the whole of it, and given up on one that dripped in.
        let bytes = to_bytes(body, MOST).await.map_err(|_| Unreadable::NoForm)?;
        Self::read(&bytes)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_there_once_and_an_empty_one_is_none() {
        let read = Params::read(b"client_id=a%20b&state=&x=1").expect("read");
        assert_eq!((read.get("client_id"), read.get("state"), read.get("x")), (Some("a b"), None, Some("1")));
        assert_eq!(Params::read(b"a=1&b=2&a=1").unwrap_err(), Unreadable::Twice);
        assert_eq!(Params::read(b"a=&a=1").unwrap_err(), Unreadable::Twice);
    }
}
