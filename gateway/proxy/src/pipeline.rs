//! The whole life of a request, on one screen.
//!
//! `listener` makes [`Incoming`] and calls [`answer`]; nothing else enters here. Every stage takes the request by value
//! and hands it on inside evidence that only it can make, so a stage that is left out is a type error. The [`Record`]
//! goes along and learns what the stages find out; whatever happens, it is closed exactly once.
//!
//! Two doors lead out, and each accepts one kind of evidence:
//! - `upstream::send(&Gate, Outbound) -> Result<Response<Body>, Refusal>` is the only one to a cluster. It adds the
//!   cluster's own credential and host, and refuses a cluster that is not proven or does not answer. After a 101 it
//!   runs the tunnel, ends it with the session, and drops [`crate::audit::Hold`] when it is over.
//! - [`management`] leads to the gateway's own API.
//!
//! Beside them, `cluster::review(&Gate, &Arc<Cluster>, Review)` asks a cluster whether a caller may act as another.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::Response;

use crate::admit::{Entry, Incoming};
use crate::audit::Record;
use crate::authorize::Permitted;
use crate::body::Body;
use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::{admit, audit, authenticate, authorize, impersonate, management, relay, upstream};

/// Answers one request, whatever becomes of it.
///
/// A panic in a stage is a fault of ours: the client gets a 500, the connection and its other requests go on.
pub(crate) async fn answer(gate: &Gate, incoming: Incoming) -> Response<Body> {
    let mut record = Record::open(&gate.common, &incoming);
    match AssertUnwindSafe(serve(gate, incoming, &mut record)).catch_unwind().await {
        Ok(Ok(response)) => record.answered(response),
        Ok(Err(refusal)) => record.refused(&refusal),
        Err(_panic) => record.refused(&Refusal::Panicked),
    }
}

async fn serve(gate: &Gate, incoming: Incoming, record: &mut Record) -> Result<Response<Body>, Refusal> {
    let admitted = match admit::run(gate, incoming, record)? {
        Entry::Public(public) => return management::open(gate, public, record).await,
        Entry::Private(admitted) => admitted,
    };
    let caller = authenticate::run(gate, admitted, record).await?;
    let permitted = match authorize::run(gate, caller, record)? {
        Permitted::Management(permitted) => return management::call(gate, permitted, record).await,
        Permitted::Cluster(permitted) => permitted,
    };
    let outbound = impersonate::run(gate, permitted, record).await?;
    audit::before_sending(gate, record).await?;
    let life = outbound.life().clone();
    let sent = record.upstream(upstream::send(gate, outbound));
    let response = life.ended().run_until_cancelled(sent).await.ok_or(Refusal::SessionEnded)??;
    Ok(relay::run(response, life))
}
