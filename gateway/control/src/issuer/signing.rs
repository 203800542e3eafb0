//! The keys by which the issuer signs, in a row for each algorithm that somebody needs.
//!
//! Each signs for [`PERIOD`]. The next is published [`AHEAD`] of its first signature, so that whoever caches our keys
//! knows it by then, and an old one stays published until its last token is over.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::FromRow;

use super::key_pair::{Alg, Made, Pair};
use crate::keys::{KeyFault, Seals};
use crate::store::{Change, Store, StoreFault, Write, millis, moment};

/// How long a key signs.
pub(crate) const PERIOD: Duration = Duration::from_hours(30 * 24);
/// How long before its first signature a key is published. Verifiers cache keys for hours.
pub(crate) const AHEAD: Duration = Duration::from_hours(48);
/// How long after its last signature a key is published: longer than any token lives.
const BEHIND: Duration = Duration::from_hours(24);

/// The keys of all replicas, as the store has them.
#[derive(Debug)]
pub(crate) struct SigningKeys {
    seals: Seals,
    /// The algorithms that somebody needs: no key is made for others.
    needed: Vec<Alg>,
    keys: RwLock<Arc<[SigningKey]>>,
}

/// One key.
pub(crate) struct SigningKey {
    kid: String,
    pair: Pair,
    signs_at: Timestamp,
    retires_at: Timestamp,
}

/// Why there are no keys to sign with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningFault {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The system gives no randomness.
    #[error(transparent)]
    Keys(#[from] KeyFault),
    /// The key file is not the one that sealed it. The operator brings back the old key file, or adds its keys.
    #[error(
        "signing key {0} cannot be opened: the key file is another than the one that sealed it; bring that one back, \
         or add its keys below yours"
    )]
    Sealed(String),
}

#[derive(FromRow)]
struct Row {
    kid: String,
    sealed: Vec<u8>,
    signs_at: i64,
    retires_at: i64,
}

impl SigningKeys {
    pub(crate) fn new(seals: Seals, needed: Vec<Alg>) -> Self {
        Self { seals, needed, keys: RwLock::new(Arc::new([])) }
    }

    /// Reads the keys, makes the next one when it is due, and forgets those whose tokens are all over.
    ///
    /// # Errors
    /// As [`SigningFault`] says; the keys that were known stay in use.
    pub(crate) async fn tend(&self, store: &Store) -> Result<(), SigningFault> {
        let mut found = self.read(&mut *store.read().await?).await?;
        for alg in self.needed.iter().copied() {
            if is_due(&found, alg, store.now()) {
                found = self.add(store, alg).await?;
            }
        }
        self.replace(found);
        Ok(())
    }

    async fn add(&self, store: &Store, alg: Alg) -> Result<Vec<SigningKey>, SigningFault> {
        // Before the store is locked: an RSA key takes its time.
        let Made { pair, pkcs8 } = Pair::make(alg)?;
        let mut write = store.write().await?;
        // Another replica may have been quicker.
        let mut found = self.read(write.connection()).await?;
        if is_due(&found, alg, write.at()) {
            // The first signs at once; there is nobody yet who could have cached others. So does one that comes late.
            let next = last(&found, alg).map_or(write.at(), |last| later(last, PERIOD).max(write.at()));
            let key = SigningKey::new(pair, next);
            insert(&mut write, &key, &self.seals.seal(&key.kid, &pkcs8)?).await?;
            let over = millis(write.at());
            sqlx::query(forget(alg)).bind(over).execute(write.connection()).await.map_err(StoreFault::from)?;
            write.commit(Change::SigningKeyMade(key.kid.clone())).await?;
            found.push(key);
        }
        Ok(found)
    }

    async fn read(&self, connection: &mut sqlx::SqliteConnection) -> Result<Vec<SigningKey>, SigningFault> {
        let mut found = Vec::new();
        for alg in Alg::ALL {
            for row in rows(connection, alg).await? {
                found.push(self.open(alg, row)?);
            }
        }
        Ok(found)
    }

    fn open(&self, alg: Alg, row: Row) -> Result<SigningKey, SigningFault> {
        let opened = self.seals.open(&row.kid, &row.sealed).and_then(|pkcs8| Pair::open(alg, &pkcs8));
        Ok(SigningKey {
            pair: opened.ok_or_else(|| SigningFault::Sealed(row.kid.clone()))?,
            kid: row.kid,
            signs_at: moment(row.signs_at),
            retires_at: moment(row.retires_at),
        })
    }

    fn replace(&self, keys: Vec<SigningKey>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
    }

    /// The keys that are known now.
    pub(crate) fn all(&self) -> Arc<[SigningKey]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public halves of all that may have signed a token that lives, or will sign soon (RFC 7517).
    pub(crate) fn jwks(&self, now: Timestamp) -> Value {
        let keys = self.all();
        let live = keys.iter().filter(|key| key.retires_at > now);
        json!({ "keys": live.map(SigningKey::jwk).collect::<Vec<_>>() })
    }
}

/// The key that signs now by an algorithm: the youngest whose time has come.
pub(crate) fn signer(keys: &[SigningKey], alg: Alg, now: Timestamp) -> Option<&SigningKey> {
    let able = keys.iter().filter(|key| key.alg() == alg && key.signs_at <= now && key.retires_at > now);
    able.max_by_key(|key| key.signs_at)
}

fn is_due(keys: &[SigningKey], alg: Alg, now: Timestamp) -> bool {
    last(keys, alg).is_none_or(|last| later(last, PERIOD - AHEAD) <= now)
}

fn last(keys: &[SigningKey], alg: Alg) -> Option<Timestamp> {
    keys.iter().filter(|key| key.alg() == alg).map(|key| key.signs_at).max()
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}

async fn rows(connection: &mut sqlx::SqliteConnection, alg: Alg) -> Result<Vec<Row>, StoreFault> {
    let sql = match alg {
        Alg::Es256 => "SELECT kid, sealed, signs_at, retires_at FROM signing_keys ORDER BY signs_at",
        Alg::Rs256 => "SELECT kid, sealed, signs_at, retires_at FROM signing_keys_rs256 ORDER BY signs_at",
    };
    Ok(sqlx::query_as(sql).fetch_all(connection).await?)
}

const fn forget(alg: Alg) -> &'static str {
    match alg {
        Alg::Es256 => "DELETE FROM signing_keys WHERE retires_at < ?",
        Alg::Rs256 => "DELETE FROM signing_keys_rs256 WHERE retires_at < ?",
    }
}

async fn insert(write: &mut Write, key: &SigningKey, sealed: &[u8]) -> Result<(), StoreFault> {
    let sql = match key.alg() {
        Alg::Es256 => "INSERT INTO signing_keys (kid, sealed, created_at, signs_at, retires_at) VALUES (?, ?, ?, ?, ?)",
        Alg::Rs256 => {
            "INSERT INTO signing_keys_rs256 (kid, sealed, created_at, signs_at, retires_at) VALUES (?, ?, ?, ?, ?)"
        }
    };
    let at = millis(write.at());
    sqlx::query(sql)
        .bind(&key.kid)
        .bind(sealed)
        .bind(at)
        .bind(millis(key.signs_at))
        .bind(millis(key.retires_at))
        .execute(write.connection())
        .await?;
    Ok(())
}

impl SigningKey {
    fn new(pair: Pair, signs_at: Timestamp) -> Self {
        Self { kid: pair.thumbprint(), pair, signs_at, retires_at: later(signs_at, PERIOD + BEHIND) }
    }

    pub(crate) const fn alg(&self) -> Alg {
        self.pair.alg()
    }

    pub(crate) const fn pair(&self) -> &Pair {
        &self.pair
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) const fn retires_at(&self) -> Timestamp {
        self.retires_at
    }

    fn jwk(&self) -> Value {
        self.pair.jwk(&self.kid)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Site;

    #[tokio::test]
    async fn the_next_key_is_known_before_it_signs_and_the_old_one_while_its_tokens_live() {
        for alg in Alg::ALL {
            rotates(alg).await;
        }
    }

    async fn rotates(alg: Alg) {
        let site = Site::with_an_old_client().await;
        let keys = site.control.issuer().expect("an issuer").keys();
        let signs = |at| signer(&keys.all(), alg, at).map(|key| key.kid().to_owned()).expect("a signer");
        let shown = || {
            let jwks = keys.jwks(site.control.store().now());
            let of_alg = jwks["keys"].as_array().expect("keys").iter().filter(|key| key["alg"] == alg.name());
            of_alg.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect::<Vec<_>>()
        };
        let now = || site.control.store().now();
        let first = signs(now());
        assert_eq!(shown(), std::slice::from_ref(&first));
        site.clock.advance(PERIOD - AHEAD);
        keys.tend(site.control.store()).await.expect("tended");
        let two = shown();
        assert_eq!((two.len(), signs(now())), (2, first.clone()), "published, and not yet in use");
        site.clock.advance(AHEAD);
        let second = signs(now());
        assert!(second != first && two.contains(&second) && shown().contains(&first), "in use, and the old one stays");
        site.clock.advance(BEHIND);
        keys.tend(site.control.store()).await.expect("tended");
        assert_eq!(shown(), [second], "no token of the first can live any more");
    }

    #[tokio::test]
    async fn no_key_is_made_that_nobody_needs() {
        let folder = tempfile::tempdir().expect("a folder");
        let key_file = crate::KeyFile::open_or_create(&folder.path().join("key")).expect("keys");
        let clock = std::sync::Arc::new(auth_core::testing::ManualClock::new());
        let store = Store::open(&folder.path().join("db"), clock).await.expect("a store");
        let algs = |keys: &SigningKeys| keys.all().iter().map(SigningKey::alg).collect::<Vec<_>>();
        let one = SigningKeys::new(key_file.signing().clone(), vec![Alg::Es256]);
        one.tend(&store).await.expect("tended");
        assert_eq!(algs(&one), [Alg::Es256]);
        let both = SigningKeys::new(key_file.signing().clone(), Alg::ALL.into());
        both.tend(&store).await.expect("tended");
        assert_eq!(algs(&both), Alg::ALL, "once a client needs it");
        one.tend(&store).await.expect("tended");
        assert_eq!(algs(&one), Alg::ALL, "and what it signed is known when it does not any more");
    }

    #[tokio::test]
    async fn a_second_replica_has_the_same_keys_and_another_key_file_opens_none() {
        let site = Site::open().await;
        let ours = site.control.issuer().expect("an issuer").keys();
        let key_file = crate::KeyFile::open_or_create(&site.keys).expect("keys");
        let other = SigningKeys::new(key_file.signing().clone(), vec![Alg::Es256]);
        other.tend(site.control.store()).await.expect("tended");
        assert_eq!(other.jwks(Timestamp::UNIX_EPOCH), ours.jwks(Timestamp::UNIX_EPOCH));
        let folder = tempfile::tempdir().expect("a folder");
        let stranger = crate::KeyFile::open_or_create(&folder.path().join("key")).expect("keys");
        let theirs = SigningKeys::new(stranger.signing().clone(), vec![Alg::Es256]);
        let fault = theirs.tend(site.control.store()).await.expect_err("sealed");
        assert!(fault.to_string().contains("key file"), "{fault}");
    }
}
