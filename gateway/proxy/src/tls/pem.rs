//! Reading PEM: certificates and keys, with errors that say which file and what to do.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Text that should have held certificates or a key, and did not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// No block of that kind: the operator named the wrong file.
    #[error("no {0} in it: expected a PEM block")]
    Missing(&'static str),
    /// A block that does not decode: the operator must write the file again.
    #[error("a PEM block in it cannot be read: {0}")]
    Broken(String),
}

/// Every certificate in `pem`, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemFault> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|fault| PemFault::Broken(fault.to_string()))?;
    if found.is_empty() {
        return Err(PemFault::Missing("certificate"));
    }
    Ok(found)
}

/// The first private key in `pem` (PKCS#8, PKCS#1 or SEC1).
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemFault> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|fault| match fault {
        rustls_pki_types::pem::Error::NoItemsFound => PemFault::Missing("private key"),
        other => PemFault::Broken(other.to_string()),
    })
}
