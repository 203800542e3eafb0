//! The servers of one directory: connections that read, and connections that check one password.

mod health;
mod listing;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use auth_core::{Clock, Ports};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::{Access, PoolSettings, Settings};
use crate::connection::{BindReply, Connection, Credential, Dialer, PageRequest, Question, Scope};
use crate::deadline::{sooner, within};
use crate::failure::{Failure, code};
use crate::filter::Filter;
use health::Health;

pub(crate) use listing::{Listing, list};

/// How long a rejected service account is left alone. Asking again at once, for every login, would lock it.
const REJECTED_REST: Duration = Duration::from_secs(30);

/// The way to a directory.
#[derive(Debug)]
pub(crate) struct Directory {
    dialer: Dialer,
    health: Health,
    clock: Arc<dyn Clock>,
    pool: PoolSettings,
    connect: Duration,
    readers: Semaphore,
    binders: Semaphore,
    idle: Mutex<Vec<Connection>>,
    rejected_until: Mutex<Option<Instant>>,
}

impl Directory {
    pub(crate) fn new(settings: &Settings, ports: &Ports) -> Self {
        Self {
            dialer: Dialer::new(settings, ports),
            health: Health::new(settings.servers.clone(), Arc::clone(&ports.clock)),
            clock: Arc::clone(&ports.clock),
            pool: settings.pool.clone(),
            connect: settings.connect,
            readers: Semaphore::new(settings.pool.searches),
            binders: Semaphore::new(settings.pool.binds),
            idle: Mutex::new(Vec::new()),
            rejected_until: Mutex::new(None),
        }
    }

    /// A connection that speaks as the service account: an idle one, or a new one.
    pub(crate) async fn reader(&self, access: &Access, deadline: Instant) -> Result<Reader<'_>, Failure> {
        let Access::Service { dn, password } = access else {
            return Err(Failure::Misfit {
                field: "bind",
                message: "this needs an account that may read the directory; directBind has none".to_owned(),
            });
        };
        let permit = permit(&self.readers, &*self.clock, deadline).await?;
        while let Some(mut connection) = self.take_idle() {
            if self.is_fit(&mut connection, deadline).await {
                return Ok(Reader { directory: self, connection: Some(connection), _permit: permit });
            }
        }
        let who = Credential::new(dn, password.expose()).ok_or(Failure::ServiceRejected)?;
        let connection = self.bound(who, deadline).await?;
        Ok(Reader { directory: self, connection: Some(connection), _permit: permit })
    }

    /// A connection that speaks for nobody yet, to check one password with. It is never used again.
    pub(crate) async fn binder(&self, deadline: Instant) -> Result<Binder<'_>, Failure> {
        let permit = permit(&self.binders, &*self.clock, deadline).await?;
        let mut last = None;
        for at in self.health.candidates()? {
            match self.open(at, deadline).await {
                Ok(connection) => return Ok(Binder { directory: self, at, connection, _permit: permit }),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or(Failure::AllDown { retry_after: Duration::from_secs(1) }))
    }

    async fn open(&self, at: usize, deadline: Instant) -> Result<Connection, Failure> {
        let server = self.health.server(at).ok_or(Failure::Exhausted)?;
        let opened = self.dialer.open(server, sooner(&*self.clock, deadline, self.connect)).await;
        match &opened {
            Ok(_) => self.health.worked(at),
            Err(failure) => {
                tracing::warn!(%server, error = %chain(failure), "directory server cannot be reached");
                self.health.failed(at);
            }
        }
        opened
    }

    /// Opens a connection and binds it, trying each server once.
    async fn bound(&self, who: Credential<'_>, deadline: Instant) -> Result<Connection, Failure> {
        if lock(&self.rejected_until).is_some_and(|until| self.clock.monotonic() < until) {
            return Err(Failure::ServiceRejected);
        }
        let mut last = None;
        for at in self.health.candidates()? {
            let bound = match self.open(at, deadline).await {
                Ok(connection) => self.bind_service(connection, who, deadline).await,
                Err(failure) => Err(failure),
            };
            match bound {
                Ok(connection) => return Ok(connection),
                // Another server would count a second wrong password against our account.
                Err(failure) if !failure.blames_server() => return Err(failure),
                Err(failure) => {
                    self.health.failed(at);
                    last = Some(failure);
                }
            }
        }
        Err(last.unwrap_or(Failure::AllDown { retry_after: Duration::from_secs(1) }))
    }

    async fn bind_service(
        &self,
        mut connection: Connection,
        who: Credential<'_>,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        let reply = connection.bind(who, deadline).await?;
        match reply.code {
            code::SUCCESS => Ok(connection),
            code::INVALID_CREDENTIALS | code::INAPPROPRIATE_AUTH | code::INVALID_DN => {
                *lock(&self.rejected_until) = self.clock.monotonic().checked_add(REJECTED_REST);
                Err(Failure::ServiceRejected)
            }
            other => Err(Failure::refused("signing in with the service account", other, &reply.text)),
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        lock(&self.idle).pop()
    }

    /// Whether an idle connection still serves; one that rested for long is asked something small first.
    async fn is_fit(&self, connection: &mut Connection, deadline: Instant) -> bool {
        let now = self.clock.monotonic();
        let worn = connection.operations() >= self.pool.max_operations
            || now.saturating_duration_since(connection.opened()) >= self.pool.lifetime;
        if worn || !connection.is_usable() {
            return false;
        }
        if now.saturating_duration_since(connection.used()) < self.pool.test_after {
            return true;
        }
        let question = Question {
            field: "servers",
            base: "",
            scope: Scope::Base,
            filter: Filter::prefix("objectClass", ""),
            attributes: &*NOTHING,
        };
        let soon = sooner(&*self.clock, deadline, self.connect);
        let answer = connection.page(&question, PageRequest::Most(1), 1, soon).await;
        answer.is_ok() && connection.is_usable()
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

/// RFC 4511 §4.5.1.8: asks for no attribute at all.
static NOTHING: LazyLock<[String; 1]> = LazyLock::new(|| ["1.1".to_owned()]);

/// A connection on loan. It goes back when it is dropped, unless an answer is still outstanding on it.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    directory: &'a Directory,
    connection: Option<Connection>,
    _permit: SemaphorePermit<'a>,
}

impl Reader<'_> {
    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Failure> {
        self.connection.as_mut().ok_or(Failure::Exhausted)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(Connection::is_usable) {
            lock(&self.directory.idle).push(connection);
        }
    }
}

/// A connection for one password.
#[derive(Debug)]
pub(crate) struct Binder<'a> {
    directory: &'a Directory,
    at: usize,
    connection: Connection,
    _permit: SemaphorePermit<'a>,
}

impl Binder<'_> {
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

async fn permit<'a>(
    semaphore: &'a Semaphore,
    clock: &dyn Clock,
    deadline: Instant,
) -> Result<SemaphorePermit<'a>, Failure> {
    within(clock, deadline, semaphore.acquire()).await.and_then(Result::ok).ok_or(Failure::Exhausted)
}

/// An error and its sources on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
