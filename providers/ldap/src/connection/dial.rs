//! Opens a connection: TCP, TLS by our own rules, the relay, the library.

use std::fmt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_core::{BoxError, Clock, Ports, Tasks};
use ldap3::{LdapConnAsync, LdapConnSettings, StdStream};
use rustls::{ClientConfig, ProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::flow::Flow;
use super::relay::{self, Wire};
use super::{Connection, Trust, starttls};
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
    Ldaps(Trust),
    /// TLS asked for on the plain port. A server that refuses is not spoken to.
    StartTls(Trust),
    /// Passwords in plain text, for a directory on the same host.
    DangerousNone,
}

impl Security {
    /// Who is believed to be the directory; `None` where anybody is.
    pub(crate) const fn trust(&self) -> Option<&Trust> {
        match self {
            Self::Ldaps(trust) | Self::StartTls(trust) => Some(trust),
            Self::DangerousNone => None,
        }
    }
}

/// A way to a server that nobody else reads, or that nobody asked to protect.
pub(crate) struct Protected {
    pub(crate) wire: Box<dyn Wire>,
    /// Of TLS, where it is spoken.
    pub(crate) version: Option<ProtocolVersion>,
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
        let socket = self.reach(server, deadline).await?;
        let config = self.security.trust().map(|trust| Arc::clone(trust.config()));
        let Protected { wire, .. } = self.protect(server, socket, config, deadline).await?;
        self.attach(server, wire).await
    }

    /// First: a socket.
    pub(crate) async fn reach(&self, server: &Server, deadline: Instant) -> Result<TcpStream, Failure> {
        let connecting = async {
            let socket = TcpStream::connect((server.host.as_str(), server.port)).await?;
            socket.set_nodelay(true)?;
            Ok(socket)
        };
        self.before(server, deadline, connecting).await
    }

    /// Second: TLS on it, where the configuration asks for that. `config` is what verifies the server.
    pub(crate) async fn protect(
        &self,
        server: &Server,
        socket: TcpStream,
        config: Option<Arc<ClientConfig>>,
        deadline: Instant,
    ) -> Result<Protected, Failure> {
        self.before(server, deadline, self.handshake(server, socket, config)).await
    }

    async fn handshake(
        &self,
        server: &Server,
        mut socket: TcpStream,
        config: Option<Arc<ClientConfig>>,
    ) -> Result<Protected, BoxError> {
        let Some(config) = config else { return Ok(Protected { wire: Box::new(socket), version: None }) };
        if matches!(self.security, Security::StartTls(_)) {
            starttls::negotiate(&mut socket).await?;
        }
        let stream = TlsConnector::from(config).connect(self.name_of(server)?, socket).await?;
        let version = stream.get_ref().1.protocol_version();
        Ok(Protected { wire: Box::new(stream), version })
    }

    /// The name that the server's certificate must be for.
    pub(crate) fn name_of(&self, server: &Server) -> Result<ServerName<'static>, BoxError> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => Ok(ServerName::try_from(server.host.clone())?),
        }
    }

    /// How connections are protected.
    pub(crate) const fn security(&self) -> &Security {
        &self.security
    }

    async fn before<T>(
        &self,
        server: &Server,
        deadline: Instant,
        work: impl Future<Output = Result<T, BoxError>> + Send,
    ) -> Result<T, Failure> {
        let done = within(&*self.clock, deadline, work).await.unwrap_or_else(|| Err("no answer in time".into()));
        done.map_err(|source| unreachable(server, source))
    }

    /// Third: the library on top.
    pub(crate) async fn attach(&self, server: &Server, wire: Box<dyn Wire>) -> Result<Connection, Failure> {
        self.with_library(wire).await.map_err(|source| unreachable(server, source))
    }

    /// The library only takes a socket of its own, so it gets one end of a pair, and the relay the other.
    async fn with_library(&self, wire: Box<dyn Wire>) -> Result<Connection, BoxError> {
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

fn unreachable(server: &Server, source: BoxError) -> Failure {
    Failure::Unreachable { server: server.to_string(), source }
}
