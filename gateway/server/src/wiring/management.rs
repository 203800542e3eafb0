//! The management API as the data plane's last stop: over the crossing, to the control plane's router.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body as ApiBody;
use gatewarden_control::{Arrival, Caller, Control, Noted};
use gatewarden_proxy::{Body, Front, Management, ManagementFuture, ManagementRequest, Reasons, Resolved};
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use kube_wire::Problem;

use super::crossing::{Crossing, Lost};

/// Carries requests to the control plane.
#[derive(Debug)]
pub(super) struct Api {
    api: Router,
    console: Router,
    crossing: Crossing,
}

impl Api {
    pub(super) fn new(control: Arc<Control>, crossing: Crossing) -> Self {
        let (api, console) = (gatewarden_control::router(Arc::clone(&control)), gatewarden_control::console(control));
        Self { api, console, crossing }
    }
}

impl Management for Api {
    fn call(&self, request: ManagementRequest) -> ManagementFuture {
        let router = match request.front {
            Front::Api => self.api.clone(),
            Front::Console => self.console.clone(),
        };
        let crossing = self.crossing.clone();
        Box::pin(async move {
            let arrival = Arrival {
                caller: request
                    .caller
                    .map(|resolved| caller(&resolved, request.reasons, (request.open, request.is_administrator))),
                client: request.client,
                trace_id: request.audit_id,
            };
            let request = Request::from_parts(request.head, ApiBody::new(request.body));
            let answer = crossing.run(async move { gatewarden_control::enter(&router, request, arrival).await }).await;
            match answer {
                Ok(response) => noted(response).map(Body::boxed),
                Err(Lost::Full) => problem(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many requests at once."),
                Err(Lost::Gone) => {
                    problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The request was not finished.")
                }
            }
        })
    }
}

/// Hands on what is for the audit log: neither crate knows the other's word for it.
fn noted<B>(mut response: Response<B>) -> Response<B> {
    if let Some(Noted { session, refused }) = response.extensions_mut().remove::<Noted>() {
        let session = session.map(|gatewarden_control::NotedSession { id, provider, principal }| {
            gatewarden_proxy::NotedSession { id, provider, principal }
        });
        response.extensions_mut().insert(gatewarden_proxy::Noted { session, refused });
    }
    response
}

fn caller(resolved: &Resolved, why: Reasons, (clusters, is_administrator): (BTreeMap<String, bool>, bool)) -> Caller {
    let session = &resolved.session;
    Caller {
        token: resolved.token.clone(),
        expires_at: Timestamp::try_from(resolved.expires_at).unwrap_or(Timestamp::UNIX_EPOCH),
        session: session.id().to_owned(),
        user: session.user().to_owned(),
        provider: session.provider().to_owned(),
        principal: session.principal().to_owned(),
        identity: session.identity().clone(),
        reasons: gatewarden_control::Reasons {
            subjects: why.subjects,
            granted_to: why.granted_to,
            by_token: why.by_token,
            cluster_hosts: why.cluster_hosts,
            hosts: why.hosts,
            whom_to_ask: why.whom_to_ask,
        },
        clusters,
        is_administrator,
    }
}

/// The API's own form of an error, for when the API could not be asked.
fn problem(status: StatusCode, word: &str, detail: &str) -> Response<Body> {
    Problem::new(status, word, detail).retried_after(Duration::from_secs(1)).into_response().map(Body::full)
}
