//! Requests that the gateway makes for itself. Only this folder can make one.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request};

use super::runtime::Role;

/// A question of our own, asked with one of the cluster's two accounts.
pub(crate) struct Own {
    pub(crate) role: Role,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
}

/// Its body may ask about a token.
impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("role", &self.role).field("uri", &self.head.uri).finish_non_exhaustive()
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Own {
    pub(super) fn get(role: Role, path: &'static str) -> Self {
        Self::new(role, Method::GET, path, Bytes::new())
    }

    pub(super) fn post(role: Role, path: &'static str, object: Bytes) -> Self {
        let mut own = Self::new(role, Method::POST, path, object);
        own.head.headers.insert(CONTENT_TYPE, JSON);
        own
    }

    /// Adds a header, as the probe does to impersonate. One that cannot be written is left out, and the answer tells.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.head.headers.append(name, value);
        }
        self
    }

    /// Wants another kind of answer than JSON of the API's own.
    pub(super) fn accepting(mut self, kind: HeaderValue) -> Self {
        self.head.headers.insert(ACCEPT, kind);
        self
    }

    /// Says who asks by a token.
    pub(super) fn bearing(mut self, authorization: HeaderValue) -> Self {
        self.head.headers.insert(AUTHORIZATION, authorization);
        self
    }

    fn new(role: Role, method: Method, path: &'static str, body: Bytes) -> Self {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = http::Uri::from_static(path);
        request.headers_mut().insert(ACCEPT, JSON);
        let (head, ()) = request.into_parts();
        Self { role, head, body }
    }
}
