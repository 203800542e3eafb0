//! The servers of one directory: connections that read, and connections that check one password.

mod health;
mod lease;
mod listing;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth_core::{Clock, Ports};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::{Access, PoolSettings, Settings};
use crate::connection::{Connection, Credential, Dialer, PageRequest, Question, Scope};
use crate::deadline::{sooner, within};
use crate::failure::{Failure, code};
use crate::filter::Filter;
use health::Health;

pub(crate) use lease::{Binder, Reader, once_more};
pub(crate) use listing::{Listing, list};

/// How long a rejected service account is left alone. Asking again at once, for every login, would lock it.
const REJECTED_REST: Duration = Duration::from_secs(30);

/// RFC 4511 §4.5.1.8: asks for no attribute at all.
static NOTHING: LazyLock<[String; 1]> = LazyLock::new(|| ["1.1".to_owned()]);

/// The way to a directory.
#[derive(Debug)]
pub(crate) struct Directory {
    dialer: Dialer,
    health: Health,
    clock: Arc<dyn Clock>,
    access: Arc<Access>,
    pool: PoolSettings,
    connect: Duration,
    readers: Semaphore,
    binders: Semaphore,
    idle: Mutex<Vec<Connection>>,
    /// Until the service account was accepted once, it is tried one at a time.
    accepted: AtomicBool,
    first: Semaphore,
    rejected_until: Mutex<Option<Instant>>,
}

impl Directory {
    pub(crate) fn new(settings: &Settings, ports: &Ports) -> Self {
        Self {
            dialer: Dialer::new(settings, ports),
            health: Health::new(settings.servers.clone(), Arc::clone(&ports.clock)),
            clock: Arc::clone(&ports.clock),
            access: Arc::clone(&settings.access),
            pool: settings.pool.clone(),
            connect: settings.connect,
            readers: Semaphore::new(settings.pool.searches),
            binders: Semaphore::new(settings.pool.binds),
            idle: Mutex::default(),
            accepted: AtomicBool::default(),
            first: Semaphore::new(1),
            rejected_until: Mutex::default(),
        }
    }

    /// What opens connections.
    pub(crate) const fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// A connection that speaks as the service account: an idle one, or a new one.
    pub(crate) async fn reader(&self, deadline: Instant) -> Result<Reader<'_>, Failure> {
        let Access::Service { dn, password } = &*self.access else {
            return Err(Failure::Misfit {
                field: "bind",
                message: "this needs an account that may read the directory; directBind has none".to_owned(),
            });
        };
        let permit = self.permit(&self.readers, deadline).await?;
        while let Some(mut connection) = self.wake() {
            if self.is_fit(&mut connection, deadline).await {
                return Ok(Reader::new(self, connection, permit));
            }
        }
        let who = Credential::new(dn, password.expose()).ok_or(Failure::ServiceRejected)?;
        Ok(Reader::new(self, self.signed_in(who, deadline).await?, permit))
    }

    /// A connection that speaks for nobody yet, to check one password with. It is never used again.
    pub(crate) async fn binder(&self, deadline: Instant) -> Result<Binder<'_>, Failure> {
        let permit = self.permit(&self.binders, deadline).await?;
        let mut last = Failure::Exhausted;
        for at in self.health.candidates()? {
            match self.open(at, deadline).await {
                Ok(connection) => return Ok(Binder::new(self, at, connection, permit)),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// Opens a connection and signs in on it, trying each server once.
    async fn signed_in(&self, who: Credential<'_>, deadline: Instant) -> Result<Connection, Failure> {
        let _alone = match self.accepted.load(Ordering::Acquire) {
            true => None,
            false => Some(self.permit(&self.first, deadline).await?),
        };
        if lock(&self.rejected_until).is_some_and(|until| self.clock.monotonic() < until) {
            return Err(Failure::ServiceRejected);
        }
        let mut last = Failure::Exhausted;
        for at in self.health.candidates()? {
            let connection = match self.open(at, deadline).await {
                Ok(connection) => connection,
                Err(failure) => {
                    last = failure;
                    continue;
                }
            };
            match self.sign_in(connection, who, deadline).await {
                Err(failure) if failure.blames_server() => {
                    self.health.failed(at);
                    last = failure;
                }
                // Another server would count a second wrong password against our account.
                decided => return decided,
            }
        }
        Err(last)
    }

    async fn open(&self, at: usize, deadline: Instant) -> Result<Connection, Failure> {
        let server = self.health.server(at).ok_or(Failure::Exhausted)?;
        let opened = self.dialer.open(server, sooner(&*self.clock, deadline, self.connect)).await;
        match &opened {
            Ok(_) => self.health.worked(at),
            Err(failure) => {
                tracing::warn!(%server, error = %auth_core::with_causes(failure), "directory server cannot be reached");
                self.health.failed(at);
            }
        }
        opened
    }

    async fn sign_in(
        &self,
        mut connection: Connection,
        who: Credential<'_>,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        let reply = connection.bind(who, deadline).await?;
        match reply.code {
            code::SUCCESS => {
                self.accepted.store(true, Ordering::Release);
                Ok(connection)
            }
            code::INVALID_CREDENTIALS | code::INAPPROPRIATE_AUTH | code::INVALID_DN => {
                self.accepted.store(false, Ordering::Release);
                *lock(&self.rejected_until) = self.clock.monotonic().checked_add(REJECTED_REST);
                Err(Failure::ServiceRejected)
            }
            other => Err(Failure::refused("signing in with the service account", other, &reply.text)),
        }
    }

    fn wake(&self) -> Option<Connection> {
        lock(&self.idle).pop()
    }

    /// Takes a connection back, and lets go of those that nobody would use again.
    fn rest(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        idle.push(connection);
        idle.retain(|connection| !self.is_worn(connection));
    }

    fn is_worn(&self, connection: &Connection) -> bool {
        let age = self.clock.monotonic().saturating_duration_since(connection.opened());
        !connection.is_usable() || connection.operations() >= self.pool.max_operations || age >= self.pool.lifetime
    }

    /// Whether an idle connection still serves; one that rested for long is asked something small first.
    async fn is_fit(&self, connection: &mut Connection, deadline: Instant) -> bool {
        if self.is_worn(connection) {
            return false;
        }
        if self.clock.monotonic().saturating_duration_since(connection.used()) < self.pool.test_after {
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

    async fn permit<'a>(&self, of: &'a Semaphore, deadline: Instant) -> Result<SemaphorePermit<'a>, Failure> {
        within(&*self.clock, deadline, of.acquire()).await.and_then(Result::ok).ok_or(Failure::Exhausted)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
