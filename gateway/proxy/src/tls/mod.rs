//! TLS on both sides, by one stack: rustls on aws-lc-rs.
//!
//! Everything that speaks TLS takes its configuration from here, so that versions, ciphers and the reading of PEM
//! are decided in one place.

mod certificate;
mod client;
mod pem;
mod server;

pub(crate) use certificate::end_of;
pub use certificate::{CertificateFault, CertificateFiles, ServerCertificate};
pub(crate) use client::{Alpn, ClientTls, Identity};
pub use pem::PemFault;
pub(crate) use server::server_config;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The one provider of cryptography, handed explicitly so that no process-wide default is needed.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests;
