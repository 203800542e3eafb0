//! Keyrings that do what no real one does on request: be locked just now, or never answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::*;

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Missing,
    Locked,
    /// It takes a call, and never answers.
    Hangs,
}

#[derive(Debug)]
pub(crate) struct Fake {
    mood: Mutex<Mood>,
    secrets: Mutex<BTreeMap<String, String>>,
    calls: Mutex<usize>,
}

impl Fake {
    pub(crate) fn new(mood: Mood) -> (Arc<Self>, Keyring) {
        let (mood, secrets, calls) = (Mutex::new(mood), Mutex::default(), Mutex::default());
        let fake = Arc::new(Self { mood, secrets, calls });
        let store: Arc<dyn Store> = Arc::<Self>::clone(&fake);
        let patience = if *fake.mood.lock().unwrap() == Mood::Hangs { Duration::from_millis(1) } else { PATIENCE };
        (fake, Keyring { store, patience })
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Everything that is kept there.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.secrets.lock().unwrap().values().cloned().collect()
    }

    /// How often it was asked anything.
    pub(crate) fn calls(&self) -> usize {
        *self.calls.lock().unwrap()
    }

    fn asked(&self) -> Result<(), Unusable> {
        *self.calls.lock().unwrap() += 1;
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Well => Ok(()),
            Mood::Missing => Err(Unusable::Missing),
            Mood::Locked => Err(Unusable::Locked),
            Mood::Hangs => loop {
                thread::park();
            },
        }
    }
}

impl Store for Fake {
    fn keep(&self, account: &str, secret: &str) -> Result<(), Unusable> {
        self.asked()?;
        self.secrets.lock().unwrap().insert(account.to_owned(), secret.to_owned());
        Ok(())
    }

    fn read(&self, account: &str) -> Result<Option<String>, Unusable> {
        self.asked()?;
        Ok(self.secrets.lock().unwrap().get(account).cloned())
    }

    fn forget(&self, account: &str) -> Result<(), Unusable> {
        self.asked()?;
        self.secrets.lock().unwrap().remove(account);
        Ok(())
    }
}
