//! The login keychain of macOS.

use security_framework::base::Error;
use security_framework::os::macos::keychain::SecKeychain;
use security_framework::passwords::{delete_generic_password, get_generic_password, set_generic_password};

use super::{Store, Unusable};
use crate::cache::NAME;

#[derive(Debug)]
pub(super) struct System;

/// `errSecItemNotFound`, `errSecNoDefaultKeychain`, `errSecInteractionNotAllowed` and `errSecAuthFailed` of Apple's
/// `SecBase.h`.
const NOT_FOUND: i32 = -25_300;
const NO_KEYCHAIN: i32 = -25_307;
const NOT_ALLOWED: i32 = -25_308;
const AUTH_FAILED: i32 = -25_293;

impl Store for System {
    fn keep(&self, account: &str, secret: &str) -> Result<(), Unusable> {
        let _quiet = SecKeychain::disable_user_interaction()?;
        Ok(set_generic_password(NAME, account, secret.as_bytes())?)
    }

    fn read(&self, account: &str) -> Result<Option<String>, Unusable> {
        let _quiet = SecKeychain::disable_user_interaction()?;
        match get_generic_password(NAME, account) {
            Ok(secret) => {
                let secret = String::from_utf8(secret);
                secret.map(Some).map_err(|_| Unusable::Broken("what it keeps is no text".to_owned()))
            }
            Err(error) if error.code() == NOT_FOUND => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn forget(&self, account: &str) -> Result<(), Unusable> {
        let _quiet = SecKeychain::disable_user_interaction()?;
        match delete_generic_password(NAME, account) {
            Err(error) if error.code() != NOT_FOUND => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        match error.code() {
            NO_KEYCHAIN => Self::Missing,
            NOT_ALLOWED | AUTH_FAILED => Self::Locked,
            _ => Self::Broken(error.to_string()),
        }
    }
}
