//! Carries bytes between a server and the LDAP library, checking what the server says.

use std::io;
use std::sync::Arc;

use ldap3::LdapConnAsync;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::flow::Flow;
use crate::guard::{Guard, GuardFault, Kind, Limits};

/// A byte stream to a server: TLS, or plain TCP where the configuration says so.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// The task of one connection. Ends when the connection is dropped, the server closes, or the guard refuses.
pub(super) async fn run(
    wire: Box<dyn Wire>,
    local: UnixStream,
    library: LdapConnAsync,
    flow: Arc<Flow>,
    stop: CancellationToken,
) {
    let (wire_in, wire_out) = tokio::io::split(wire);
    let (local_in, local_out) = local.into_split();
    let _closed = Closed(Arc::clone(&flow));
    tokio::select! {
        () = stop.cancelled() => {}
        () = downstream(wire_in, local_out, &flow) => {}
        _ = upstream(local_in, wire_out) => {}
        ended = library.drive() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "directory connection ended");
            }
        }
    }
}

/// Marks the connection closed however its task ends, a panic of the library included.
struct Closed(Arc<Flow>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn upstream(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
        to.flush().await?;
    }
}

async fn downstream(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, flow: &Flow) {
    match checked(from, &mut to, flow).await {
        Ok(()) => {
            // What was passed on is still to be read by the library, which then sees the end and stops.
            let _ = to.shutdown().await;
            std::future::pending::<()>().await;
        }
        Err(Stop::Io) => {}
        Err(Stop::Fault(fault)) => {
            tracing::warn!(%fault, "directory connection refused");
            flow.refuse(fault);
        }
    }
}

enum Stop {
    Io,
    Fault(GuardFault),
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

impl From<GuardFault> for Stop {
    fn from(fault: GuardFault) -> Self {
        Self::Fault(fault)
    }
}

async fn checked(
    mut from: impl AsyncRead + Unpin,
    to: &mut (impl AsyncWrite + Unpin),
    flow: &Flow,
) -> Result<(), Stop> {
    let mut guard = Guard::new(Limits::default());
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        guard.push(buffer.get(..read).unwrap_or_default());
        while let Some(message) = guard.next()? {
            match message.kind() {
                Kind::Notice => return Ok(()),
                // Part of the tree lives elsewhere. Following would hand our password to whoever is named there.
                Kind::Reference => flow.admit(&message)?,
                Kind::Bind | Kind::Entry | Kind::Done | Kind::Extended(_) => {
                    flow.admit(&message)?;
                    to.write_all(message.bytes()).await?;
                }
            }
        }
    }
}
