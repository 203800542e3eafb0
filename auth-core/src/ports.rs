//! What a provider is given to reach the world: the clock, tasks, the store of local people, and HTTP.
//!
//! A provider opens no store, starts no thread and reads no environment by itself. The gateway implements the ports;
//! [`testing`](crate::testing) has others for tests.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_channel::oneshot;

use crate::{BoxError, BoxFuture, Clock, Http, NoHttp, PasswordHash};

/// Everything a provider is given at [`ProviderKind::build`](crate::ProviderKind::build).
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct Ports {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where work runs.
    pub tasks: Arc<dyn Tasks>,
    /// The people that Gatewarden itself keeps.
    pub users: Arc<dyn UserStore>,
    /// How identity systems that speak HTTP are asked.
    pub http: Arc<dyn Http>,
}

impl Ports {
    /// Collects the ports, without HTTP: [`Ports::with_http`] adds it.
    pub fn new(clock: Arc<dyn Clock>, tasks: Arc<dyn Tasks>, users: Arc<dyn UserStore>) -> Self {
        Self { clock, tasks, users, http: Arc::new(NoHttp) }
    }

    /// Gives providers a way to ask over HTTP.
    #[must_use]
    pub fn with_http(self, http: Arc<dyn Http>) -> Self {
        Self { http, ..self }
    }

    /// Runs a job that occupies its thread, on the bounded blocking pool, and waits for what it returns.
    ///
    /// # Errors
    /// When the pool is full, and when the job panicked or was thrown away at shutdown.
    pub async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        let (answer, result) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody waits any more when this fails, and then nobody misses the result.
            let _ = answer.send(job());
        });
        self.tasks.blocking(job).await.map_err(|Busy| BlockingError::Busy)?;
        result.await.map_err(|oneshot::Canceled| BlockingError::Lost)
    }
}

/// Where the work of providers runs, apart from the threads that forward requests.
///
/// Implementations own what they start and can end it at shutdown. Provider code may block or spin: the threads
/// behind this port must be such that nothing but providers suffers from that.
#[async_trait]
pub trait Tasks: Send + Sync + Debug {
    /// Starts a task and returns at once. `name` shows in logs and dumps.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);

    /// Queues a job that occupies its thread (password hashing, a C library) on a bounded pool.
    ///
    /// Returns when the job has been queued or run; [`Ports::blocking`] waits for its result.
    ///
    /// # Errors
    /// [`Busy`] when pool and queue are full; the job was dropped.
    async fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Busy>;
}

/// The blocking pool and its queue are full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pool for blocking work is full")]
pub struct Busy;

/// Why [`Ports::blocking`] brought no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockingError {
    /// The pool is full. Trying again later helps.
    #[error("the pool for blocking work is full")]
    Busy,
    /// The job panicked, or shutdown threw it away.
    #[error("the blocking job ended without a result")]
    Lost,
}

/// The people and groups that Gatewarden itself keeps, as the `local` provider reads them.
///
/// "Not there" is `None`; whatever keeps the store from answering is a [`StoreError`].
#[async_trait]
pub trait UserStore: Send + Sync + Debug {
    /// The user who logs in under this name. Compared as the store compares login names; never by prefix.
    async fn find_by_login(&self, login: &str) -> Result<Option<StoredUser>, StoreError>;

    /// The user with this id.
    async fn find(&self, id: &str) -> Result<Option<StoredUser>, StoreError>;

    /// The group with this id.
    async fn find_group(&self, id: &str) -> Result<Option<StoredGroup>, StoreError>;

    /// Users whose login or display name contains `text`, ordered by id, after the id `after`.
    async fn search_users(
        &self,
        text: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<StoredPage<StoredUser>, StoreError>;

    /// Groups whose name contains `text`, ordered by id, after the id `after`.
    async fn search_groups(
        &self,
        text: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<StoredPage<StoredGroup>, StoreError>;

    /// Puts `new` in place of `old`, if the user still has `old`: a password changed in the meantime must win.
    async fn rehash(&self, id: &str, old: &PasswordHash, new: &PasswordHash) -> Result<(), StoreError>;
}

/// A person that Gatewarden itself keeps.
#[non_exhaustive]
#[derive(Debug)]
pub struct StoredUser {
    /// Never changes and is never given to another: the external id in `local://<id>`.
    pub id: String,
    /// What the person types.
    pub login: String,
    /// What pages show.
    pub display_name: Option<String>,
    /// `None`: no password was set, so none is right.
    pub password_hash: Option<PasswordHash>,
    /// Switched off by an administrator.
    pub disabled: bool,
    /// The password was set by somebody else and is good for changing it only.
    pub must_change: bool,
    /// The groups the person is in.
    pub groups: Vec<StoredGroup>,
}

impl StoredUser {
    /// An enabled user without password and groups.
    pub fn new(id: impl Into<String>, login: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            login: login.into(),
            display_name: None,
            password_hash: None,
            disabled: false,
            must_change: false,
            groups: Vec::new(),
        }
    }
}

/// A group that Gatewarden itself keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGroup {
    /// Never changes: the external id in `local_group://<id>`.
    pub id: String,
    /// What mappings call it.
    pub name: String,
}

/// Some of the answers to a search.
#[derive(Debug)]
pub struct StoredPage<T> {
    /// At most as many as asked for, ordered by id.
    pub items: Vec<T>,
    /// Whether there are more after the last.
    pub more: bool,
}

/// The store did not answer. The gateway answers 503 and tells the operator the source.
#[derive(Debug, thiserror::Error)]
#[error("the user store did not answer")]
pub struct StoreError(#[source] pub BoxError);
