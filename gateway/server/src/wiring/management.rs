//! The management API as the data plane's last stop: over the crossing, to the control plane's router.

use std::sync::Arc;

use axum::Router;
use axum::body::Body as ApiBody;
use gatewarden_control::{Arrival, Caller, Control};
use gatewarden_proxy::{Body, Management, ManagementFuture, ManagementRequest, Resolved};
use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::json;

use super::crossing::{Crossing, Lost};

/// Carries requests to the control plane.
#[derive(Debug)]
pub(super) struct Api {
    router: Router,
    crossing: Crossing,
}

impl Api {
    pub(super) fn new(control: Arc<Control>, crossing: Crossing) -> Self {
        Self { router: gatewarden_control::router(control), crossing }
    }
}

impl Management for Api {
    fn call(&self, request: ManagementRequest) -> ManagementFuture {
        let (router, crossing) = (self.router.clone(), self.crossing.clone());
        Box::pin(async move {
            let arrival = Arrival {
                caller: request.caller.map(|resolved| caller(&resolved)),
                client: request.client,
                trace_id: request.audit_id,
            };
            let request = Request::from_parts(request.head, ApiBody::new(request.body));
            let answer = crossing.run(async move { gatewarden_control::enter(&router, request, arrival).await }).await;
            match answer {
                Ok(response) => response.map(Body::boxed),
                Err(Lost::Full) => problem(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many requests at once."),
                Err(Lost::Gone) => {
                    problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The request was not finished.")
                }
            }
        })
    }
}

fn caller(resolved: &Resolved) -> Caller {
    let session = &resolved.session;
    Caller {
        token: resolved.token.clone(),
        expires_at: Timestamp::try_from(resolved.expires_at).unwrap_or(Timestamp::UNIX_EPOCH),
        session: session.id().to_owned(),
        user: session.user().to_owned(),
        provider: session.provider().to_owned(),
        principal: session.principal().to_owned(),
        identity: session.identity().clone(),
    }
}

/// The API's own form of an error, for when the API could not be asked.
fn problem(status: StatusCode, code: &str, title: &str) -> Response<Body> {
    let text = json!({ "type": format!("urn:gatewarden:error:{code}"), "title": title, "status": status.as_u16() });
    let mut response = Response::new(Body::full(text.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
