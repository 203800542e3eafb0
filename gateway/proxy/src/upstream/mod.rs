//! The only way to a cluster.
//!
//! [`send`] takes an [`Outbound`], which nobody makes but the stage that rendered the caller's identity; [`ask`] takes
//! an [`Own`], which nobody makes but `cluster/`. Nothing else reaches the pool behind them.

mod answer;
mod breaker;
mod dial;
mod endpoint;
mod fault;
mod http1;
mod http2;
mod meters;
mod outgoing;
mod pool;
mod road;
mod settings;
mod upgrade;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

pub(crate) use answer::Answer;
pub(crate) use endpoint::Endpoint;
pub(crate) use fault::UpstreamFault;
pub(crate) use meters::Meters;
pub(crate) use pool::Pool;
pub use settings::PoolSettings;

use self::pool::Call;
use self::road::{Class, Lease};
use crate::body::Body;
use crate::boundary::{Cluster, Rejected};
use crate::cluster::{Own, Runtime, Speaker, State};
use crate::gate::Gate;
use crate::impersonate::{Outbound, Sending};
use crate::refusal::Refusal;

/// Sends a caller's request and gives back the answer as it streams.
///
/// # Errors
/// When the cluster is not open, cannot be reached, or does not begin its answer in time. The client learns no address.
pub(crate) async fn send(gate: &Gate, outbound: Outbound) -> Result<Response<Body>, Refusal> {
    let (cluster, sending) = outbound.into_sending();
    let runtime = gate.common.clusters.of(&cluster).map_err(|why| closed(&cluster, &why))?;
    if !runtime.is_open() {
        return Err(not_open(&cluster, &runtime.state()));
    }
    let class = class(&sending);
    let Sending { method, path, headers, body, speaker, upgrade, proxied, timeout: limit, life, hold, .. } = sending;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = path.into();
    *request.headers_mut() = headers;
    let (head, ()) = request.into_parts();
    let call = Call { runtime: &runtime, speaker, class, head, body: body.into() };
    let sent = begin(&gate.pool, call, (class == Class::Short).then_some(limit)).await;
    let (response, lease) = sent.map_err(|fault| refusal(&cluster, &fault))?;
    if response.status() == StatusCode::UNAUTHORIZED && !proxied {
        if speaker == Speaker::Caller {
            return Err(Refusal::Unauthenticated(Rejected::Revoked));
        }
        // It refused us, not the caller, whose client must not throw a good login away. The state of the cluster stays
        // what it was: one API behind it that answers so must not close the others.
        return Err(unavailable(&cluster, "it refuses the gateway's credential", Duration::from_secs(10)));
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(upgrade) = upgrade else {
            return Err(bad_gateway(&cluster, "it switched protocols unasked"));
        };
        if !upgrade.protocol.is_named_by(response.headers()) {
            return Err(bad_gateway(&cluster, "it switched to another protocol than asked"));
        }
        let ended = life.ended().clone();
        return Ok(upgrade::switch(
            &gate.pool,
            response,
            upgrade::Sides { client: upgrade.client, ended, hold, lease },
        ));
    }
    Ok(response.map(|frames| Answer::new(frames, lease, class, gate.pool.drain()).into()))
}

/// Sends a question of the gateway's own and reads the whole answer, which is small.
pub(crate) async fn ask(pool: &Pool, runtime: &Arc<Runtime>, own: Own) -> Result<(StatusCode, Bytes), UpstreamFault> {
    let Own { role, head, body } = own;
    let speaker = Speaker::Account(role);
    let call = Call { runtime, speaker, class: Class::Short, head, body: Body::full(body).into() };
    let (response, _lease) = begin(pool, call, Some(OWN_DEADLINE)).await?;
    let status = response.status();
    let read = timeout(OWN_DEADLINE, Limited::new(response.into_body(), OWN_ANSWER).collect()).await;
    match read {
        Ok(Ok(body)) => Ok((status, body.to_bytes())),
        Ok(Err(fault)) => Err(UpstreamFault::Unreachable(Some(fault))),
        Err(_late) => Err(UpstreamFault::Timeout),
    }
}

const OWN_DEADLINE: Duration = Duration::from_secs(10);
const OWN_ANSWER: usize = 256 * 1024;

async fn begin(
    pool: &Pool,
    call: Call<'_>,
    limit: Option<Duration>,
) -> Result<(Response<Incoming>, Lease), UpstreamFault> {
    let sent = pin!(pool.call(call));
    match limit {
        None => sent.await,
        Some(limit) => timeout(limit, sent).await.unwrap_or(Err(UpstreamFault::Timeout)),
    }
}

fn class(sending: &Sending) -> Class {
    match (&sending.upgrade, sending.long_running) {
        (Some(_), _) => Class::Upgrade,
        (None, _) if sending.proxied => Class::Proxied,
        (None, false) => Class::Short,
        (None, true) if is_watch(&sending.path) => Class::Watch,
        (None, true) => Class::Stream,
    }
}

fn is_watch(path: &PathAndQuery) -> bool {
    let asks = |pair: &str| pair.split('=').next() == Some("watch");
    path.query().is_some_and(|query| query.split('&').any(asks)) || path.path().split('/').any(|part| part == "watch")
}

fn not_open(cluster: &Cluster, state: &State) -> Refusal {
    match state {
        State::Closed(why) => Refusal::ClusterClosed { cluster: cluster.id().into(), why: (&**why).into() },
        State::Open => unavailable(cluster, "opened just now", Duration::from_secs(1)),
        State::Unproven(why) => unavailable(cluster, why, Duration::from_secs(5)),
    }
}

/// The one place where a fault of the line becomes an answer. The access log gets the whole chain, the client the kind.
fn refusal(cluster: &Cluster, fault: &UpstreamFault) -> Refusal {
    let chain = fault.chain();
    match fault {
        UpstreamFault::Unreachable(_) | UpstreamFault::Credential => {
            unavailable(cluster, &chain, Duration::from_secs(2))
        }
        UpstreamFault::Resting { retry_after } => unavailable(cluster, &chain, *retry_after),
        UpstreamFault::Full => {
            Refusal::TooMany { retry_after: Duration::from_secs(1), what: "requests to this cluster" }
        }
        UpstreamFault::Broken(fault) if fault.is_timeout() => Refusal::TimedOut { cluster: cluster.id().into() },
        UpstreamFault::Tls(_) | UpstreamFault::Broken(_) => bad_gateway(cluster, &chain),
        UpstreamFault::Body(_) => Refusal::bad_request("the body of the request cannot be read"),
        UpstreamFault::Timeout => Refusal::TimedOut { cluster: cluster.id().into() },
        UpstreamFault::Unfit(why) => Refusal::Internal(why),
    }
}

fn unavailable(cluster: &Cluster, why: &str, retry_after: Duration) -> Refusal {
    Refusal::ClusterUnavailable { cluster: cluster.id().into(), why: why.into(), retry_after }
}

fn closed(cluster: &Cluster, why: &str) -> Refusal {
    unavailable(cluster, why, Duration::from_secs(30))
}

fn bad_gateway(cluster: &Cluster, why: &str) -> Refusal {
    Refusal::BadGateway { cluster: cluster.id().into(), why: why.into() }
}

#[cfg(test)]
mod tests;
