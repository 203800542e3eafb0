//! A new configuration, taken in whole or not at all.
//!
//! What a running gateway can change: certificates, providers, clusters, grants, limits on requests, texts. What it
//! cannot (addresses, the issuer, store, key file) is named in a warning and waits for a restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use auth_core::{Clock, with_causes};
use gatewarden_control::{Control, ProviderEntry, Registry};
use gatewarden_proxy::{RevokedSender, Snapshot};
use jiff::Timestamp;

use super::meters::Meters;
use super::{ProviderPorts, SystemClock, certificate};
use crate::config::{self, Config, LoadError, Loaded, Sources};

/// How often files are looked at. Contents are compared: the times of mounted secrets tell nothing.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// The gateway's own certificate lasts for 90 days, and is made anew after this time.
const RENEW_HOURS: i64 = 30 * 24;

/// What a reload replaces.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) path: PathBuf,
    pub(super) ports: ProviderPorts,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) control: Arc<Control>,
    pub(super) revoked: Arc<RevokedSender>,
    /// The folder that the running certificate was read from, whatever a new configuration says.
    pub(super) state_dir: PathBuf,
    pub(super) issued: Timestamp,
    pub(super) current: Config,
    pub(super) sources: Sources,
    pub(super) meters: Arc<Meters>,
}

impl Reload {
    /// Takes a new configuration where any of its files has changed.
    pub(super) async fn look(&mut self) {
        if self.sources.changed() {
            self.take().await;
        }
        self.renew_certificate();
    }

    /// Takes what the files hold now. With any fault everything stays as it was.
    pub(super) async fn take(&mut self) {
        match config::reload(&self.path, &self.ports, &self.current) {
            Ok(loaded) => self.apply(loaded).await,
            Err(error) => {
                tell(&error);
                self.meters.reloaded(false);
                // Said once: the same faulty files are not read again until one of them changes.
                match error {
                    LoadError::Faults { sources, .. } => self.sources = sources,
                    LoadError::Unreadable { .. } => self.sources.look_again(),
                }
            }
        }
    }

    async fn apply(&mut self, loaded: Loaded) {
        warn(&self.current, &loaded.config);
        let providers = registry(&loaded.config, loaded.providers);
        let old = self.snapshot.swap(Arc::clone(&loaded.snapshot));
        self.control.know_clusters(loaded.config.clusters.iter().map(|cluster| (cluster.id.clone(), cluster.direct())));
        // Streams that run may have been let in by what is gone.
        self.revoked.reloaded(&old, &loaded.snapshot);
        // Last: a store that is slow must not put off what was taken away.
        self.replace_providers(providers).await;
        let old = std::mem::replace(&mut self.current, loaded.config);
        self.current.hosts.console.clone_from(&old.hosts.console);
        if certificate::names(&old) != certificate::names(&self.current) {
            self.own_certificate();
        }
        self.sources = loaded.sources;
        self.meters.reloaded(true);
        tracing::info!(file = %self.path.display(), "configuration taken");
    }

    async fn replace_providers(&self, registry: Registry) {
        if let Err(fault) = self.control.replace_providers(registry).await {
            tracing::error!(why = with_causes(&fault), "sessions of providers that are gone could not be ended");
        }
    }

    /// Makes the gateway's own certificate anew long before it runs out.
    fn renew_certificate(&mut self) {
        if SystemClock.now().duration_since(self.issued).as_hours() >= RENEW_HOURS {
            self.own_certificate();
        }
    }

    /// Makes the gateway's own certificate anew, where it has one; the listener looks at its files by itself.
    fn own_certificate(&mut self) {
        if self.current.listeners.main.tls.is_some() {
            return;
        }
        self.issued = SystemClock.now();
        if let Err(error) = certificate::issue(&self.current, &self.state_dir) {
            tracing::error!(why = with_causes(&error), "the gateway's own certificate could not be made anew");
        }
    }
}

/// The providers as the control plane knows them, with all that grants name.
pub(crate) fn registry(config: &Config, providers: Vec<ProviderEntry>) -> Registry {
    let granted = config.grants.iter().flat_map(|grant| grant.subjects.clone());
    Registry::new(providers, granted.chain(config.administrators.iter().cloned()))
}

fn warn(old: &Config, new: &Config) {
    let waiting = needs_restart(old, new);
    let waiting = waiting.iter().map(|setting| format!("{setting} changed, and takes effect at the next start"));
    waiting.chain(new.warnings()).for_each(|warning| tracing::warn!("{warning}"));
}

fn tell(error: &LoadError) {
    match error {
        LoadError::Faults { path, faults, .. } => {
            let refuse = |fault| tracing::error!("{}:{fault}; the old configuration stays in use", path.display());
            faults.iter().for_each(refuse);
        }
        LoadError::Unreadable { .. } => tracing::error!("{error}; the old configuration stays in use"),
    }
}

/// Settings that differ and cannot change while the gateway runs.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let waiting = compared(old, new).into_iter().filter(|(_, differs)| *differs);
    waiting.map(|(setting, _)| setting).collect()
}

/// Every setting that cannot change while the gateway runs, and whether it differs.
fn compared(old: &Config, new: &Config) -> [(&'static str, bool); 11] {
    [
        ("listeners", old.listeners != new.listeners),
        ("hosts.console", old.hosts.console != new.hosts.console),
        ("issuer", old.issuer != new.issuer),
        ("stateDir", old.state_dir != new.state_dir),
        ("store", old.store != new.store),
        ("keyFile", old.key_file != new.key_file),
        ("audit", old.audit != new.audit),
        ("sessions", old.sessions != new.sessions),
        ("limits", old.limits.listener != new.limits.listener || old.limits.pool != new.limits.pool),
        ("timeouts", old.limits.timeouts != new.limits.timeouts || old.limits.provider != new.limits.provider),
        ("logLevel", old.log_level != new.log_level),
    ]
}

#[cfg(test)]
mod tests;
