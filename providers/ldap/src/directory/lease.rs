//! Connections on loan: one kind comes back, the other never does.

use std::time::Instant;

use tokio::sync::SemaphorePermit;

use super::Directory;
use crate::connection::{BindReply, Connection, Credential};
use crate::failure::Failure;

/// A connection that speaks as the service account.
///
/// It goes back when it is dropped. One on which an answer is outstanding ends there: a caller who
/// gave up in the middle must not leave their answer to the next.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    directory: &'a Directory,
    connection: Option<Connection>,
    _permit: SemaphorePermit<'a>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(directory: &'a Directory, connection: Connection, permit: SemaphorePermit<'a>) -> Self {
        Self { directory, connection: Some(connection), _permit: permit }
    }

    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Failure> {
        self.connection.as_mut().ok_or(Failure::Exhausted)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.directory.rest(connection);
        }
    }
}

/// A connection for one password: a bind changes who the whole connection is.
#[derive(Debug)]
pub(crate) struct Binder<'a> {
    directory: &'a Directory,
    at: usize,
    connection: Connection,
    _permit: SemaphorePermit<'a>,
}

impl<'a> Binder<'a> {
    pub(super) const fn new(
        directory: &'a Directory,
        at: usize,
        connection: Connection,
        permit: SemaphorePermit<'a>,
    ) -> Self {
        Self { directory, at, connection, _permit: permit }
    }

    /// Tries the password. When the server fails at it, the *next* login goes to another.
    pub(crate) async fn bind(&mut self, who: Credential<'_>, deadline: Instant) -> Result<BindReply, Failure> {
        let reply = self.connection.bind(who, deadline).await;
        if reply.as_ref().is_err_and(Failure::blames_server) {
            self.directory.health.failed(self.at);
        }
        reply
    }

    /// The connection, which speaks as whose password was right.
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }
}

/// Asks a second time when the connection ended in the middle of the first: an idle one may have
/// died unnoticed. For questions only; a password is tried once.
pub(crate) async fn once_more<T, F>(ask: impl Fn() -> F + Send) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>> + Send,
{
    match ask().await {
        Err(Failure::Lost(_)) => ask().await,
        other => other,
    }
}
