//! One worker: a thread, a runtime, and the connections that were handed to it.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming as HyperBody;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, RuntimeMetrics};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::connection;
use super::doorman::Place;
use super::running::Shared;
use crate::admit::{Incoming, Peer};
use crate::body::Body;
use crate::executor::Executor;
use crate::gate::Gate;
use crate::pipeline;
use crate::upstream::Pool;

/// Connections that may wait for a worker that is busy. Beyond it they are closed: it will not catch up.
const WAITING: usize = 1024;

/// After everything was asked to end and nothing moved: the time that last bytes get.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A connection on its way from the accept loop.
pub(super) struct Arrival {
    pub(super) stream: std::net::TcpStream,
    pub(super) address: std::net::SocketAddr,
    pub(super) place: Place,
    /// Counts for its worker from the moment it is handed over: a crowd that arrives at once spreads over all.
    pub(super) connected: Option<Connected>,
}

/// Whose a connection is, and what it keeps busy.
pub(super) struct Visitor {
    pub(super) address: std::net::SocketAddr,
    pub(super) place: Place,
    _connected: Option<Connected>,
}

/// A worker as the accept loop sees it.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) arrivals: mpsc::Sender<Arrival>,
    pub(super) load: Arc<Load>,
}

/// How much a worker has to do.
#[derive(Debug, Default)]
pub(super) struct Load {
    connections: AtomicUsize,
    requests: AtomicUsize,
    spawned: Arc<AtomicU64>,
}

/// A worker as its connections see it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) gate: Gate,
    pub(super) executor: Executor,
    pub(super) load: Arc<Load>,
}

/// A worker that was started.
pub(super) struct Started {
    pub(super) handle: Handle,
    pub(super) thread: JoinHandle<()>,
    pub(super) runtime: RuntimeMetrics,
}

/// Starts the thread.
pub(super) fn start(number: usize, shared: Arc<Shared>, alive: mpsc::Sender<()>) -> io::Result<Started> {
    let (sender, arrivals) = mpsc::channel(WAITING);
    let executor = Executor::new(TaskTracker::new());
    let load = Arc::new(Load { spawned: executor.spawned(), ..Load::default() });
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = Handle { arrivals: sender, load: Arc::clone(&load) };
    let metrics = runtime.metrics();
    let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        runtime.block_on(run(shared, executor, load, arrivals));
        runtime.shutdown_timeout(LAST_WORDS);
        drop(alive);
    })?;
    Ok(Started { handle, thread, runtime: metrics })
}

async fn run(shared: Arc<Shared>, executor: Executor, load: Arc<Load>, mut arrivals: mpsc::Receiver<Arrival>) {
    // What a graceful stop waits for, apart from what merely serves it.
    let connections = TaskTracker::new();
    let pool = Pool::new(Arc::clone(&shared.pool), executor.clone(), shared.drain.clone())
        .with_tunnels(connections.clone())
        .with_meters(Arc::clone(&shared.upstream_meters));
    let gate = Gate { common: Arc::clone(&shared.common), pool: Arc::new(pool) };
    let worker = Arc::new(Worker { gate, executor, load, shared });
    let pool = Arc::clone(&worker.gate.pool);
    worker.executor.spawn(async move { pool.keep().await });
    while let Some(Arrival { stream, address, place, connected }) = arrivals.recv().await {
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                let visitor = Visitor { address, place, _connected: connected };
                connections.spawn(connection::serve(Arc::clone(&worker), stream, visitor));
            }
            Err(fault) => tracing::warn!(fault = %fault, "a connection could not be taken over"),
        }
    }
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = async {
            worker.shared.drain.aborted().await;
            let _ = tokio::time::timeout(LAST_WORDS, connections.wait()).await;
        } => {}
    }
}

impl Worker {
    /// Answers one request.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<HyperBody>,
        peer: Arc<Peer>,
    ) -> Result<Response<Body>, Infallible> {
        let _busy = Busy::new(&self.load.requests);
        Ok(pipeline::answer(&self.gate, Incoming::new(request, peer)).await)
    }
}

impl Load {
    /// Comparable between workers; exact is not needed.
    pub(super) fn score(&self) -> usize {
        self.requests.load(Ordering::Relaxed).saturating_add(self.connections.load(Ordering::Relaxed))
    }

    pub(super) fn spawned(&self) -> u64 {
        self.spawned.load(Ordering::Relaxed)
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connected(Arc::clone(self))
    }
}

/// A connection of a worker's, until it is dropped.
#[derive(Debug)]
pub(super) struct Connected(Arc<Load>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One more, until it is dropped.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
