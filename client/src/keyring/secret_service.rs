//! Desktops of Linux and its kin: GNOME Keyring, KWallet and others, by the Secret Service API over D-Bus.

use std::collections::HashMap;

use secret_service::blocking::{Item as Found, SecretService};
use secret_service::{EncryptionType, Error};

use super::{Store, Unusable};
use crate::cache::NAME;

#[derive(Debug)]
pub(super) struct System;

/// What a person reads in their keyring's own program.
const LABEL: &str = "Gatewarden login for kubectl";

impl Store for System {
    fn keep(&self, account: &str, secret: &str) -> Result<(), Unusable> {
        let service = connect()?;
        let keyring = service.get_default_collection()?;
        // Asked first: to write into a locked one would ask the person for its password.
        if keyring.is_locked()? {
            return Err(Unusable::Locked);
        }
        keyring.create_item(LABEL, attributes(account), secret.as_bytes(), true, "text/plain")?;
        Ok(())
    }

    fn read(&self, account: &str) -> Result<Option<String>, Unusable> {
        let service = connect()?;
        let Some(found) = found(&service, account)? else { return Ok(None) };
        let secret = String::from_utf8(found.get_secret()?);
        secret.map(Some).map_err(|_| Unusable::Broken("what it keeps is no text".to_owned()))
    }

    fn forget(&self, account: &str) -> Result<(), Unusable> {
        let service = connect()?;
        match found(&service, account)? {
            Some(found) => Ok(found.delete()?),
            None => Ok(()),
        }
    }
}

/// Other programs on the bus do not see what goes over it.
fn connect() -> Result<SecretService<'static>, Unusable> {
    Ok(SecretService::connect(EncryptionType::Dh)?)
}

fn attributes(account: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", NAME), ("account", account)])
}

fn found<'a>(service: &'a SecretService<'a>, account: &str) -> Result<Option<Found<'a>>, Unusable> {
    let mut found = service.search_items(attributes(account))?;
    match (found.unlocked.pop(), found.locked.is_empty()) {
        (Some(item), _) => Ok(Some(item)),
        (None, false) => Err(Unusable::Locked),
        (None, true) => Ok(None),
    }
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        match error {
            // No bus; nobody on it; or somebody without a keyring.
            Error::Unavailable | Error::NoResult => Self::Missing,
            Error::Locked | Error::Prompt | Error::PromptDisconnected => Self::Locked,
            Error::Zbus(error) if error.to_string().contains("ServiceUnknown") => Self::Missing,
            Error::ZbusFdo(error) if error.to_string().contains("ServiceUnknown") => Self::Missing,
            other => Self::Broken(other.to_string()),
        }
    }
}
