//! Opens a connection: TCP, TLS by our own rules, the relay, the library.

use std::fmt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_core::{BoxError, Clock, Ports, Tasks};
use ldap3::{LdapConnAsync, LdapConnSettings, StdStream};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::flow::Flow;
use super::relay::{self, Wire};
use super::{Connection, starttls};
use crate::config::Settings;
use crate::deadline::within;
use crate::failure::Failure;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// How the connection is protected.
#[derive(Debug, Clone)]
pub(crate) enum Security {
    /// TLS from the first byte.
    Ldaps(Arc<ClientConfig>),
    /// TLS asked for on the plain port. A server that refuses is not spoken to.
    StartTls(Arc<ClientConfig>),
    /// Passwords in plain text, for a directory on the same host.
    DangerousNone,
}

/// Trusts exactly the authorities in `pem`; the system's are left out, since a directory rarely has one of those.
pub(crate) fn client_tls(pem: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("not a PEM file of certificates: {error}"))?;
        roots.add(certificate).map_err(|error| format!("a certificate that cannot be used: {error}"))?;
    }
    if roots.is_empty() {
        return Err("holds no certificate; give the PEM of the authority that signed the directory's".to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Opens connections, all by the same rules.
#[derive(Debug)]
pub(crate) struct Dialer {
    security: Security,
    server_name: Option<ServerName<'static>>,
    operation: Duration,
    clock: Arc<dyn Clock>,
    tasks: Arc<dyn Tasks>,
}

impl Dialer {
    pub(crate) fn new(settings: &Settings, ports: &Ports) -> Self {
        Self {
            security: settings.security.clone(),
            server_name: settings.server_name.clone(),
            operation: settings.operation,
            clock: Arc::clone(&ports.clock),
            tasks: Arc::clone(&ports.tasks),
        }
    }

    /// Connects, and verifies who answers, before `deadline`.
    pub(crate) async fn open(&self, server: &Server, deadline: Instant) -> Result<Connection, Failure> {
        let unreachable = |source: BoxError| Failure::Unreachable { server: server.to_string(), source };
        let wire = within(&*self.clock, deadline, self.wire(server))
            .await
            .ok_or_else(|| unreachable("no answer in time".into()))?
            .map_err(unreachable)?;
        self.attach(wire).await.map_err(unreachable)
    }

    async fn wire(&self, server: &Server) -> Result<Box<dyn Wire>, BoxError> {
        let mut socket = TcpStream::connect((server.host.as_str(), server.port)).await?;
        socket.set_nodelay(true)?;
        let config = match &self.security {
            Security::DangerousNone => return Ok(Box::new(socket)),
            Security::Ldaps(config) => config,
            Security::StartTls(config) => {
                starttls::negotiate(&mut socket).await?;
                config
            }
        };
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(server.host.clone())?,
        };
        Ok(Box::new(TlsConnector::from(Arc::clone(config)).connect(name, socket).await?))
    }

    /// The library only takes a socket of its own, so it gets one end of a pair, and the relay the other.
    async fn attach(&self, wire: Box<dyn Wire>) -> Result<Connection, BoxError> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let ours = UnixStream::from_std(ours)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
        let (library, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///").await?;
        let flow = Arc::new(Flow::default());
        let stop = CancellationToken::new();
        let task = relay::run(wire, ours, library, Arc::clone(&flow), stop.clone());
        self.tasks.spawn("ldap-connection", Box::pin(task));
        Ok(Connection::new(ldap, flow, Arc::clone(&self.clock), self.operation, stop.drop_guard()))
    }
}
