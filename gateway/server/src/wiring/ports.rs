//! What providers are given: clock, tasks, the store of local people, and HTTP. And what clusters are given: who signs.

use std::io;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use auth_core::{InstanceId, PasswordHash, Ports, StoreError, StoredGroup, StoredPage, StoredUser, UserStore};

use super::http::ProviderHttp;
use super::mint::{LateMint, Signs};
use super::{ProviderTasks, SystemClock};

/// Makes the ports of each provider instance.
///
/// It exists before the store does: a configuration is checked, providers and all, before anything is opened.
#[derive(Clone, Debug, Default)]
pub struct ProviderPorts {
    users: Arc<LateUsers>,
    mint: Arc<LateMint>,
}

impl ProviderPorts {
    /// Ports for one instance, with threads of its own, which end when the last user of the ports is gone.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn of(&self, instance: &InstanceId) -> io::Result<Ports> {
        let tasks = ProviderTasks::start(instance.as_str())?;
        let ports = Ports::new(Arc::new(SystemClock), tasks, Arc::clone(&self.users) as Arc<dyn UserStore>);
        Ok(ports.with_http(Arc::new(ProviderHttp::default())))
    }

    /// Who signs tokens for clusters that trust the issuer.
    #[must_use]
    pub fn mint(&self) -> Arc<LateMint> {
        Arc::clone(&self.mint)
    }

    /// Gives the clusters who signs. A second one is ignored.
    pub(crate) fn open_mint(&self, signs: Arc<dyn Signs>) {
        self.mint.open(signs);
    }

    /// Gives the providers the store. A second one is ignored.
    pub fn open_users(&self, users: Arc<dyn UserStore>) {
        let _ = self.users.0.set(users);
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
