//! The gateway's own API, as the last stop of the same pipeline.

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderName, Response};
use tokio::time::timeout;

use crate::admit::{Asked, Public};
use crate::audit::{self, Record};
use crate::authorize::Managed;
use crate::body::Body;
use crate::boundary::{ManagementRequest, Resolved};
use crate::gate::Gate;
use crate::impersonate::is_identity_or_hop;
use crate::refusal::Refusal;
use crate::relay::named_by_connection;

/// Hands on a request that asks nobody who it is from.
pub(crate) async fn open(gate: &Gate, public: Public, record: &mut Record) -> Result<Response<Body>, Refusal> {
    call_with(gate, public.into_request(), None, record).await
}

/// Hands on a caller's request.
pub(crate) async fn call(gate: &Gate, managed: Managed, record: &mut Record) -> Result<Response<Body>, Refusal> {
    let (admitted, caller) = managed.into_parts();
    call_with(gate, admitted.into_request(), Some(Arc::clone(caller.resolved())), record).await
}

async fn call_with(
    gate: &Gate,
    mut asked: Asked,
    caller: Option<Arc<Resolved>>,
    record: &mut Record,
) -> Result<Response<Body>, Refusal> {
    if asked.head.headers.keys().any(kube_wire::header::is_impersonation) {
        return Err(Refusal::bad_request("nobody can act as another here"));
    }
    strip(&mut asked.head);
    audit::before_sending(gate, record).await?;
    let request = ManagementRequest {
        head: asked.head,
        body: asked.body,
        caller,
        audit_id: record.audit_id().to_owned(),
        client: asked.peer.ip(),
    };
    let limit = gate.common.snapshot.load().limits().response_timeout;
    let answer = record.upstream(timeout(limit, gate.common.management.call(request))).await;
    answer.map_err(|_elapsed| Refusal::TimedOut { cluster: "management".into() })
}

/// Leaves nothing by which the API behind could be told another caller or another address than ours.
fn strip(head: &mut Parts) {
    let mut unwanted: Vec<HeaderName> = head.headers.keys().filter(|name| is_identity_or_hop(name)).cloned().collect();
    unwanted.extend(named_by_connection(&head.headers));
    unwanted.extend([AUTHORIZATION, COOKIE]);
    for name in unwanted {
        head.headers.remove(name);
    }
    head.extensions.clear();
}
