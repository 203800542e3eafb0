//! The keys by which the issuer signs: ECDSA on P-256 (ES256, RFC 7518 §3.4).
//!
//! Each signs for [`PERIOD`]. The next is published [`AHEAD`] of its first signature, so that whoever caches our keys
//! knows it by then, and an old one stays published until its last token is over.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::FromRow;

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
    keys: RwLock<Arc<[SigningKey]>>,
}

/// One key.
pub(crate) struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
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
    pub(crate) fn new(seals: Seals) -> Self {
        Self { seals, keys: RwLock::new(Arc::new([])) }
    }

    /// Reads the keys, makes the next one when it is due, and forgets those whose tokens are all over.
    ///
    /// # Errors
    /// As [`SigningFault`] says; the keys that were known stay in use.
    pub(crate) async fn tend(&self, store: &Store) -> Result<(), SigningFault> {
        let found = self.read(rows(&mut *store.read().await?).await?)?;
        let now = store.now();
        if is_due(&found, now) {
            return self.add(store).await;
        }
        self.replace(found);
        Ok(())
    }

    async fn add(&self, store: &Store) -> Result<(), SigningFault> {
        let mut write = store.write().await?;
        // Another replica may have been quicker.
        let mut found = self.read(rows(write.connection()).await?)?;
        if is_due(&found, write.at()) {
            let last = found.iter().map(|key| key.signs_at).max();
            // The first signs at once; there is nobody yet who could have cached others. So does one that comes late.
            let next = last.map_or(write.at(), |last| later(last, PERIOD).max(write.at()));
            let Made { key, pkcs8 } = SigningKey::make(next)?;
            insert(&mut write, &key, &self.seals.seal(&key.kid, &pkcs8)?).await?;
            let over = millis(write.at());
            sqlx::query("DELETE FROM signing_keys WHERE retires_at < ?")
                .bind(over)
                .execute(write.connection())
                .await
                .map_err(StoreFault::from)?;
            write.commit(Change::SigningKeyMade(key.kid.clone())).await?;
            found.push(key);
        }
        self.replace(found);
        Ok(())
    }

    fn read(&self, rows: Vec<Row>) -> Result<Vec<SigningKey>, SigningFault> {
        let open = |row: Row| {
            let sealed = || SigningFault::Sealed(row.kid.clone());
            let pkcs8 = self.seals.open(&row.kid, &row.sealed).ok_or_else(sealed)?;
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8);
            Ok(SigningKey {
                pair: pair.map_err(|_| sealed())?,
                kid: row.kid,
                signs_at: moment(row.signs_at),
                retires_at: moment(row.retires_at),
            })
        };
        rows.into_iter().map(open).collect()
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

/// The key that signs now: the youngest whose time has come.
pub(crate) fn signer(keys: &[SigningKey], now: Timestamp) -> Option<&SigningKey> {
    keys.iter().filter(|key| key.signs_at <= now && key.retires_at > now).max_by_key(|key| key.signs_at)
}

fn is_due(keys: &[SigningKey], now: Timestamp) -> bool {
    let last = keys.iter().map(|key| key.signs_at).max();
    last.is_none_or(|last| later(last, PERIOD - AHEAD) <= now)
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}

async fn rows(connection: &mut sqlx::SqliteConnection) -> Result<Vec<Row>, StoreFault> {
    let sql = "SELECT kid, sealed, signs_at, retires_at FROM signing_keys ORDER BY signs_at";
    Ok(sqlx::query_as(sql).fetch_all(connection).await?)
}

async fn insert(write: &mut Write, key: &SigningKey, sealed: &[u8]) -> Result<(), StoreFault> {
    let at = millis(write.at());
    sqlx::query("INSERT INTO signing_keys (kid, sealed, created_at, signs_at, retires_at) VALUES (?, ?, ?, ?, ?)")
        .bind(&key.kid)
        .bind(sealed)
        .bind(at)
        .bind(millis(key.signs_at))
        .bind(millis(key.retires_at))
        .execute(write.connection())
        .await?;
    Ok(())
}

/// A new key, and its private half as it is sealed (PKCS #8).
struct Made {
    key: SigningKey,
    pkcs8: zeroize::Zeroizing<Vec<u8>>,
}

impl SigningKey {
    fn make(signs_at: Timestamp) -> Result<Made, KeyFault> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = zeroize::Zeroizing::new(pkcs8.map_err(|_| KeyFault::Crypto)?.as_ref().to_vec());
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8);
        let pair = pair.map_err(|_| KeyFault::Crypto)?;
        let retires_at = later(signs_at, PERIOD + BEHIND);
        let kid = thumbprint(&pair);
        Ok(Made { key: Self { kid, pair, signs_at, retires_at }, pkcs8 })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) const fn retires_at(&self) -> Timestamp {
        self.retires_at
    }

    /// The public point, uncompressed.
    pub(crate) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The signature as JOSE has it: r and s, 32 bytes each (RFC 7518 §3.4).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| KeyFault::Crypto)?;
        Ok(signature.as_ref().to_vec())
    }

    fn jwk(&self) -> Value {
        let (x, y) = coordinates(&self.pair);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid, "x": x, "y": y })
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// The name of a key follows from the key (RFC 7638 §3).
fn thumbprint(pair: &EcdsaKeyPair) -> String {
    let (x, y) = coordinates(pair);
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// x and y as base64url, out of `04 ‖ x ‖ y` (SEC 1 §2.3.3).
fn coordinates(pair: &EcdsaKeyPair) -> (String, String) {
    let point = pair.public_key().as_ref();
    let part = |range| URL_SAFE_NO_PAD.encode(point.get(range).unwrap_or_default());
    (part(1..33), part(33..65))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Site;

    #[tokio::test]
    async fn the_next_key_is_known_before_it_signs_and_the_old_one_while_its_tokens_live() {
        let site = Site::open().await;
        let keys = site.control.issuer().expect("an issuer").keys();
        let signs = |at| signer(&keys.all(), at).map(|key| key.kid().to_owned()).expect("a signer");
        let shown = || {
            let jwks = keys.jwks(site.control.store().now());
            let kid = |key: &Value| key["kid"].as_str().expect("a kid").to_owned();
            jwks["keys"].as_array().expect("keys").iter().map(kid).collect::<Vec<_>>()
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
    async fn a_second_replica_has_the_same_keys_and_another_key_file_opens_none() {
        let site = Site::open().await;
        let ours = site.control.issuer().expect("an issuer").keys();
        let key_file = crate::KeyFile::open_or_create(&site.keys).expect("keys");
        let other = SigningKeys::new(key_file.signing().clone());
        other.tend(site.control.store()).await.expect("tended");
        assert_eq!(other.jwks(Timestamp::UNIX_EPOCH), ours.jwks(Timestamp::UNIX_EPOCH));
        let folder = tempfile::tempdir().expect("a folder");
        let stranger = crate::KeyFile::open_or_create(&folder.path().join("key")).expect("keys");
        let fault = SigningKeys::new(stranger.signing().clone()).tend(site.control.store()).await.expect_err("sealed");
        assert!(fault.to_string().contains("key file"), "{fault}");
    }
}
