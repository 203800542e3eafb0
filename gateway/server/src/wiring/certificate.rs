//! The certificate that the gateway shows: the configured one, or one of its own on a loopback address.

use std::sync::Arc;

use auth_core::Clock;
use gatewarden_proxy::{CertificateFault, ServerCertificate, Time};

use super::authority::{self, AuthorityError};
use super::clock::SystemClock;
use crate::config::{Config, Loaded};

/// The configured certificate, or a new one of our own.
pub(super) fn open(loaded: &Loaded) -> Result<Arc<ServerCertificate>, CertificateError> {
    match &loaded.certificate {
        Some(configured) => Ok(Arc::clone(configured)),
        None => {
            let files = issue(&loaded.config)?;
            Ok(ServerCertificate::load(files, SystemClock.wall())?)
        }
    }
}

/// Makes the certificate of our own anew, in the files that the running one was read from.
pub(super) fn issue(config: &Config) -> Result<gatewarden_proxy::CertificateFiles, AuthorityError> {
    let mut names = config.served_hosts();
    names.extend(config.clusters.iter().flat_map(|cluster| cluster.hosts.clone()));
    names.push(config.listeners.main.address.ip().to_string());
    authority::issue(&config.state_dir, &names, SystemClock.now())
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
