//! From a checked file to what the gateway runs on: certificates, tokens, kubeconfig files, secrets and providers.
//!
//! `serve`, `check` and every reload come through here, so what `check` accepts is what `serve` runs.

mod audit;
mod clients;
mod clusters;
mod pod;
mod providers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth_core::with_causes;
use gatewarden_control::ProviderEntry;
use gatewarden_proxy::{CertificateFiles, GrantConfig, ServerCertificate, Snapshot, SnapshotConfig, Time};

use super::sources::Sources;
use super::yaml::{Faults, Field};
use super::{Config, Fault};
use crate::wiring::{ProviderPorts, SystemClock};
use pod::Pod;

/// Everything that a configuration names, read and built.
#[derive(Debug)]
pub struct Loaded {
    /// The file itself.
    pub config: Config,
    /// Clusters, grants and limits for the data plane.
    pub snapshot: Arc<Snapshot>,
    /// The providers, in the order of the file.
    pub providers: Vec<ProviderEntry>,
    /// The certificate, where one is configured.
    pub certificate: Option<Arc<ServerCertificate>>,
    /// What was read, to see when it changes.
    pub sources: Sources,
}

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not there, or not readable by this user.
    #[error("{problem}; name the configuration with --config or {}", super::CONFIG_VARIABLE)]
    Unreadable {
        /// What the system says.
        problem: String,
    },
    /// The file has faults.
    #[error("{} {} in {}", faults.len(), if faults.len() == 1 { "fault" } else { "faults" }, path.display())]
    Faults {
        /// The file.
        path: PathBuf,
        /// All of them, in the order of the file.
        faults: Vec<Fault>,
        /// What was read, to see when one of them may have been mended.
        sources: Sources,
    },
}

/// Reads and checks the file at `path` without touching anything that it names.
///
/// # Errors
/// The file cannot be read, or has faults.
pub fn load_file(path: &Path) -> Result<Config, LoadError> {
    let text = Sources::default().text(path).map_err(|problem| LoadError::Unreadable { problem })?;
    let sources = Sources::default();
    super::parse(&text, folder(path)).map_err(|faults| LoadError::Faults { path: path.to_owned(), faults, sources })
}

/// Reads the file at `path` and everything that it names, and builds the providers. Opens no connection.
///
/// # Errors
/// The file cannot be read, or anything in it or in what it names has a fault: every one at once.
pub fn load(path: &Path, ports: &ProviderPorts) -> Result<Loaded, LoadError> {
    load_in(path, ports, (&Pod::of_this_process(), None))
}

/// The same for a gateway that runs with `running`: its issuer stays where it is, for it cannot move while it runs.
///
/// # Errors
/// As [`load`].
pub fn reload(path: &Path, ports: &ProviderPorts, running: &Config) -> Result<Loaded, LoadError> {
    load_in(path, ports, (&Pod::of_this_process(), Some(running)))
}

fn load_in(path: &Path, ports: &ProviderPorts, (pod, running): (&Pod, Option<&Config>)) -> Result<Loaded, LoadError> {
    let mut sources = Sources::default();
    let text = sources.text(path).map_err(|problem| LoadError::Unreadable { problem })?;
    let faults = Faults::new(folder(path));
    let loaded = faults.tree(&text).and_then(|tree| {
        let root = Field::root(&tree, &faults);
        let config = super::document(&root)?;
        Loading { root: &root, ports, pod, running, sources: &mut sources }.run(config)
    });
    let faults = faults.into_sorted();
    match loaded {
        Some(mut loaded) if faults.is_empty() => {
            loaded.sources = sources;
            Ok(loaded)
        }
        _ => Err(LoadError::Faults { path: path.to_owned(), faults, sources }),
    }
}

/// Relative names in the file start from its own folder, wherever the gateway was started.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// What every part needs while it loads.
struct Loading<'a> {
    root: &'a Field<'a>,
    ports: &'a ProviderPorts,
    pod: &'a Pod,
    /// What a gateway runs with that takes a new configuration.
    running: Option<&'a Config>,
    sources: &'a mut Sources,
}

impl Loading<'_> {
    fn run(&mut self, mut config: Config) -> Option<Loaded> {
        audit::check(self, &config);
        clients::load(self, &mut config);
        let certificate = self.certificate(&config);
        let clusters: Vec<_> = config.clusters.iter().filter_map(|cluster| clusters::load(self, cluster)).collect();
        let providers: Vec<_> =
            config.providers.iter().filter_map(|provider| providers::load(self, provider, &config)).collect();
        providers::tell_bearers_apart(self, &config, &providers);
        providers::tell_clusters_apart(self, &config);
        let complete = clusters.len() == config.clusters.len();
        let grants = config.grants.iter().map(|grant| GrantConfig {
            subjects: grant.subjects.iter().map(ToString::to_string).collect(),
            clusters: grant.clusters.clone(),
            read_only: grant.read_only,
        });
        let snapshot = Snapshot::build(SnapshotConfig {
            // Grants for clusters that failed to load would be faults of their own.
            grants: if complete { grants.collect() } else { Vec::new() },
            administrators: config.administrators.iter().map(ToString::to_string).collect(),
            clusters,
            hosts: config.served_hosts(),
            console: self.running.unwrap_or(&config).hosts.console.clone(),
            limits: config.limits.requests.clone(),
            whom_to_ask: config.whom_to_ask.clone(),
        });
        let snapshot = snapshot.map_err(|faults| {
            for fault in faults {
                self.root.fault_inside(
                    "clusters",
                    fault.to_string(),
                    "mend the entry of that cluster, or what it names",
                );
            }
        });
        Some(Loaded { config, snapshot: Arc::new(snapshot.ok()?), providers, certificate, sources: Sources::default() })
    }

    fn certificate(&mut self, config: &Config) -> Option<Arc<ServerCertificate>> {
        let files = config.listeners.main.tls.as_ref()?;
        let now = SystemClock.wall();
        let files = CertificateFiles { certificate: files.certificate.clone(), key: files.key.clone() };
        let read = ServerCertificate::load(files, now);
        let advice = "name a PEM file with the current chain, the server's own certificate first, and one with its key";
        read.map_err(|fault| self.root.fault_inside("listeners.main.tls", with_causes(&fault), advice)).ok()
    }
}

#[cfg(test)]
mod tests;
