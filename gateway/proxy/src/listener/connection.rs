//! One connection: the TLS handshake, then HTTP/2 or HTTP/1.1 until it ends or is asked to.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::idle::HeadTimer;
use super::running::Shared;
use super::worker::{Visitor, Worker};
use crate::admit::Peer;
use crate::socket;
use crate::stream::{Counted, Streams, jitter};

/// Serves a connection to its end.
pub(super) async fn serve(worker: Arc<Worker>, stream: TcpStream, mut visitor: Visitor) {
    let address = visitor.address;
    let shared = Arc::clone(&worker.shared);
    let _open = Open::new(&shared.meters.open);
    if socket::set_up(&stream).is_err() {
        return; // the client is gone
    }
    let handshake = TlsAcceptor::from(Arc::clone(&shared.tls)).accept(stream);
    let io = tokio::select! {
        shaken = timeout(shared.timeouts.handshake, handshake) => match shaken {
            Ok(Ok(io)) => io,
            Ok(Err(fault)) => return no_tls(&shared, address, &fault.to_string()),
            Err(_late) => return no_tls(&shared, address, "too slow"),
        },
        () = shared.drain.begun() => return,
    };
    visitor.place.shook_hands();
    let session = io.get_ref().1;
    let peer = Arc::new(Peer::new(&shared.common, address, session.server_name()));
    if session.alpn_protocol() == Some(b"h2") {
        serve_http2(worker, io, peer).await;
    } else {
        serve_http1(worker, io, peer).await;
    }
}

fn no_tls(shared: &Shared, address: SocketAddr, why: &str) {
    shared.meters.handshakes_failed.inc();
    tracing::debug!(client = %address.ip(), why, "no TLS");
}

/// Counts an open connection until it is dropped.
struct Open<'a>(&'a Gauge);

impl<'a> Open<'a> {
    fn new(open: &'a Gauge) -> Self {
        open.inc();
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

async fn serve_http2(worker: Arc<Worker>, io: TlsStream<TcpStream>, peer: Arc<Peer>) {
    let shared = Arc::clone(&worker.shared);
    let builder = http2_builder(&worker);
    let read = Arc::new(AtomicU64::new(0));
    let io = TokioIo::new(Counted::new(io, Arc::clone(&read)));
    let streams = Arc::new(Streams::default());
    let counting = Arc::clone(&streams);
    let service = service_fn(move |request| {
        let open = counting.begin();
        // Boxed, since a stream's future is moved about before it runs, and its memory is free once the answer began.
        let answered = Box::pin(Arc::clone(&worker).answer(request, Arc::clone(&peer)));
        answered.map(|answer| answer.map(|response| response.map(|body| body.counted(open))))
    });
    let mut connection = pin!(builder.serve_connection(io, service));
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = never_began(&read, shared.timeouts.head) => return,
        () = asked_to_end(&shared) => connection.as_mut().graceful_shutdown(), // GOAWAY
        () = streams.silent(shared.timeouts.idle) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection => note(ended),
        () = shared.drain.aborted() => {}
    }
}

async fn serve_http1(worker: Arc<Worker>, io: TlsStream<TcpStream>, peer: Arc<Peer>) {
    let shared = Arc::clone(&worker.shared);
    let read = Arc::new(AtomicU64::new(0));
    let io = TokioIo::new(Counted::new(io, Arc::clone(&read)));
    let builder = http1_builder(&shared, read);
    let service = service_fn(move |request| Arc::clone(&worker).answer(request, Arc::clone(&peer)));
    let mut connection = pin!(builder.serve_connection(io, service).with_upgrades());
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = asked_to_end(&shared) => connection.as_mut().graceful_shutdown(), // no keep-alive
    }
    tokio::select! {
        ended = connection => note(ended),
        () = shared.drain.aborted() => {}
    }
}

fn http2_builder(worker: &Worker) -> http2::Builder<crate::executor::Executor> {
    let Shared { limits, timeouts, .. } = &*worker.shared;
    let mut builder = http2::Builder::new(worker.executor.clone());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.head_bytes)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_send_buf_size(limits.send_buffer)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .max_local_error_reset_streams(limits.error_resets)
        .keep_alive_interval(timeouts.ping_interval)
        .keep_alive_timeout(timeouts.ping);
    builder
}

fn http1_builder(shared: &Shared, read: Arc<AtomicU64>) -> http1::Builder {
    let Shared { limits, timeouts, .. } = shared;
    let timer = HeadTimer { head: timeouts.head, idle: timeouts.idle, read, kept: AtomicBool::new(false) };
    let mut builder = http1::Builder::new();
    builder
        // Without a timer hyper's header timeout is not in force, silently, and one slow client holds a connection.
        .timer(timer)
        .header_read_timeout(timeouts.head)
        .max_headers(limits.head_lines)
        .max_buf_size(usize::try_from(limits.head_bytes).unwrap_or(usize::MAX))
        // `kubectl exec -i < file` closes its side first and still reads the answer.
        .half_close(true);
    builder
}

/// Resolves when a client has not even greeted in time. hyper waits for the greeting without end, and its pings begin
/// only after it.
async fn never_began(read: &AtomicU64, limit: Duration) {
    tokio::time::sleep(limit).await;
    if read.load(Ordering::Relaxed) >= GREETING {
        std::future::pending::<()>().await;
    }
}

/// Bytes of HTTP/2's greeting and of the frame head behind it.
const GREETING: u64 = 24 + 9;

/// The gateway stops, or the connection has reached its age.
async fn asked_to_end(shared: &Shared) {
    let age = async {
        match shared.timeouts.connection_age {
            Some(age) => tokio::time::sleep(spread(age)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = shared.drain.begun() => {}
        () = age => {}
    }
}

/// Give or take a tenth: clients that came together do not have to go together.
fn spread(age: Duration) -> Duration {
    age.mul_f64(0.9 + 0.2 * jitter())
}

/// Ends that nobody has to act on: clients go away as they please.
fn note(ended: hyper::Result<()>) {
    if let Err(fault) = ended {
        tracing::debug!(fault = %fault, "a connection ended");
    }
}
