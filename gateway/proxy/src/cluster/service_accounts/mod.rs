//! Does a token of a cluster's own service accounts hold? Asked of that cluster alone.
//!
//! ```text
//! token ─► signed by a key of the cluster? ─► for us, and not over? ─► the cluster's TokenReview ─► an account
//! ```
//! The signature comes first, so that garbage costs a cluster no question. The review comes each time, because an
//! account or a pod that is deleted takes its tokens with it, and no signature knows.

mod keys;
mod token;
mod token_review;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use self::keys::KeySet;
use self::token::Token;
use self::token_review::Judgement;
use super::own::Own;
use super::runtime::{Role, Runtime};
use crate::boundary::{ServiceAccount, ServiceAccountTokens, Time};
use crate::upstream::{self, Pool};

pub(crate) use token::issuer_of;

const KEYS: &str = "/openid/v1/jwks";
/// Where an API server says which issuer it is.
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";

/// All that one look at a token may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Keys are asked for no more often than this, whatever names tokens give theirs.
const BETWEEN_KEYS: Duration = Duration::from_secs(10);
/// And this soon where no keys came.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Reviews of one cluster at once. They have places of their own, so that nobody's `--as` waits for them.
const AT_ONCE: usize = 16;

/// What one cluster's tokens are checked by.
#[derive(Debug)]
pub(crate) struct Verifier {
    settings: ServiceAccountTokens,
    keys: ArcSwapOption<KeySet>,
    asked: Mutex<Option<Asked>>,
    turns: Semaphore,
}

/// When the keys were asked for last.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    answered: bool,
}

/// What was proven: an account, by a token that ends.
#[derive(Debug, Clone)]
pub(crate) struct Proven {
    pub(crate) account: ServiceAccount,
    /// The account's own id.
    pub(crate) uid: String,
    pub(crate) expires_at: std::time::SystemTime,
}

/// Why nobody is proven. The words are fixed ones: none is the token's or the cluster's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproven {
    /// Its form, signature or claims are at fault; the cluster was not asked.
    #[error("{0}")]
    Bad(&'static str),
    /// The cluster says no.
    #[error("{0}")]
    Refused(&'static str),
    /// It cannot be known now, and the token may be as good as ever.
    #[error("{0}")]
    Unknown(&'static str),
}

/// How to ask a cluster.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) time: &'a dyn Time,
}

impl Verifier {
    pub(super) fn new(settings: ServiceAccountTokens) -> Self {
        let turns = Semaphore::new(AT_ONCE);
        Self { settings, keys: ArcSwapOption::empty(), asked: Mutex::default(), turns }
    }
}

/// Says whose a token is. Errors that are nobody's fault are never remembered as a "no".
pub(crate) async fn prove(means: Means<'_>, runtime: &Arc<Runtime>, token: &SecretString) -> Result<Proven, Unproven> {
    let verifier = runtime.verifier().ok_or(Unproven::Bad("the cluster's own tokens do not come in here"))?;
    let asking = Asking { means, runtime, verifier };
    timeout(DEADLINE, asking.prove(token)).await.unwrap_or(Err(Unproven::Unknown("no answer in time")))
}

struct Asking<'a> {
    means: Means<'a>,
    runtime: &'a Arc<Runtime>,
    verifier: &'a Verifier,
}

impl Asking<'_> {
    async fn prove(&self, presented: &SecretString) -> Result<Proven, Unproven> {
        let settings = &self.verifier.settings;
        let token = Token::parse(presented.expose_secret()).map_err(Unproven::Bad)?;
        if !self.keys_of(&token).await?.verify(&token) {
            return Err(Unproven::Bad("no key of the cluster has signed it"));
        }
        let said = token.claims(settings, self.means.time.wall()).map_err(Unproven::Bad)?;
        let _turn = self.verifier.turns.acquire().await.map_err(|_| Unproven::Unknown("the cluster is gone"))?;
        let question = token_review::question(presented.expose_secret(), &settings.audiences);
        let (status, answer) = self.ask(Own::post(Role::Reviewer, token_review::PATH, question)).await?;
        match token_review::judge(status, &answer, &said, &settings.audiences) {
            Judgement::Holds => Ok(Proven { account: said.account, uid: said.uid, expires_at: said.expires_at }),
            Judgement::Fails(why) => Err(Unproven::Refused(why)),
            Judgement::Unanswered(why) => Err(Unproven::Unknown(why)),
        }
    }

    /// The cluster's keys, asked for anew when none of them has the name that a token gives.
    async fn keys_of(&self, token: &Token<'_>) -> Result<Arc<KeySet>, Unproven> {
        let known = || self.verifier.keys.load_full().filter(|keys| keys.knows(&token.kid));
        if let Some(keys) = known() {
            return Ok(keys);
        }
        let mut asked = self.verifier.asked.lock().await;
        if let Some(keys) = known() {
            return Ok(keys);
        }
        let now = self.means.time.monotonic();
        if let Some(last) = *asked {
            let (pause, meanwhile) = if last.answered { (BETWEEN_KEYS, NO_SUCH_KEY) } else { (AFTER_FAILURE, NO_KEYS) };
            if now.saturating_duration_since(last.at) < pause {
                return Err(meanwhile);
            }
        }
        // A request that is given up while it waits has asked all the same.
        *asked = Some(Asked { at: now, answered: false });
        let keys = Arc::new(self.fetch().await?);
        *asked = Some(Asked { at: now, answered: true });
        self.verifier.keys.store(Some(Arc::clone(&keys)));
        if keys.knows(&token.kid) { Ok(keys) } else { Err(NO_SUCH_KEY) }
    }

    async fn fetch(&self) -> Result<KeySet, Unproven> {
        let (status, answer) = self.ask(keys_of_cluster()).await?;
        if status != StatusCode::OK {
            return Err(NO_KEYS);
        }
        KeySet::read(&answer).ok_or(NO_KEYS)
    }

    async fn ask(&self, own: Own) -> Result<(StatusCode, bytes::Bytes), Unproven> {
        let asked = upstream::ask(self.means.pool, self.runtime, own).await;
        asked.map_err(|_| Unproven::Unknown("the cluster cannot be asked"))
    }
}

/// Asks where an API server publishes the keys that it signs with. It answers in this kind alone.
pub(super) fn keys_of_cluster() -> Own {
    Own::get(Role::Reviewer, KEYS).accepting(HeaderValue::from_static("application/jwk-set+json"))
}

/// Whether an answer at [`KEYS`] holds a key that can verify something.
pub(super) fn tells_keys(answer: &[u8]) -> bool {
    KeySet::read(answer).is_some()
}

/// What is asked about a token, for a test of what it shows.
#[cfg(test)]
pub(crate) fn token_question(token: &str) -> Own {
    Own::post(Role::Reviewer, token_review::PATH, token_review::question(token, &[]))
}

const NO_SUCH_KEY: Unproven = Unproven::Bad("the cluster has no key of the name that it gives");
const NO_KEYS: Unproven = Unproven::Unknown("the cluster tells no keys at /openid/v1/jwks");
