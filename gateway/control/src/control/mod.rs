//! The control plane at run time: what a server starts, and how it stops.

mod outdated;
mod sweep;

use outdated::Outdated;
#[cfg(test)]
pub(crate) use sweep::sweep;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use auth_core::{Clock, Context};
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::changes::{ChangeEvent, Events, Tail};
use crate::identity::SessionIdentity;
use crate::issuer::{Issuer, IssuerConfig, SessionTimes, session_times};
use crate::keys::{KeyFile, Seals};
use crate::meters::Meters;
use crate::refresh::{Refresher, Turns};
use crate::registry::Registry;
use crate::sessions::{self, Used, Which};
use crate::store::{self, Store, StoreFault};
use crate::tokens::Tokens;

/// Events that a follower may be behind before it has to start over, which ends everybody's streams: more than one
/// command can cause at once, such as the release of a group name that thousands carry.
const EVENTS: usize = 16_384;
/// Tokens looked up at once. Each waits for a connection to the store, so a longer queue only makes older answers.
const LOOKUPS: usize = 256;

/// How long whoever reads the metrics waits for the store.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a control plane is made of.
#[derive(Debug)]
pub struct ControlParts {
    /// Where everything is kept.
    pub store: Store,
    /// What makes tokens.
    pub keys: KeyFile,
    /// The configured providers.
    pub registry: Registry,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The OpenID Connect issuer, where there is a host name for it.
    pub issuer: Option<IssuerConfig>,
    /// Times and bounds.
    pub settings: Settings,
}

/// Times and bounds, as an operator may set them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a login lasts.
    pub session_lifetime: Duration,
    /// How many sessions a user may have; one more ends the oldest, so that a script that logs in for every request
    /// fills neither the store nor the directory's day.
    pub sessions_per_user: u32,
    /// How often the groups of a session are read anew.
    pub refresh_interval: Duration,
    /// How many refetches one provider gets at once.
    pub refresh_concurrency: usize,
    /// How old an identity may be when its provider does not answer; beyond it the session waits (503) for the
    /// provider. `None`: as old as the session.
    pub max_staleness: Option<Duration>,
    /// How long a provider may take.
    pub provider_deadline: Duration,
}

impl Default for Settings {
    /// 12 hours, 200 sessions, every 15 minutes, 4 at once, 10 seconds.
    fn default() -> Self {
        Self {
            session_lifetime: Duration::from_secs(12 * 60 * 60),
            sessions_per_user: 200,
            refresh_interval: Duration::from_secs(15 * 60),
            refresh_concurrency: 4,
            max_staleness: None,
            provider_deadline: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// Whether an identity that was read then still counts.
    #[must_use]
    pub fn is_fresh(&self, refreshed_at: Timestamp, now: Timestamp) -> bool {
        self.max_staleness.is_none_or(|limit| store::since(refreshed_at, now) <= limit)
    }
}

/// By id, whether people may go there without the gateway.
type Clusters = BTreeMap<String, bool>;

/// The running control plane. It owns its background tasks; [`Control::shutdown`] ends them.
#[derive(Debug)]
pub struct Control {
    store: Store,
    tokens: Tokens,
    issuer: Option<Issuer>,
    secrets: Seals,
    registry: RwLock<Arc<Registry>>,
    clusters: RwLock<Arc<Clusters>>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    lookups: Semaphore,
    meters: Meters,
    outdated: Outdated,
    turns: Turns,
    used: Used,
    events: broadcast::Sender<ChangeEvent>,
    tasks: TaskTracker,
    end: CancellationToken,
}

impl Control {
    /// Starts the control plane on the runtime that this is called on. Sessions of providers that are not configured end.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn start(parts: ControlParts) -> Result<Arc<Self>, StoreFault> {
        let tokens = Tokens::api(&parts.keys);
        let secrets = parts.keys.secrets().clone();
        let issuer = parts.issuer.map(|config| Issuer::new(config, &parts.keys));
        let (events, _) = broadcast::channel(EVENTS);
        let requested = Arc::new(Notify::new());
        let tail = Tail::start(parts.store.clone(), events.clone(), Arc::clone(&requested)).await?;
        match end_strangers(&parts.store, &parts.registry).await {
            // A copy of a store whose disk cannot be written. Each of their tokens is refused by the configuration.
            Err(fault) if fault.is_read_only() => {
                tracing::warn!("sessions of providers that are not configured any more could not be ended for good");
            }
            ended => ended?,
        }
        let meters = Meters::new(Arc::clone(&parts.clock), parts.store.meters());
        let control = Arc::new(Self {
            store: parts.store,
            tokens,
            issuer,
            secrets,
            registry: RwLock::new(Arc::new(parts.registry)),
            clusters: RwLock::default(),
            clock: parts.clock,
            settings: parts.settings,
            lookups: Semaphore::new(LOOKUPS),
            meters,
            outdated: Outdated::default(),
            turns: Turns::default(),
            used: Used::default(),
            events,
            tasks: TaskTracker::new(),
            end: CancellationToken::new(),
        });
        control.tend_signing_keys_once().await;
        control.tasks.spawn(Arc::clone(&control).tend_signing_keys());
        let (clock, end) = (Arc::clone(&control.clock), control.end.clone());
        control.tasks.spawn(tail.run(clock, end));
        let refresher = Refresher::new(&control, requested);
        control.tasks.spawn(Arc::clone(&refresher).answer_requests());
        control.tasks.spawn(refresher.keep_fresh());
        control.tasks.spawn(sweep::run(Arc::clone(&control)));
        Ok(control)
    }

    /// Follows what changes: first of all [`ChangeEvent::Reset`].
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.events.subscribe(), self.end.clone())
    }

    /// Tells whoever follows, here alone.
    pub(crate) fn tell(&self, event: ChangeEvent) {
        // Nobody may follow just now.
        let _ = self.events.send(event);
    }

    /// Puts a new configuration of providers in place of the old. The sessions of an instance that is gone, or whose id
    /// is now another kind's, end for good: the same id may be another directory, whose `alice` is somebody else.
    ///
    /// # Errors
    /// When sessions cannot be ended. The new configuration holds all the same, and refuses them while it does; an
    /// instance of another kind under an old id stays closed until it is replaced again with success.
    pub async fn replace_providers(&self, registry: Registry) -> Result<(), StoreFault> {
        let (registry, otherwise) = {
            let mut current = self.registry.write().unwrap_or_else(PoisonError::into_inner);
            let otherwise = current.bearing_otherwise(&registry);
            *current = Arc::new(registry.continuing(&current));
            (Arc::clone(&current), otherwise)
        };
        self.judge_borne_anew(&otherwise).await;
        // Whoever looks a token up from here on is judged by the new configuration; what was looked up before ends.
        let ended = end_strangers(&self.store, &registry).await;
        match ended {
            Ok(()) => registry.open(),
            Err(_) => self.tell(ChangeEvent::Reset),
        }
        ended
    }

    /// Says which clusters there are, and whether people may go to each without the gateway: tokens are made for no
    /// others. At first there are none.
    pub fn know_clusters(&self, clusters: impl IntoIterator<Item = (String, bool)>) {
        *self.clusters.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(clusters.into_iter().collect());
    }

    pub(crate) fn clusters(&self) -> Arc<Clusters> {
        Arc::clone(&self.clusters.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops the background tasks and waits for those that run, then closes the store.
    pub async fn shutdown(&self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.store.close().await;
    }

    /// Adds the metrics of the control plane to `text`, in the format that Prometheus reads.
    pub async fn append_metrics(&self, text: &mut String) {
        // A store that hangs must not hide the numbers that tell so.
        let counted = tokio::time::timeout(PATIENCE, self.open_sessions()).await;
        self.meters.append_to(text, counted.ok().and_then(Result::ok));
    }

    /// How many sessions of each configured provider have not ended.
    async fn open_sessions(&self) -> Result<Vec<(String, i64)>, StoreFault> {
        let counted = sessions::count(&mut *self.store.read().await?, self.store.now()).await?;
        let registry = self.registry();
        let count = |id: &str| counted.iter().find(|(provider, _)| provider == id).map_or(0, |(_, count)| *count);
        Ok(registry.ids().map(|id| (id.as_str().to_owned(), count(id.as_str()))).collect())
    }

    /// The store, for commands that run inside the server.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Whose turn it is to be asked about.
    pub(crate) const fn turns(&self) -> &Turns {
        &self.turns
    }

    /// When sessions were used.
    pub(crate) const fn used(&self) -> &Used {
        &self.used
    }

    /// The OpenID Connect issuer, where there is one.
    pub(crate) const fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }

    /// What the secrets of providers are sealed by.
    pub(crate) const fn secrets(&self) -> &Seals {
        &self.secrets
    }

    pub(crate) const fn lookups(&self) -> &Semaphore {
        &self.lookups
    }

    pub(crate) const fn meters(&self) -> &Meters {
        &self.meters
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    pub(crate) const fn end(&self) -> &CancellationToken {
        &self.end
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The circumstances of one provider call.
    pub(crate) fn context(&self, trace_id: String) -> Context {
        Context::new(self.clock.monotonic() + self.settings.provider_deadline, trace_id)
    }

    /// How long a login of somebody lasts.
    pub(crate) fn times_of(&self, identity: &SessionIdentity) -> SessionTimes {
        let rules = self.issuer.as_ref().map(Issuer::session_rules).unwrap_or_default();
        session_times(rules, identity, self.settings.session_lifetime)
    }

    pub(crate) fn end_of_session(&self, identity: &SessionIdentity, now: Timestamp) -> Timestamp {
        // Cut to what the store keeps: the login and everything after it name the same moment.
        let end = now.saturating_add(self.times_of(identity).max_age.span).unwrap_or(Timestamp::MAX);
        store::moment(store::millis(end))
    }

    pub(crate) fn fresh(&self, refreshed_at: Timestamp, now: Timestamp) -> bool {
        self.settings.is_fresh(refreshed_at, now)
    }
}

/// Ends the sessions of providers that are not configured.
async fn end_strangers(store: &Store, registry: &Registry) -> Result<(), StoreFault> {
    let configured: Vec<_> = registry.ids().collect();
    sessions::end_now(store, Which::OfNone(&configured), "its provider is not configured any more").await
}
