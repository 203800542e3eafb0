//! Starting the listener, and stopping it with grace.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::limits::{Limits, Timeouts};
use super::meters::{Meters, Tasks};
use super::{accept, worker};
use crate::gate::Common;
use crate::socket;
use crate::stream::{Drain, DrainPlan};
use crate::tls::{CertificateFault, ServerCertificate, server_config};
use crate::upstream::{self, PoolSettings};

/// Where to listen, and within which bounds.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// The address and port of the one TLS listener.
    pub address: SocketAddr,
    /// What it shows to clients.
    pub certificate: Arc<ServerCertificate>,
    /// Worker threads; one for each core when zero.
    pub workers: usize,
    /// How much clients may hold open or send at once.
    pub limits: Limits,
    /// How long clients are waited for.
    pub timeouts: Timeouts,
    /// The connections to clusters.
    pub pool: PoolSettings,
}

/// Why the data plane cannot start. The operator must act; nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is in use, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address as configured.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system gives no thread or no event queue.
    #[error("cannot start a worker")]
    Worker(#[source] io::Error),
    /// The audit file cannot be opened.
    #[error("cannot open the audit log")]
    Audit(#[source] io::Error),
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

/// What all threads of the listener share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) common: Arc<Common>,
    pub(super) certificate: Arc<ServerCertificate>,
    pub(super) tls: Arc<ServerConfig>,
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
    pub(super) pool: Arc<PoolSettings>,
    pub(super) drain: Drain,
    pub(super) meters: Meters,
    pub(super) upstream_meters: Arc<upstream::Meters>,
}

impl Shared {
    pub(super) fn reload_certificate(&self) {
        match self.certificate.reload(self.common.time.wall()) {
            Ok(false) => {}
            Ok(true) => tracing::info!("a new certificate is in use"),
            Err(fault) => refuse_certificate(&fault),
        }
    }
}

fn refuse_certificate(fault: &CertificateFault) {
    tracing::error!(fault = %fault, "the new certificate is not usable, the old one stays");
}

/// A listener at work. Dropping it cuts everything at once; [`Running::drain`] is the way to stop.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    ended: mpsc::Receiver<()>,
    loads: Vec<Arc<worker::Load>>,
    threads: Vec<JoinHandle<()>>,
}

/// Binds and starts all threads.
pub(crate) fn start(config: ListenerConfig, common: Arc<Common>) -> Result<Running, StartError> {
    let ListenerConfig { address, certificate, workers, limits, timeouts, pool } = config;
    let failed = |source| StartError::Listen { address, source };
    let listener = socket::listen(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let tls = server_config(Arc::clone(&certificate) as Arc<_>).map_err(StartError::Tls)?;
    let meters = Meters::register(&common.metrics);
    let upstream_meters = Arc::new(upstream::Meters::register(&common.metrics));
    let (pool, drain) = (Arc::new(pool), Drain::default());
    let shared = Arc::new(Shared { common, certificate, tls, limits, timeouts, pool, drain, meters, upstream_meters });
    let (alive, ended) = mpsc::channel(1);
    let mut running = Running { address, shared: Arc::clone(&shared), ended, loads: Vec::new(), threads: Vec::new() };
    let (mut handles, mut runtimes) = (Vec::new(), Vec::new());
    for number in 0..worker_count(workers) {
        let started = worker::start(number, Arc::clone(&shared), alive.clone());
        let worker::Started { handle, thread, runtime } = started.map_err(StartError::Worker)?;
        running.loads.push(Arc::clone(&handle.load));
        handles.push(handle);
        runtimes.push(runtime);
        running.threads.push(thread);
    }
    Tasks(runtimes).register(&shared.common.metrics);
    running.threads.push(start_accepting(shared, listener, handles, alive).map_err(StartError::Worker)?);
    Ok(running)
}

impl Running {
    /// The address in use, which tells the port where none was configured.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn certificate(&self) -> &Arc<ServerCertificate> {
        &self.shared.certificate
    }

    /// Compares the certificate files now instead of at the next look.
    pub fn reload_certificate(&self) {
        self.shared.reload_certificate();
    }

    /// Tasks that workers ever started for connections and streams. A test divides it by requests.
    #[must_use]
    pub fn tasks_started(&self) -> u64 {
        self.loads.iter().map(|load| load.spawned()).sum()
    }

    /// Whether the data plane has been told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.drain.is_draining()
    }

    /// Stops: no new connections, GOAWAY on the old ones, watches end one by one, tunnels and the rest run on until
    /// they are done or `deadline` is over.
    pub async fn drain(mut self, deadline: Duration) {
        let watches = self.shared.timeouts.drain_watches.min(deadline);
        self.shared.drain.begin(DrainPlan { watches, deadline });
        // Every thread holds a sender to its end, and nobody ever sends.
        if tokio::time::timeout(deadline, accept::end_expired(&self.shared, self.ended.recv())).await.is_err() {
            self.shared.drain.abort();
            self.ended.recv().await;
        }
        self.shared.drain.abort();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.drain.abort();
    }
}

fn worker_count(configured: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if configured == 0 { cores() } else { configured }
}

fn start_accepting(
    shared: Arc<Shared>,
    listener: std::net::TcpListener,
    workers: Vec<worker::Handle>,
    alive: mpsc::Sender<()>,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _entered = runtime.enter();
        TcpListener::from_std(listener)?
    };
    std::thread::Builder::new().name("accept".into()).spawn(move || {
        runtime.block_on(accept::run(shared, listener, workers));
        drop(alive);
    })
}
