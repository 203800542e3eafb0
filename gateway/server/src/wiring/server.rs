//! `serve`: everything joined, from the first file to the last connection.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use auth_core::{Clock, with_causes};
use gatewarden_control::{Control, ControlParts, KeyFault, KeyFile, Store, StoreFault};
use gatewarden_proxy::{ListenerConfig, Revoked, Server, ServerCertificate, ServerConfig};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::certificate::{self, CertificateError};
use super::crossing::Crossing;
use super::management::Api;
use super::meters::Meters;
use super::operations::{self, Operations, Readiness};
use super::reload::{self, Reload};
use super::resolve::ControlResolve;
use super::signals::{Asked, Signals};
use super::{ProviderPorts, SystemClock, changes, logging, make_state_dir};
use crate::config::{self, Config, LoadError, Loaded};

/// What the command line adds to the configuration.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// What is logged, in place of the configured filter.
    pub log: Option<String>,
    /// Threads that carry requests; one for each processor when zero.
    pub workers: usize,
}

/// Why the gateway did not start. Each is one line that names what to mend; nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] LoadError),
    /// The state folder cannot be made.
    #[error("cannot create the state folder {}", path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The certificate cannot be shown.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The store cannot be opened.
    #[error("cannot open the store {path}")]
    Store {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: StoreFault,
    },
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The operations port cannot be opened.
    #[error("cannot listen on {address}; stop what holds it, or change `listeners.operations.address`")]
    Operations {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The main port cannot be opened.
    #[error("cannot listen on {address}; stop what holds it, or change `listeners.main.address`")]
    Main {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The audit file was taken away after it was tried.
    #[error("cannot write {}; let the gateway's user write there, or change `audit.file`", path.display())]
    Audit {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The data plane cannot start.
    #[error(transparent)]
    DataPlane(gatewarden_proxy::StartError),
    /// The gateway ran on a copy of the store, which is the store's no more once that can be written.
    #[error(
        "the store can be written again, or was written; start anew, so that logins are kept and revocations are seen"
    )]
    StoreIsBack,
    /// The system gives no threads or signals.
    #[error("the system gives no threads or signals")]
    System(#[from] io::Error),
}

/// Threads of the control plane. Its work waits for the store and for providers, and computes little.
const CONTROL_THREADS: usize = 2;
/// Cold credentials that may be under way at once, and as many requests for the management API.
const CROSSING: usize = 256;
/// After a stop was asked for: the time in which load balancers see `/readyz` fail before connections are closed.
const NOTICE: Duration = Duration::from_secs(1);
/// Between two looks whether a store that was copied can be written.
const STORE_LOOK: Duration = Duration::from_millis(500);

/// Runs the gateway until a signal stops it.
///
/// # Errors
/// [`StartError`]; once it runs, a signal ends it, or the return of a store that could not be written.
pub fn serve(path: &Path, options: &ServeOptions) -> Result<(), StartError> {
    let providers = ProviderPorts::default();
    let loaded = config::load(path, &providers)?;
    logging::start(options.log.as_deref().unwrap_or(&loaded.config.log_level));
    for warning in loaded.config.warnings() {
        tracing::warn!("{warning}");
    }
    let runtime =
        Builder::new_multi_thread().worker_threads(CONTROL_THREADS).thread_name("control").enable_all().build()?;
    let result = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let mut gateway = Gateway::start(path, options, loaded, &providers).await?;
        let ended = gateway.run(&mut signals).await;
        tokio::select! {
            () = gateway.stop() => tracing::info!("stopped"),
            () = stop_again(&mut signals) => tracing::warn!("stopped at once by a second signal"),
        }
        ended
    });
    runtime.shutdown_background();
    result
}

async fn stop_again(signals: &mut Signals) {
    while signals.next().await != Asked::Stop {}
}

/// Everything that runs.
struct Gateway {
    control: Arc<Control>,
    data_plane: Server,
    readiness: Arc<Readiness>,
    reload: Reload,
    tasks: TaskTracker,
    end: CancellationToken,
    drain: Duration,
    /// The store itself, while a copy of it is served from.
    copied: Option<Copied>,
}

impl Gateway {
    async fn start(
        path: &Path,
        options: &ServeOptions,
        mut loaded: Loaded,
        providers: &ProviderPorts,
    ) -> Result<Self, StartError> {
        let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
        let state_dir = &loaded.config.state_dir;
        let failed = |source| StartError::StateDir { path: state_dir.clone(), source };
        make_state_dir(state_dir).map_err(failed)?;
        let certificate = certificate::open(&loaded)?;
        let readiness = Arc::new(Readiness::default());
        let address = loaded.config.listeners.operations;
        let operations =
            operations::bind(address).await.map_err(|source| StartError::Operations { address, source })?;
        let (control, copied) = control(&mut loaded, providers).await?;
        let (revoked_sender, revoked) = Revoked::new(Arc::new(SystemClock));
        let snapshot = Arc::new(ArcSwap::new(Arc::clone(&loaded.snapshot)));
        // Three of them: neither a login nor an outside token that waits for a slow system may keep those from being
        // looked up for whom nobody else is asked.
        let crossing = || Crossing::new(Handle::current(), tasks.clone(), CROSSING);
        readiness.waiting("changes", "not read yet");
        let revoked_sender = Arc::new(revoked_sender);
        let following = changes::follow(control.events(), Arc::clone(&revoked_sender), Arc::clone(&readiness));
        // By the token: whoever can still make events outlives this task.
        tasks.spawn(end.clone().run_until_cancelled_owned(following));
        let data_plane = Server::start(ServerConfig {
            listener: listener(&loaded.config, certificate, options.workers),
            snapshot: Arc::clone(&snapshot),
            resolve: Arc::new(ControlResolve::new(&control, crossing)),
            revoked,
            management: Arc::new(Api::new(Arc::clone(&control), crossing())),
            audit: loaded.config.audit.clone(),
            time: Arc::new(SystemClock),
        });
        let data_plane = data_plane.map_err(|error| named(error, &loaded.config))?;
        readiness.ready("listener");
        tracing::info!(address = %data_plane.listener().local_addr(), operations = %address, "listening");
        let meters = Arc::new(Meters::new());
        let ports = Operations {
            readiness: Arc::clone(&readiness),
            observer: data_plane.observer(),
            control: Arc::clone(&control),
            meters: Arc::clone(&meters),
        };
        tasks.spawn(serve_operations(operations, ports, end.clone()));
        Ok(Self {
            copied,
            drain: loaded.config.limits.timeouts.drain,
            reload: Reload {
                path: path.to_owned(),
                ports: providers.clone(),
                snapshot,
                control: Arc::clone(&control),
                revoked: revoked_sender,
                state_dir: loaded.config.state_dir.clone(),
                issued: SystemClock.now(),
                current: loaded.config,
                sources: loaded.sources,
                meters,
            },
            control,
            data_plane,
            readiness,
            tasks,
            end,
        })
    }

    /// Runs until a signal asks to stop, or the store can be written again.
    async fn run(&mut self, signals: &mut Signals) -> Result<(), StartError> {
        let back = is_back(self.copied.clone());
        tokio::pin!(back);
        loop {
            tokio::select! {
                () = &mut back => return Err(StartError::StoreIsBack),
                asked = signals.next() => match asked {
                    Asked::Stop => return Ok(()),
                    Asked::Reload => {
                        self.data_plane.reopen_audit();
                        self.data_plane.listener().reload_certificate();
                        self.reload.take().await;
                    }
                },
                () = SystemClock.sleep(reload::LOOK) => self.reload.look().await,
            }
        }
    }

    /// Stops with grace: first `/readyz`, then new connections, then requests in flight, then the store.
    async fn stop(self) {
        tracing::info!("stopping");
        self.readiness.waiting("stopping", "a stop was asked for");
        SystemClock.sleep(NOTICE).await;
        self.data_plane.drain(self.drain).await;
        self.control.shutdown().await;
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A store that is served from a copy, as it was when it was copied.
#[derive(Debug, Clone)]
struct Copied {
    path: PathBuf,
    facts: Vec<Option<Facts>>,
}

/// Device, inode, length, and when it was written: what a file is known by.
type Facts = (u64, u64, u64, i64, i64);

impl Copied {
    fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), facts: Self::facts(path) }
    }

    /// Of the file and of its log, which lies beside what a link leads to.
    fn facts(path: &Path) -> Vec<Option<Facts>> {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let of = |path: &Path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        };
        vec![of(&path), of(Path::new(&log))]
    }

    /// Whether somebody could have written there: here, or through another mount of the same disk.
    fn is_back(&self) -> bool {
        std::fs::OpenOptions::new().write(true).open(&self.path).is_ok() || Self::facts(&self.path) != self.facts
    }
}

/// Waits until a store that was copied can be written, or was. A command beside us may then end sessions there, and we
/// would not see it.
async fn is_back(copied: Option<Copied>) {
    let Some(copied) = copied else { return std::future::pending().await };
    while !copied.is_back() {
        SystemClock.sleep(STORE_LOOK).await;
    }
}

/// Names the key to change, which the data plane does not know.
fn named(error: gatewarden_proxy::StartError, config: &Config) -> StartError {
    match (error, &config.audit.file) {
        (gatewarden_proxy::StartError::Listen { address, source }, _) => StartError::Main { address, source },
        (gatewarden_proxy::StartError::Audit(source), Some(path)) => StartError::Audit { path: path.clone(), source },
        (other, _) => StartError::DataPlane(other),
    }
}

fn listener(config: &Config, certificate: Arc<ServerCertificate>, workers: usize) -> ListenerConfig {
    ListenerConfig {
        address: config.listeners.main.address,
        certificate,
        workers,
        limits: config.limits.listener.clone(),
        timeouts: config.limits.timeouts.clone(),
        pool: config.limits.pool.clone(),
    }
}

/// The store; or a copy of it, and where it is, when its disk cannot be written.
async fn open_store(path: &Path) -> Result<(Store, Option<Copied>), StoreFault> {
    match Store::open(path, Arc::new(SystemClock)).await {
        Err(fault) if fault.is_read_only() && path.exists() => {
            let why = with_causes(&fault);
            tracing::error!(
                why,
                "the store cannot be written: known sessions are served from a copy, logins are refused"
            );
            // Looked at first: what is written while it is copied is seen to differ.
            let copied = Copied::of(path);
            let copy = Store::open_copy(path, &std::env::temp_dir(), Arc::new(SystemClock)).await?;
            Ok((copy, Some(copied)))
        }
        opened => opened.map(|store| (store, None)),
    }
}

async fn control(loaded: &mut Loaded, providers: &ProviderPorts) -> Result<(Arc<Control>, Option<Copied>), StartError> {
    let config = &loaded.config;
    let store_path = config.store.display().to_string();
    let failed = |source| StartError::Store { path: store_path.clone(), source };
    let keys = KeyFile::open_or_create(&config.key_file)?;
    let (store, copied) = open_store(&config.store).await.map_err(failed)?;
    providers.open_users(Arc::new(store.clone()));
    let settings = config.control_settings();
    let registry = reload::registry(config, std::mem::take(&mut loaded.providers));
    let issuer = config.issuer.clone();
    let parts = ControlParts { store, keys, registry, clock: Arc::new(SystemClock), issuer, settings };
    let control = Control::start(parts).await.map_err(failed)?;
    providers.open_mint(Arc::clone(&control) as _);
    control.know_clusters(loaded.config.clusters.iter().map(|cluster| (cluster.id.clone(), cluster.direct())));
    Ok((control, copied))
}

async fn serve_operations(listener: tokio::net::TcpListener, operations: Operations, end: CancellationToken) {
    if let Err(error) = operations.serve(listener, end).await {
        tracing::error!(why = with_causes(&error), "the operations port broke");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_store_that_was_written_elsewhere_is_another_than_was_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (store, link) = (folder.path().join("store"), folder.path().join("link"));
        fs::write(&store, "pages").unwrap();
        std::os::unix::fs::symlink(&store, &link).unwrap();
        let differs = |then: &Copied| Copied::facts(&then.path) != then.facts;
        let then = Copied::of(&link);
        assert!(!differs(&then));
        fs::write(folder.path().join("store-wal"), "a revocation").unwrap();
        assert!(differs(&then), "its log, beside what the link leads to");
        let then = Copied::of(&link);
        fs::rename(&store, folder.path().join("old")).unwrap();
        fs::write(&store, "pages").unwrap();
        assert!(differs(&then), "another file under its name");
    }
}
