//! The configuration file: from what an operator wrote to values that can be used.
//!
//! [`parse`] is pure: text in, a [`Config`] or every fault at once out, each with its line and what to write
//! instead. What needs the machine (certificates, tokens, kubeconfig files, secrets, the providers' own checks) is
//! read by [`load`], which `serve`, `check` and every reload share, so that they cannot disagree.

mod environment;
mod fault;
mod kubeconfig;
mod load;
#[cfg(test)]
mod pages;
mod secret;
mod sections;
mod sources;
#[cfg(test)]
mod tests;
mod yaml;

use std::path::{Path, PathBuf};

use gatewarden_control::{IssuerConfig, Settings, Subject};
use gatewarden_proxy::AuditConfig;

pub use environment::CONFIG_VARIABLE;
pub use fault::Fault;
pub use load::{LoadError, Loaded, load, load_file, reload};
use sections::grants::Known;
pub use sections::{
    AccountSource, CarrierSource, Cluster, ClusterSource, Grant, Hosts, KubeconfigRef, Limits, Listeners, MainListener,
    Provider, SecretOfClient, Sessions, TlsFiles,
};
use sections::{audit, clusters, grants, hosts, issuer, limits, listeners, providers, sessions, store};
pub use sources::Sources;
pub use yaml::{Entry, Node, Spot, Value};
use yaml::{Faults, Field};

pub(crate) const KEYS: &[&str] = &[
    "apiVersion",
    "listeners",
    "hosts",
    "issuer",
    "stateDir",
    "store",
    "keyFile",
    "providers",
    "clusters",
    "grants",
    "administrators",
    "whomToAsk",
    "limits",
    "timeouts",
    "sessions",
    "audit",
    "logLevel",
];

/// A configuration in which every value is usable and every name resolves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the gateway listens.
    pub listeners: Listeners,
    /// Under which names it is reached.
    pub hosts: Hosts,
    /// The OpenID Connect issuer, where its pages have a host name.
    pub issuer: Option<IssuerConfig>,
    /// Where the secrets of the issuer's clients are kept.
    pub client_secrets: Vec<SecretOfClient>,
    /// The folder for what the gateway makes itself, such as the certificate for a laptop.
    pub state_dir: PathBuf,
    /// The SQLite file.
    pub store: PathBuf,
    /// The sealing keys.
    pub key_file: PathBuf,
    /// Who knows the people.
    pub providers: Vec<Provider>,
    /// Which Kubernetes APIs stand behind the gateway.
    pub clusters: Vec<Cluster>,
    /// Who may enter which of them. Closed where none fits.
    pub grants: Vec<Grant>,
    /// Who may look after other people's sessions through the API.
    pub administrators: Vec<Subject>,
    /// What a refused person is told: one text for the whole gateway.
    pub whom_to_ask: String,
    /// Bounds on sizes, counts and waiting.
    pub limits: Limits,
    /// How long logins last.
    pub sessions: Sessions,
    /// Where audit records go.
    pub audit: AuditConfig,
    /// What is logged: a level, or a filter such as `info,gatewarden_proxy=debug`.
    pub log_level: String,
}

impl Config {
    /// Every host name under which kubectl reaches the gateway. On a loopback address these are also the address and
    /// `localhost`: nobody else can reach it by any name.
    #[must_use]
    pub fn served_hosts(&self) -> Vec<String> {
        let mut hosts = self.hosts.clusters.clone();
        let address = self.listeners.main.address.ip();
        if address.is_loopback() {
            hosts.extend(["localhost".to_owned(), address.to_string()]);
        }
        hosts
    }

    /// Times and bounds, as the control plane has them.
    #[must_use]
    pub const fn control_settings(&self) -> Settings {
        Settings {
            session_lifetime: self.sessions.lifetime,
            refresh_interval: self.sessions.refresh_interval,
            max_staleness: Some(self.sessions.max_staleness),
            sessions_per_user: self.sessions.per_user,
            refresh_concurrency: self.sessions.refresh_concurrency,
            provider_deadline: self.limits.provider,
        }
    }

    /// What lowers security or surprises later; said at start and by `check`, and never a reason to stop.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .clusters
            .iter()
            .filter(|cluster| cluster.dangerous_privileged_account)
            .map(|cluster| {
                format!(
                    "cluster {}: dangerousPrivilegedAccount is set: lost identity headers would act with the account's own rights; \
                     give the impersonator the shipped RBAC instead",
                    cluster.id
                )
            })
            .collect();
        for provider in &self.providers {
            let knobs = provider.config.as_ref().map(Node::dangerous).unwrap_or_default();
            warnings.extend(
                knobs.iter().map(|knob| format!("provider {}: {knob} is set, which lowers security", provider.id)),
            );
        }
        if self.grants.is_empty() {
            warnings.push("there is no grant: nobody may enter any cluster".to_owned());
        }
        warnings
    }
}

/// Reads a configuration. `base` is the folder that relative file names start from.
///
/// # Errors
/// Every fault at once, in the order of the file.
pub fn parse(text: &str, base: &Path) -> Result<Config, Vec<Fault>> {
    let faults = Faults::new(base);
    let config = faults.tree(text).and_then(|tree| document(&Field::root(&tree, &faults)));
    let faults = faults.into_sorted();
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    }
}

/// Reads as much as can be read. What has a fault is left out or has its default, so that the rest is checked too.
fn document(root: &Field<'_>) -> Option<Config> {
    let file = root.section(KEYS)?;
    if let Some(version) = file.required("apiVersion", "gatewarden/v1") {
        version.word(&[("gatewarden/v1", ())]);
    }
    let listeners = listeners::read(&file);
    let hosts = hosts::read(&file, &listeners);
    let read = issuer::read(&file, &hosts, &listeners);
    let (issuer, client_secrets) = read.map(|read| (read.config, read.secrets)).unzip();
    let providers = providers::read(&file);
    let clusters = clusters::read(&file, &hosts);
    // As written: what has a fault of its own is no second fault where it is named.
    let ids = |key| file.optional(key).map(|field| field.ids_inside()).unwrap_or_default();
    let known = ids("clusters");
    // One with a fault of its own may be the one that takes them.
    let service_accounts =
        clusters.len() < known.len() || clusters.iter().any(|known| known.service_accounts.is_some());
    let known = Known { clusters: known, providers: ids("providers"), service_accounts };
    let (grants, administrators) = (grants::read(&file, &known), grants::administrators(&file, &known));
    let (state_dir, store, key_file) = store::read(&file);
    Some(Config {
        listeners,
        hosts,
        issuer,
        client_secrets: client_secrets.unwrap_or_default(),
        state_dir,
        store,
        key_file,
        providers,
        clusters,
        grants,
        administrators,
        whom_to_ask: file
            .optional("whomToAsk")
            .and_then(|field| field.text())
            .unwrap_or_else(|| "Ask the administrators of this gateway.".to_owned()),
        limits: limits::read(&file),
        sessions: sessions::read(&file),
        audit: audit::read(&file),
        log_level: file.optional("logLevel").and_then(|field| log_level(&field)).unwrap_or_else(|| "info".to_owned()),
    })
}

fn log_level(field: &Field<'_>) -> Option<String> {
    field.parsed("a log level or filter", "info", |text| {
        tracing_subscriber::EnvFilter::try_new(text).ok().map(|_| text.to_owned())
    })
}
