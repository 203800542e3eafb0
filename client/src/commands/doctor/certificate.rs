//! The certificate at the end of a connection: whom it names, until when, by which authority, and what is wrong with it.

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Fault, Found};
use crate::clock;

const PATIENCE: Duration = Duration::from_secs(10);

/// Shakes hands as a request does, and tells what was shown.
pub(super) fn look(mut stream: TcpStream, host: &str, ca: Option<&str>) -> Found {
    let witness = Arc::new(Witness { inner: trusting(ca)?, shown: Mutex::default() });
    let shaken = shake(&mut stream, host, Arc::clone(&witness) as _);
    let shown = witness.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    let shown = shown.as_deref().and_then(Shown::read);
    match (shaken, shown) {
        (Ok(()), Some(shown)) => Ok(format!("{host} until {}, signed by {}", shown.until, shown.authority)),
        (Ok(()), None) => Ok(format!("{host} is trusted")),
        (Err(error), shown) => Err(fault(host, ca.is_some(), &error, shown.as_ref())),
    }
}

fn trusting(ca: Option<&str>) -> Result<Arc<dyn ServerCertVerifier>, Fault> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wrong = |error: &dyn ToString| Fault::new(error.to_string(), "name a PEM file by --certificate-authority");
    let Some(pem) = ca else {
        let system = rustls_platform_verifier::Verifier::new(provider).map_err(|error| wrong(&error))?;
        return Ok(Arc::new(system));
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|error| wrong(&error))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(verifier.map_err(|error| wrong(&error))?)
}

fn shake(stream: &mut TcpStream, host: &str, verifier: Arc<dyn ServerCertVerifier>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(io::Error::other)?.dangerous().with_custom_certificate_verifier(verifier);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let mut connection =
        ClientConnection::new(Arc::new(config.with_no_client_auth()), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(stream)?;
    }
    Ok(())
}

/// What a certificate says of itself.
struct Shown {
    names: String,
    from: String,
    until: String,
    authority: String,
}

impl Shown {
    fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.iter().map(ToString::to_string).collect::<Vec<_>>());
        let day = |time: x509_parser::time::ASN1Time| {
            let day = jiff::Timestamp::from_second(time.timestamp());
            day.map_or_else(|_| "?".to_owned(), |day| day.strftime("%Y-%m-%d").to_string())
        };
        Some(Self {
            names: names.unwrap_or_default().join(", "),
            from: day(certificate.validity().not_before),
            until: day(certificate.validity().not_after),
            authority: certificate.issuer().to_string(),
        })
    }
}

fn fault(host: &str, own_ca: bool, error: &io::Error, shown: Option<&Shown>) -> Fault {
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let (Some(Error::InvalidCertificate(why)), Some(shown)) = (error, shown) else {
        let what = error.map_or_else(|| "no TLS is spoken there".to_owned(), ToString::to_string);
        return Fault::new(format!("{host}: {what}"), "is it the gateway's port? Else tell your operators");
    };
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Fault::new(
            format!("the certificate is for {}, not for {host}", shown.names),
            "use one of those names, or tell your operators",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::new(
            format!("the certificate ended on {}", shown.until),
            format!("tell your operators; if that day has not come, your clock is wrong: {}", clock::FIX),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Fault::new(
            format!("the certificate begins on {}", shown.from),
            format!("your clock is wrong: {}", clock::FIX),
        ),
        CertificateError::UnknownIssuer => Fault::new(
            format!(
                "{} signed the certificate, which {} does not hold",
                shown.authority,
                if own_ca { "the authority's file that you gave" } else { "your system" }
            ),
            "get that authority's file from your operators: kubectl gatewarden login --certificate-authority FILE",
        ),
        other => Fault::new(format!("the certificate of {}: {other}", shown.authority), "tell your operators"),
    }
}

/// Decides as the verifier that it holds, and keeps what it was shown.
#[derive(Debug)]
struct Witness {
    inner: Arc<dyn ServerCertVerifier>,
    shown: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
