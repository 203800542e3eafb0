//! What providers are given: clock, tasks, and the store of local people.

use std::sync::{Arc, OnceLock};
use std::thread;

use async_trait::async_trait;
use auth_core::{PasswordHash, Ports, StoreError, StoredGroup, StoredPage, StoredUser, UserStore};
use tokio::runtime::{Builder, Runtime};

use super::{ProviderTasks, SystemClock};

/// Threads that provider code may block without anybody else noticing.
const PROVIDER_THREADS: usize = 4;

/// The ports, and the runtime that provider code runs on.
///
/// They exist before the store does: a configuration is checked, providers and all, before anything is opened.
#[derive(Debug)]
pub struct ProviderSide {
    runtime: Runtime,
    ports: Ports,
    users: Arc<LateUsers>,
}

impl ProviderSide {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(PROVIDER_THREADS)
            .thread_name("providers")
            .enable_all()
            .build()?;
        let hashing = thread::available_parallelism().map_or(1, usize::from).min(4);
        let tasks = ProviderTasks::start(runtime.handle().clone(), hashing)?;
        let users = Arc::new(LateUsers::default());
        let ports = Ports::new(Arc::new(SystemClock), tasks, Arc::clone(&users) as Arc<dyn UserStore>);
        Ok(Self { runtime, ports, users })
    }

    /// What providers are given.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Gives the providers the store. A second one is ignored.
    pub fn open_users(&self, users: Arc<dyn UserStore>) {
        let _ = self.users.0.set(users);
    }

    /// Ends the threads without waiting for provider code, which may never return.
    pub fn stop(self) {
        self.runtime.shutdown_background();
    }
}

/// The store of local people, once it is open.
#[derive(Debug, Default)]
struct LateUsers(OnceLock<Arc<dyn UserStore>>);

impl LateUsers {
    fn store(&self) -> Result<&dyn UserStore, StoreError> {
        self.0.get().map(AsRef::as_ref).ok_or_else(|| StoreError("the store is not open".into()))
    }
}

#[async_trait]
impl UserStore for LateUsers {
    async fn find_by_login(&self, login: &str) -> Result<Option<StoredUser>, StoreError> {
        self.store()?.find_by_login(login).await
    }

    async fn find(&self, id: &str) -> Result<Option<StoredUser>, StoreError> {
        self.store()?.find(id).await
    }

    async fn find_group(&self, id: &str) -> Result<Option<StoredGroup>, StoreError> {
        self.store()?.find_group(id).await
    }

    async fn search_users(
        &self,
        text: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<StoredPage<StoredUser>, StoreError> {
        self.store()?.search_users(text, limit, after).await
    }

    async fn search_groups(
        &self,
        text: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<StoredPage<StoredGroup>, StoreError> {
        self.store()?.search_groups(text, limit, after).await
    }

    async fn rehash(&self, id: &str, old: &PasswordHash, new: &PasswordHash) -> Result<(), StoreError> {
        self.store()?.rehash(id, old, new).await
    }
}
