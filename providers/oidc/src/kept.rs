//! What is kept between the calls of one login or session, in the caller's sealed store.

use auth_core::{AuthError, Completeness, Principal, ProviderSecret};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::person::{Said, Teller};

/// From the start of a trip to its end.
#[derive(Serialize, Deserialize)]
pub(crate) struct Memo {
    pub(crate) issuer: String,
    pub(crate) client: String,
    pub(crate) callback: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    pub(crate) begun: i64,
}

/// From a login to its refetches.
#[derive(Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) issuer: String,
    pub(crate) client: String,
    pub(crate) sub: String,
    pub(crate) nonce: String,
    pub(crate) id: String,
    pub(crate) login: String,
    pub(crate) name: Option<String>,
    pub(crate) refresh: Option<String>,
    /// Where there is no refresh token: good for userinfo until it ends.
    pub(crate) access: Option<String>,
    pub(crate) access_until: Option<i64>,
    /// The last ID token, where people log out at the issuer, too: it says whose login is meant.
    #[serde(default)]
    pub(crate) id_token: Option<String>,
    /// Who told the groups when they were last told.
    #[serde(default)]
    pub(crate) teller: Option<Teller>,
}

/// A trip takes no longer.
const TRIP: i64 = 600;

impl Memo {
    /// Whether it is one of this configuration, and not of long ago.
    pub(crate) fn is_current(&self, settings: &Settings, now: Timestamp) -> bool {
        let age = now.as_second().saturating_sub(self.begun);
        self.issuer == settings.issuer && self.client == settings.client_id && (-TRIP..=TRIP).contains(&age)
    }
}

impl Session {
    pub(crate) fn is_of(&self, settings: &Settings) -> bool {
        self.issuer == settings.issuer && self.client == settings.client_id
    }

    /// Notes who told the groups. That somebody else is silent now says nothing of them.
    pub(crate) fn hear(&mut self, settings: &Settings, said: &Said<'_>) -> Completeness {
        let teller = said.teller(settings);
        if settings.groups.is_some()
            && teller.is_none()
            && let Some(before) = self.teller.filter(|before| !said.hears(*before))
        {
            return Completeness::Incomplete(format!("{before} told the groups, and could not be asked this time"));
        }
        self.teller = teller.or(self.teller);
        // The token of the login may have told them, and names may rest on them.
        let missing = settings.attributes.iter().find(|(_, pointer)| said.find(pointer).is_none());
        if said.token.is_none()
            && let Some((name, _)) = missing
        {
            return Completeness::Incomplete(format!("there was no new ID token, which may have told `{name}`"));
        }
        Completeness::Complete
    }

    pub(crate) fn remember(&mut self, user: &Principal) {
        user.name.clone_into(&mut self.login);
        self.name.clone_from(&user.display_name);
    }
}

/// Packs for the store.
pub(crate) fn pack<T: Serialize>(value: &T) -> Result<ProviderSecret, AuthError> {
    let text = serde_json::to_string(value).map_err(|_| AuthError::Protocol("nothing that can be kept".to_owned()))?;
    Ok(ProviderSecret::new(text))
}

/// `None`: it was packed by another version.
pub(crate) fn unpack<T: DeserializeOwned>(secret: &ProviderSecret) -> Option<T> {
    serde_json::from_str(secret.expose()).ok()
}
