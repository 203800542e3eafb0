//! How we speak TLS to a cluster: its own authority alone, never the system's roots.

use std::fmt;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::pem::{self, PemFault};

/// Which protocols to offer. Upgrades exist in HTTP/1.1 only, so their connections must not settle on HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// HTTP/2 when the server knows it, else HTTP/1.1.
    Any,
    /// HTTP/1.1 alone.
    Http1,
}

/// A client certificate and its key, in PEM.
#[derive(Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) chain: &'a [u8],
    pub(crate) key: &'a [u8],
}

/// The two client configurations of one account at one cluster.
#[derive(Clone)]
pub(crate) struct ClientTls {
    any: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
}

impl ClientTls {
    /// Trusts `ca_pem` alone, and shows `identity` where the account is a client certificate.
    pub(crate) fn new(ca_pem: &[u8], identity: Option<Identity<'_>>) -> Result<Self, PemFault> {
        let mut roots = RootCertStore::empty();
        for certificate in pem::certificates(ca_pem)? {
            roots.add(certificate).map_err(|fault| PemFault::Broken(fault.to_string()))?;
        }
        let builder = ClientConfig::builder_with_provider(super::provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|fault| PemFault::Broken(fault.to_string()))?
            .with_root_certificates(roots);
        let mut http1 = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => builder
                .with_client_auth_cert(pem::certificates(chain)?, pem::private_key(key)?)
                .map_err(|fault| PemFault::Broken(fault.to_string()))?,
        };
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut any = http1.clone();
        any.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { any: Arc::new(any), http1: Arc::new(http1) })
    }

    /// The configuration to connect with.
    pub(crate) fn offering(&self, alpn: Alpn) -> Arc<ClientConfig> {
        Arc::clone(match alpn {
            Alpn::Any => &self.any,
            Alpn::Http1 => &self.http1,
        })
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}
