//! The server's certificate, replaced while connections go on.
//!
//! Files are compared by content, not by time or event: a mounted secret changes by swapping links, which neither
//! tells reliably. A broken new pair is reported and the old one stays, so that a half-written file cannot take the
//! listener down.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;

use super::pem::{self, PemFault};

/// Where the pair lives on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The leaf's private key.
    pub key: PathBuf,
}

/// Why a pair cannot serve. The operator must mend the file that is named.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// The file is absent or not readable by this process.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no usable PEM.
    #[error("{what}: {fault}")]
    Pem {
        /// Certificate or key.
        what: String,
        /// What is wrong with it.
        fault: PemFault,
    },
    /// Key and certificate are not a pair, or the key is of an unknown kind.
    #[error("certificate and key do not fit together: {0}")]
    Mismatch(String),
    /// The leaf is not valid now.
    #[error("the certificate {0}: install a current one")]
    NotValidNow(String),
}

/// The pair in use; connections made after a reload get the new one.
pub struct ServerCertificate {
    files: Option<CertificateFiles>,
    current: ArcSwap<Loaded>,
}

struct Loaded {
    key: Arc<CertifiedKey>,
    content: Vec<u8>,
    end: i64,
}

impl ServerCertificate {
    /// Reads the pair from its files and checks that it can serve at `now`.
    ///
    /// # Errors
    ///
    /// Names the file and what is wrong with it.
    pub fn load(files: CertificateFiles, now: SystemTime) -> Result<Arc<Self>, CertificateFault> {
        let Pair { certificate, key } = read(&files)?;
        let loaded = Loaded::new(&certificate, &key, now)?;
        Ok(Arc::new(Self { files: Some(files), current: ArcSwap::from_pointee(loaded) }))
    }

    /// Takes a pair from memory, as for a generated one; it never reloads.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the pair.
    pub fn from_pem(certificate: &[u8], key: &[u8], now: SystemTime) -> Result<Arc<Self>, CertificateFault> {
        let loaded = Loaded::new(certificate, key, now)?;
        Ok(Arc::new(Self { files: None, current: ArcSwap::from_pointee(loaded) }))
    }

    /// Looks at the files again; true when another pair is in use now.
    ///
    /// # Errors
    ///
    /// The new pair cannot serve; the old one stays in use.
    pub fn reload(&self, now: SystemTime) -> Result<bool, CertificateFault> {
        let Some(files) = &self.files else { return Ok(false) };
        let Pair { certificate, key } = read(files)?;
        if fingerprint(&certificate, &key) == self.current.load().content {
            return Ok(false);
        }
        self.current.store(Arc::new(Loaded::new(&certificate, &key, now)?));
        Ok(true)
    }

    /// When the certificate in use ends, in seconds since 1970.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.current.load().end
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Loaded {
    fn new(certificate: &[u8], key: &[u8], now: SystemTime) -> Result<Self, CertificateFault> {
        let chain = pem::certificates(certificate)
            .map_err(|fault| CertificateFault::Pem { what: "certificate".into(), fault })?;
        let private =
            pem::private_key(key).map_err(|fault| CertificateFault::Pem { what: "private key".into(), fault })?;
        let end = chain.first().map(|leaf| valid_at(leaf, now)).transpose()?.unwrap_or_default();
        let pair = CertifiedKey::from_der(chain, private, &super::provider())
            .map_err(|fault| CertificateFault::Mismatch(fault.to_string()))?;
        Ok(Self { key: Arc::new(pair), content: fingerprint(certificate, key), end })
    }
}

struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

fn read(files: &CertificateFiles) -> Result<Pair, CertificateFault> {
    let file = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| CertificateFault::Unreadable { path: path.clone(), source })
    };
    Ok(Pair { certificate: file(&files.certificate)?, key: file(&files.key)? })
}

fn fingerprint(certificate: &[u8], key: &[u8]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&(certificate.len() as u64).to_be_bytes());
    context.update(certificate);
    context.update(key);
    context.finish().as_ref().to_vec()
}

/// When the leaf of a chain in PEM ends, in seconds since 1970.
pub(crate) fn end_of(chain: &[u8]) -> Option<i64> {
    let chain = pem::certificates(chain).ok()?;
    let (_, leaf) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
    Some(leaf.validity().not_after.timestamp())
}

/// Tells when the leaf ends, if it is valid now.
fn valid_at(leaf: &CertificateDer<'_>, now: SystemTime) -> Result<i64, CertificateFault> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(leaf).map_err(|fault| CertificateFault::Mismatch(fault.to_string()))?;
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if seconds > validity.not_after.timestamp() {
        return Err(CertificateFault::NotValidNow(format!("expired at {}", validity.not_after)));
    }
    if seconds < validity.not_before.timestamp() {
        return Err(CertificateFault::NotValidNow(format!("is valid only from {}", validity.not_before)));
    }
    Ok(validity.not_after.timestamp())
}
