//! The keyring of the person's desktop, where there is one: it keeps a secret sealed while nobody is logged in there.
//!
//! Nobody is asked for anything on its behalf, and nobody waits for it for long: what it cannot do at once is done without.

#[cfg(target_os = "macos")]
mod macos;
#[cfg(all(unix, not(target_os = "macos")))]
mod secret_service;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "macos")]
use macos::System;
#[cfg(all(unix, not(target_os = "macos")))]
use secret_service::System;
#[cfg(windows)]
use windows::System;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Why the keyring cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("there is no keyring here")]
    Missing,
    #[error("the keyring is locked")]
    Locked,
    #[error("the keyring does not answer")]
    Late,
    #[error("the keyring does not work: {0}")]
    Broken(String),
}

/// A keyring of one kind. Its calls may take as long as they like. The account, by which a secret is found again, is as
/// public as a file name.
trait Store: Debug + Send + Sync {
    /// Puts a secret there, in place of one that is there already.
    fn keep(&self, account: &str, secret: &str) -> Result<(), Unusable>;
    fn read(&self, account: &str) -> Result<Option<String>, Unusable>;
    fn forget(&self, account: &str) -> Result<(), Unusable>;
}

/// A keyring that is waited for only so long.
#[derive(Debug, Clone)]
pub(crate) struct Keyring {
    store: Arc<dyn Store>,
    patience: Duration,
}

/// More than one takes that has to be started first.
const PATIENCE: Duration = Duration::from_secs(5);

impl Keyring {
    pub(crate) fn of_this_machine() -> Self {
        Self { store: Arc::new(System), patience: PATIENCE }
    }

    pub(crate) fn keep(&self, account: &str, secret: &str) -> Result<(), Unusable> {
        let (account, secret) = (account.to_owned(), secret.to_owned());
        self.ask(move |store| store.keep(&account, &secret))
    }

    pub(crate) fn read(&self, account: &str) -> Result<Option<String>, Unusable> {
        let account = account.to_owned();
        self.ask(move |store| store.read(&account))
    }

    pub(crate) fn forget(&self, account: &str) -> Result<(), Unusable> {
        let account = account.to_owned();
        self.ask(move |store| store.forget(&account))
    }

    /// On a thread of its own, which ends with the program at the latest.
    fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, Unusable> + Send + 'static,
    ) -> Result<T, Unusable> {
        let (store, (tell, told)) = (Arc::clone(&self.store), channel());
        let began = thread::Builder::new().spawn(move || {
            // Nobody waits any more: it came too late.
            let _ = tell.send(call(&*store));
        });
        began.map_err(|error| Unusable::Broken(error.to_string()))?;
        told.recv_timeout(self.patience).unwrap_or(Err(Unusable::Late))
    }
}

#[cfg(test)]
pub(crate) mod fake;
