//! The certificate that the gateway shows: the configured one, or one of its own on a loopback address.

use std::path::Path;
use std::sync::Arc;

use auth_core::Clock;
use gatewarden_proxy::{CertificateFault, CertificateFiles, ServerCertificate, Time};

use super::authority::{self, AuthorityError};
use super::clock::SystemClock;
use crate::config::{Config, Loaded};

/// The configured certificate, or a new one of our own.
pub(super) fn open(loaded: &Loaded) -> Result<Arc<ServerCertificate>, CertificateError> {
    match &loaded.certificate {
        Some(configured) => Ok(Arc::clone(configured)),
        None => {
            let files = issue(&loaded.config, &loaded.config.state_dir)?;
            Ok(ServerCertificate::load(files, SystemClock.wall())?)
        }
    }
}

/// Makes the certificate of our own anew, in the files that the running one was read from.
pub(super) fn issue(config: &Config, state_dir: &Path) -> Result<CertificateFiles, AuthorityError> {
    authority::issue(state_dir, &names(config), SystemClock.now())
}

/// Every name that our own certificate must carry.
pub(super) fn names(config: &Config) -> Vec<String> {
    let clusters = config.clusters.iter().flat_map(|cluster| cluster.hosts.clone());
    config.served_hosts().into_iter().chain(clusters).chain(config.hosts.console.clone()).collect()
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One of our own cannot be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// It cannot serve.
    #[error(transparent)]
    Fault(#[from] CertificateFault),
}
