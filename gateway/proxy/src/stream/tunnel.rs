//! Two upgraded connections, joined: bytes of exec, attach and port-forward, which the gateway never reads.
//!
//! The copy begins only when both sides have switched. Bytes that a client sent early sit in hyper's buffer until
//! then; copied before the upstream agreed, they would be read there as a second request (request smuggling).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio_util::sync::CancellationToken;

use super::{Counted, Drain};

/// Terminals send little at a time and port-forwards much: one TLS record holds either.
const CHUNK: usize = 16 * 1024;

/// For both sides to switch after the 101 was seen.
const SWITCH: Duration = Duration::from_secs(10);

/// Two sides that agreed to switch, and what ends them.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) upstream: OnUpgrade,
    /// The session's end.
    pub(crate) ended: CancellationToken,
    pub(crate) drain: Drain,
    /// Ends a tunnel on which nothing moves for so long.
    pub(crate) idle: Option<Duration>,
}

/// Bytes that a tunnel carried: to the upstream, and back.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

/// Copies until both sides have closed, or until the session, the drain or the idle limit ends the tunnel.
///
/// One side's end of stream is passed on while the other direction goes on: `kubectl exec -i` closes its input first
/// and then reads the output to its end.
pub(crate) async fn join(tunnel: Tunnel) -> Carried {
    let Tunnel { client, upstream, ended, drain, idle } = tunnel;
    let switched = async { tokio::try_join!(client, upstream) };
    let Ok(Ok((client, upstream))) = tokio::time::timeout(SWITCH, switched).await else {
        return Carried::default();
    };
    let (up, down) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut client = Counted::new(TokioIo::new(client), Arc::clone(&up));
    let mut upstream = Counted::new(TokioIo::new(upstream), Arc::clone(&down));
    tokio::select! {
        _ = copy_bidirectional_with_sizes(&mut client, &mut upstream, CHUNK, CHUNK) => {}
        () = ended.cancelled() => {}
        () = drain.long_over() => {}
        () = silent(idle, &up, &down) => {}
    }
    // A proper close of TLS tells the client an end from an attack on the line. A peer that is gone cannot be told.
    let closed = async { tokio::join!(client.shutdown(), upstream.shutdown()) };
    let _ = tokio::time::timeout(Duration::from_secs(1), closed).await;
    Carried { up: up.load(Ordering::Relaxed), down: down.load(Ordering::Relaxed) }
}

async fn silent(limit: Option<Duration>, up: &AtomicU64, down: &AtomicU64) {
    let Some(limit) = limit else { return std::future::pending().await };
    let moved = || up.load(Ordering::Relaxed).wrapping_add(down.load(Ordering::Relaxed));
    let mut before = moved();
    loop {
        tokio::time::sleep(limit).await;
        let now = moved();
        if now == before {
            return;
        }
        before = now;
    }
}
