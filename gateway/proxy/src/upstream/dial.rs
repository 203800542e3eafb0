//! From an endpoint to a TLS connection.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::endpoint::Endpoint;
use super::fault::UpstreamFault;
use super::settings::PoolSettings;
use crate::socket;

/// A connection that may speak HTTP/2.
pub(super) struct Dialed {
    pub(super) io: TlsStream<TcpStream>,
    pub(super) http2: bool,
}

/// Connects and shakes hands, each within its time.
pub(super) async fn dial(
    endpoint: &Endpoint,
    tls: Arc<ClientConfig>,
    settings: &PoolSettings,
) -> Result<Dialed, UpstreamFault> {
    let tcp = match timeout(settings.dial, TcpStream::connect(endpoint.address())).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(fault)) => return Err(UpstreamFault::Unreachable(Some(fault.into()))),
        Err(late) => return Err(UpstreamFault::Unreachable(Some(late.into()))),
    };
    socket::set_up(&tcp).map_err(|fault| UpstreamFault::Unreachable(Some(fault.into())))?;
    let handshake = TlsConnector::from(tls).connect(endpoint.server_name(), tcp);
    let io = match timeout(settings.handshake, handshake).await {
        Ok(Ok(io)) => io,
        // rustls reports its own faults as invalid data; all else is the line.
        Ok(Err(fault)) if fault.kind() == std::io::ErrorKind::InvalidData => return Err(UpstreamFault::Tls(fault)),
        Ok(Err(fault)) => return Err(UpstreamFault::Unreachable(Some(fault.into()))),
        Err(late) => return Err(UpstreamFault::Unreachable(Some(late.into()))),
    };
    let http2 = io.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Dialed { io, http2 })
}
