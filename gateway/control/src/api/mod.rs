//! The management API in HTTP.
//!
//! The caller was authenticated before a request comes here. [`enter`] puts who it is into the request, under a type
//! that nobody else can name; the handlers have no other way to learn of an identity.

mod body;
mod cluster_token;
mod clusters;
mod description;
mod entered;
mod handlers;
mod noted;
mod operations;
mod problem;
mod segment;
mod sessions;

pub use clusters::Reasons;
pub use description::openapi;
pub use entered::{Arrival, Caller, enter};
pub(crate) use entered::{Entered, agent};
pub use noted::{Noted, NotedSession};

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;

use crate::control::Control;
use problem::Problem;

/// The routes of `/api/v1`. Served only through [`enter`].
pub fn router(control: Arc<Control>) -> Router {
    operations::routes()
        .method_not_allowed_fallback(async || {
            Problem::new(405, "method-not-allowed", "This path takes another method.")
        })
        .fallback(async || Problem::new(404, "not-found", "There is nothing at this path."))
        .layer(map_response(never_stored))
        .with_state(control)
}

/// Every answer here is about one person at one moment.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
