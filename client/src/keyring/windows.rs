//! The Credential Manager of Windows. It is open while its owner is logged in.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use windows_native_keyring_store::Store as Credentials;

use super::{Store, Unusable};
use crate::cache::NAME;

#[derive(Debug)]
pub(super) struct System;

impl Store for System {
    fn keep(&self, account: &str, secret: &str) -> Result<(), Unusable> {
        Ok(entry(account)?.set_password(secret)?)
    }

    fn read(&self, account: &str) -> Result<Option<String>, Unusable> {
        match entry(account)?.get_password() {
            Err(Error::NoEntry) => Ok(None),
            secret => Ok(Some(secret?)),
        }
    }

    fn forget(&self, account: &str) -> Result<(), Unusable> {
        match entry(account)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// On this machine alone: a refresh token that roams would be used from two.
fn entry(account: &str) -> Result<Entry, Unusable> {
    let store: Arc<CredentialStore> = Credentials::new()?;
    let here = HashMap::from([("persistence", "Local")]);
    Ok(Entry::new_in_store_with_modifiers(&store, NAME, account, &here)?)
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        match error {
            Error::NoStorageAccess(_) => Self::Locked,
            Error::NotSupportedByStore(_) => Self::Missing,
            other => Self::Broken(other.to_string()),
        }
    }
}
