//! A store of local people in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{PasswordHash, StoreError, StoredGroup, StoredPage, StoredUser, UserStore};

/// A [`UserStore`] that a test fills, and can make fail.
#[derive(Debug, Default)]
pub struct MemoryUsers {
    users: Mutex<BTreeMap<String, StoredUser>>,
    failing: AtomicBool,
}

impl MemoryUsers {
    /// Adds a user; one of the same id is replaced.
    pub fn put(&self, user: StoredUser) {
        self.lock().insert(user.id.clone(), user);
    }

    /// Takes a user away.
    pub fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    /// From now on every call fails, or none does.
    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    fn answer<T>(&self, read: impl FnOnce(&mut BTreeMap<String, StoredUser>) -> T) -> Result<T, StoreError> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError("the test made it fail".into()));
        }
        Ok(read(&mut self.lock()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, StoredUser>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl UserStore for MemoryUsers {
    async fn find_by_login(&self, login: &str) -> Result<Option<StoredUser>, StoreError> {
        self.answer(|users| users.values().find(|user| user.login == login).map(copy))
    }

    async fn find(&self, id: &str) -> Result<Option<StoredUser>, StoreError> {
        self.answer(|users| users.get(id).map(copy))
    }

    async fn find_group(&self, id: &str) -> Result<Option<StoredGroup>, StoreError> {
        self.answer(|users| users.values().flat_map(|user| &user.groups).find(|group| group.id == id).cloned())
    }

    async fn search_users(
        &self,
        text: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<StoredPage<StoredUser>, StoreError> {
        self.answer(|users| {
            let matches = |user: &&StoredUser| {
                user.login.contains(text) || user.display_name.as_ref().is_some_and(|name| name.contains(text))
            };
            let rest = users.values().filter(|user| after.is_none_or(|after| user.id.as_str() > after));
            page(rest.filter(matches).map(copy), limit)
        })
    }

    async fn search_groups(
        &self,
        text: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<StoredPage<StoredGroup>, StoreError> {
        self.answer(|users| {
            let all: BTreeMap<&str, &StoredGroup> =
                users.values().flat_map(|user| &user.groups).map(|group| (group.id.as_str(), group)).collect();
            let rest = all.into_values().filter(|group| after.is_none_or(|after| group.id.as_str() > after));
            page(rest.filter(|group| group.name.contains(text)).cloned(), limit)
        })
    }

    async fn rehash(&self, id: &str, old: &PasswordHash, new: &PasswordHash) -> Result<(), StoreError> {
        self.answer(|users| {
            let hash = users.get_mut(id).and_then(|user| user.password_hash.as_mut());
            if let Some(hash) = hash.filter(|hash| hash.expose() == old.expose()) {
                *hash = PasswordHash::new(new.expose());
            }
        })
    }
}

fn page<T>(mut rest: impl Iterator<Item = T>, limit: usize) -> StoredPage<T> {
    let items = rest.by_ref().take(limit).collect();
    StoredPage { items, more: rest.next().is_some() }
}

/// A secret cannot be cloned by accident, so a copy is spelled out.
fn copy(user: &StoredUser) -> StoredUser {
    StoredUser {
        id: user.id.clone(),
        login: user.login.clone(),
        display_name: user.display_name.clone(),
        password_hash: user.password_hash.as_ref().map(|hash| PasswordHash::new(hash.expose())),
        disabled: user.disabled,
        must_change: user.must_change,
        groups: user.groups.clone(),
    }
}
