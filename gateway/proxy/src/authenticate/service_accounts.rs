//! A cluster's own service accounts, who come by tokens that the cluster made.
//!
//! Such a token is known by its issuer, on the paths of its own cluster alone: there the cluster is asked about it, and
//! nobody else; anywhere else it is a token of nobody's. What a cluster said is remembered under the cluster and a keyed
//! hash, for as long as an API server itself remembers it. What runs longer is asked about again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{self, SHA256};
use futures_util::stream::{self, StreamExt};
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::Stranger;
use super::caller::Presented;
use super::sessions::Key;
use crate::admit::{Admitted, Place, Target};
use crate::authenticate::Caller;
use crate::boundary::{Cluster, Credential, Home, Rejected, Resolved, Scope, Session, WeakLife};
use crate::cluster::{Means, Proven, Runtime, Unproven, issuer_of, prove_service_account};
use crate::gate::{Common, Gate};
use crate::refusal::Refusal;
use crate::stream::Drain;
use crate::upstream::Pool;

/// What clusters said of their own tokens lately.
pub(crate) struct ServiceAccounts {
    answers: Cache<Seat, Answer>,
    /// Who was good when asked about last: guessing from their address does not shut them out.
    known: Cache<Seat, ()>,
    running: Mutex<HashMap<Seat, Running>>,
    turns: Semaphore,
}

/// A cluster as it is configured now, and a token there.
type Seat = (u64, Key);

/// What a cluster said; a good answer ends by its caller, a bad one after a moment.
#[derive(Clone)]
enum Answer {
    Good(Arc<Caller>),
    Bad { why: &'static str, until: Instant },
}

/// What may still run by a token.
struct Running {
    runtime: Arc<Runtime>,
    token: SecretString,
    life: WeakLife,
    reviewed_at: Instant,
}

/// What is to be asked about again.
type Due = (Seat, Arc<Runtime>, SecretString);

/// As long as an API server remembers a good token.
const GOOD: Duration = Duration::from_secs(10);
/// A client that is told no and comes again at once costs its cluster nothing; one that was just let in waits little.
const BAD: Duration = Duration::from_secs(2);
const MOST: usize = 16_384;
/// Tokens that are being asked about.
const AT_ONCE: usize = 1_024;
/// How often what runs is looked at, and how old an answer may grow under it.
const ROUND: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(30);
/// Questions at once about what runs.
const ROUND_AT_ONCE: usize = 8;

/// The cluster that a request goes to, where that cluster's own tokens come in.
pub(super) fn own_tokens_of(admitted: &Admitted) -> Option<&Arc<Cluster>> {
    match admitted.target() {
        Target::Cluster { place: Place::Known(cluster), .. } => {
            Some(cluster).filter(|cluster| cluster.config().service_accounts.is_some())
        }
        Target::Cluster { .. } | Target::Management { .. } | Target::Console { .. } => None,
    }
}

/// The token, where it says that this cluster made it. Then nobody else is asked, whatever comes of it.
pub(super) fn is_made_by<'a>(cluster: &Cluster, credential: &'a Credential) -> Option<&'a SecretString> {
    let (Credential::Signed(token), Some(on)) = (credential, &cluster.config().service_accounts) else { return None };
    issuer_of(token.expose_secret()).is_some_and(|issuer| issuer == on.issuer).then_some(token)
}

impl ServiceAccounts {
    pub(crate) fn new() -> Self {
        let (answers, known) = (Cache::new(MOST), Cache::new(MOST));
        Self { answers, known, running: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }

    /// Whose token this is, as the cluster said moments ago. Asks nobody.
    pub(super) fn warm(&self, common: &Common, cluster: &Arc<Cluster>, key: &Key) -> Option<Arc<Caller>> {
        let runtime = common.clusters.of(cluster).ok()?;
        match self.answers.get(&(runtime.id(), *key))? {
            Answer::Good(caller) => Some(caller).filter(|caller| common.sessions.holds(caller)),
            Answer::Bad { .. } => None,
        }
    }

    /// Whose token this is; the cluster is asked once, however many requests wait for its answer.
    pub(super) async fn ask(
        &self,
        gate: &Gate,
        stranger: &Stranger,
        (cluster, token): (&Arc<Cluster>, &SecretString),
        key: Key,
    ) -> Result<Arc<Caller>, Refusal> {
        let common = &gate.common;
        let unavailable = |why: &str| Refusal::ClusterUnavailable {
            cluster: cluster.id().into(),
            why: format!("service-account token: {why}").into(),
            retry_after: Duration::from_secs(1),
        };
        let runtime = common.clusters.of(cluster).map_err(|why| unavailable(&why))?;
        let seat = (runtime.id(), key);
        if !self.known.contains_key(&seat) {
            stranger.may_fail(common)?;
        }
        let busy = Refusal::TooMany { retry_after: Duration::from_secs(1), what: "logins at once" };
        let _turn = self.turns.try_acquire().map_err(|_| busy)?;
        let asking = Asking { common, pool: &gate.pool, runtime: &runtime, token, seat };
        match self.answer(&asking).await {
            Ok(caller) => Ok(caller),
            Err(Unproven::Unknown(why)) => Err(unavailable(why)),
            Err(Unproven::Bad(why) | Unproven::Refused(why)) => {
                self.known.remove(&seat);
                Err(stranger.failed(common, Rejected::Untrusted(format!("cluster {}: {why}", cluster.id()).into())))
            }
        }
    }

    /// The remembered answer, or the one that asking gives. An outage is not remembered, nor is what cost nothing.
    async fn answer(&self, asking: &Asking<'_>) -> Result<Arc<Caller>, Unproven> {
        let common = asking.common;
        let stale = |answer: &Answer| !answer.holds(common);
        self.answers.remove_if(&asking.seat, stale);
        let place = match self.answers.get_value_or_guard_async(&asking.seat).await {
            Ok(answer) => return answer.said(),
            Err(place) => place,
        };
        let asked_at = common.time.monotonic();
        let answer = match asking.ask(asked_at).await {
            Ok((caller, running)) => {
                lock(&self.running).insert(asking.seat, running);
                self.known.insert(asking.seat, ());
                Answer::Good(caller)
            }
            // From when it was asked: the cluster may have changed its mind while it answered.
            Err(Unproven::Refused(why)) => {
                self.end(&asking.seat, why);
                Answer::Bad { why, until: asked_at + BAD }
            }
            Err(unproven) => return Err(unproven),
        };
        // A failure means that the answer was thrown out again at once, and the next request asks.
        let _ = place.insert(answer.clone());
        answer.said()
    }

    /// Asks again about everything that still runs, and ends what the cluster does not stand by any more.
    async fn look_again(&self, common: &Common, pool: &Pool) {
        self.answers.retain(|_, answer| answer.holds(common));
        let now = common.time.monotonic();
        let means = Means { pool, time: &*common.time };
        let looks = stream::iter(self.due(now))
            .map(|(seat, runtime, token)| async move { (seat, prove_service_account(means, &runtime, &token).await) });
        let mut looks = std::pin::pin!(looks.buffer_unordered(ROUND_AT_ONCE));
        while let Some((seat, found)) = looks.next().await {
            match found {
                Ok(_) => {
                    if let Some(running) = lock(&self.running).get_mut(&seat) {
                        running.reviewed_at = running.reviewed_at.max(now);
                    }
                }
                Err(Unproven::Bad(why) | Unproven::Refused(why)) => self.end(&seat, why),
                // Whether it holds cannot be known now: an outage ends nothing, and the token's own time does.
                Err(Unproven::Unknown(_)) => {}
            }
        }
    }

    /// Ends what runs by a token that does not hold any more.
    fn end(&self, seat: &Seat, why: &str) {
        self.known.remove(seat);
        if let Some(gone) = lock(&self.running).remove(seat) {
            tracing::info!(cluster = gone.runtime.cluster().id(), why, "what a service account runs is ended");
            gone.life.end();
        }
    }

    fn due(&self, now: Instant) -> Vec<Due> {
        let mut running = lock(&self.running);
        running.retain(|_, running| running.life.is_held());
        let due = running.iter().filter(|(_, running)| now.saturating_duration_since(running.reviewed_at) >= AGAIN);
        due.map(|(seat, running)| (*seat, Arc::clone(&running.runtime), running.token.clone())).collect()
    }
}

/// Looks at what runs by clusters' own tokens, until the gateway stops.
pub(crate) async fn keep(common: &Common, pool: &Pool, drain: &Drain) {
    let looking = async {
        loop {
            tokio::time::sleep(ROUND).await;
            common.service_accounts.look_again(common, pool).await;
        }
    };
    tokio::select! {
        () = looking => {}
        () = drain.begun() => {}
    }
}

impl Answer {
    fn holds(&self, common: &Common) -> bool {
        match self {
            Self::Good(caller) => common.sessions.holds(caller),
            Self::Bad { until, .. } => common.time.monotonic() < *until,
        }
    }

    fn said(self) -> Result<Arc<Caller>, Unproven> {
        match self {
            Self::Good(caller) => Ok(caller),
            Self::Bad { why, .. } => Err(Unproven::Refused(why)),
        }
    }
}

/// One question to a cluster.
struct Asking<'a> {
    common: &'a Common,
    pool: &'a Pool,
    runtime: &'a Arc<Runtime>,
    token: &'a SecretString,
    seat: Seat,
}

impl Asking<'_> {
    async fn ask(&self, asked_at: Instant) -> Result<(Arc<Caller>, Running), Unproven> {
        let since = self.common.sessions.sequence();
        let means = Means { pool: self.pool, time: &*self.common.time };
        let proven = prove_service_account(means, self.runtime, self.token).await?;
        let presented = Presented::new(self.token).ok_or(Unproven::Bad("it is no header"))?;
        let resolved = self.resolved(&proven)?;
        let taken_in = self.common.sessions.take_in(resolved, since, asked_at + GOOD);
        let caller = taken_in.ok_or(Unproven::Unknown("something ended while it was asked about"))?;
        let running = Running {
            runtime: Arc::clone(self.runtime),
            token: self.token.clone(),
            life: caller.life().downgrade(),
            reviewed_at: asked_at,
        };
        Ok((Arc::new(caller.presenting(presented)), running))
    }

    fn resolved(&self, proven: &Proven) -> Result<Resolved, Unproven> {
        let config = self.runtime.cluster().config();
        let on = config.service_accounts.as_ref().ok_or(Unproven::Bad("the cluster's own tokens do not come in"))?;
        let home = Home { cluster: config.id.clone(), issuer: on.issuer.clone() };
        Ok(Resolved {
            session: Arc::new(Session::of_account(&proven.account, &proven.uid, home)),
            token: name(&config.id, self.token.expose_secret()),
            expires_at: proven.expires_at,
            scope: Scope { upstreams: Some(vec![config.id.clone()]), read_only: false, clusters_only: true },
        })
    }
}

/// What logs call a token: a hash of what was signed, for a signature may be written in several ways, and of the cluster,
/// for another's token must share no life with it.
fn name(cluster: &str, token: &str) -> String {
    let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
    let hash = digest::digest(&SHA256, format!("{cluster}/{signed}").as_bytes());
    let hex = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}"));
    format!("sa-{}", hex.collect::<String>())
}

impl fmt::Debug for ServiceAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccounts").field("answers", &self.answers.len()).finish_non_exhaustive()
    }
}

// Nothing that can panic runs under this lock, so a poisoned one still holds good state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";

    #[test]
    fn an_own_token_is_shown_by_nothing() {
        let presented = Presented::new(&SecretString::from(TOKEN)).unwrap();
        assert_eq!(presented.header(), &format!("Bearer {TOKEN}"));
        assert!(presented.header().is_sensitive());
        let question = crate::cluster::token_question(TOKEN);
        let shown = format!("{presented:?} {:?} {question:?}", Credential::Signed(TOKEN.into()));
        assert!(!shown.contains("c2ln") && !shown.contains("eyJ"), "{shown}");
    }

    #[test]
    fn a_name_is_of_what_was_signed_and_of_one_cluster() {
        let of = |cluster, token| name(cluster, token);
        assert_eq!(of("east", TOKEN), of("east", "eyJhbGciOiJSUzI1NiJ9.e30.other"));
        assert_ne!(of("east", TOKEN), of("west", TOKEN));
        assert_ne!(of("east", TOKEN), of("east", "eyJhbGciOiJSUzI1NiJ9.e31.c2ln"));
        assert!(of("east", TOKEN).starts_with("sa-") && of("east", TOKEN).len() == 35);
    }
}
