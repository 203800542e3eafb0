//! HTTP/1.1 connections to one endpoint: one request at a time each, kept between requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::meters::Open;
use super::outgoing::Reading;
use super::settings::PoolSettings;
use crate::executor::Executor;

/// Lines of a response's head.
const HEAD_LINES: usize = 512;

/// The connections that wait for a request, and the number of those that exist.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    idle: Mutex<Vec<Idle>>,
    open: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<Reading>,
    place: Place,
    swept: bool,
}

/// One of the connections that may exist.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

/// A connection in use by one request.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) sender: SendRequest<Reading>,
    place: Place,
}

impl Shelf {
    /// A connection that waits.
    pub(super) fn take(&self) -> Option<Held> {
        let mut idle = self.lock();
        idle.retain(|idle| !idle.sender.is_closed());
        // The one used last: the others grow old and close.
        let at = idle.iter().rposition(|idle| idle.sender.is_ready())?;
        let Idle { sender, place, .. } = idle.remove(at);
        Some(Held { sender, place })
    }

    /// Permission for one more connection.
    pub(super) fn place(&self, limit: usize) -> Option<Place> {
        let place = Place(Arc::clone(&self.open));
        // Counted before the check, so that a place that is refused gives itself back.
        (self.open.fetch_add(1, Ordering::Relaxed) < limit).then_some(place)
    }

    /// Puts a connection back when its answer is at its end. One that is not done yet is skipped until it is.
    pub(super) fn give_back(&self, held: Held) {
        let Held { sender, place } = held;
        if !sender.is_closed() {
            self.lock().push(Idle { sender, place, swept: false });
        }
    }

    /// Whether no connection exists.
    pub(super) fn is_empty(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Closes connections that waited through a whole sweep.
    pub(super) fn sweep(&self) {
        self.lock().retain_mut(|idle| !idle.sender.is_closed() && !std::mem::replace(&mut idle.swept, true));
    }

    // No code that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Speaks HTTP/1.1 on a fresh connection. An upgrade needs `upgrades`, which keeps the connection's bytes for it.
pub(super) async fn open(
    io: TlsStream<TcpStream>,
    open: Open,
    place: Place,
    settings: &PoolSettings,
    executor: &Executor,
) -> hyper::Result<Held> {
    let mut builder = Builder::new();
    let bytes = usize::try_from(settings.head_bytes).unwrap_or(usize::MAX);
    builder.max_buf_size(bytes).max_headers(HEAD_LINES);
    let (sender, connection) = builder.handshake(TokioIo::new(io)).await?;
    executor.spawn(async move {
        if let Err(fault) = connection.with_upgrades().await {
            tracing::debug!(fault = %fault, "an upstream connection ended");
        }
        drop(open);
    });
    Ok(Held { sender, place })
}
