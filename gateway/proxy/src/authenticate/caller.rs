//! Who is behind a credential, with what that caller may still ask for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::boundary::{Granted, Life, RequestLimits, Resolved, Session, Snapshot};
use crate::limit::Bucket;
use crate::refusal::Refusal;

/// What a cached credential stands for. A warm request reads everything here without a lock.
#[derive(Debug)]
pub(crate) struct Caller {
    resolved: Arc<Resolved>,
    life: Life,
    allowance: Arc<Allowance>,
    granted: ArcSwapOption<Granted>,
    recheck_at: Instant,
    presented: Option<Presented>,
}

/// A service account's own token, for the cluster that made it and has said that it holds. Only this stage makes one, so
/// that no other credential is ever passed on.
#[derive(Debug)]
pub(crate) struct Presented(HeaderValue);

impl Presented {
    /// Sensitive: HTTP/2 must not put it into a compression table, and `Debug` must not show it.
    pub(super) fn new(token: &SecretString) -> Option<Self> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
        header.set_sensitive(true);
        Some(Self(header))
    }

    /// The `Authorization` header.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl Caller {
    pub(super) fn new(resolved: Resolved, life: Life, allowance: Arc<Allowance>, recheck_at: Instant) -> Self {
        let granted = ArcSwapOption::empty();
        Self { resolved: Arc::new(resolved), life, allowance, granted, recheck_at, presented: None }
    }

    /// The same, who brought a token that goes on to the cluster.
    pub(super) fn presenting(self, presented: Presented) -> Self {
        Self { presented: Some(presented), ..self }
    }

    /// The token that goes on with its requests.
    pub(crate) fn presented(&self) -> Option<&Presented> {
        self.presented.as_ref()
    }

    /// Whether who this is must be asked again before the next request. What runs goes on.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.recheck_at
    }

    pub(crate) fn resolved(&self) -> &Arc<Resolved> {
        &self.resolved
    }

    pub(crate) fn session(&self) -> &Session {
        &self.resolved.session
    }

    pub(crate) fn life(&self) -> &Life {
        &self.life
    }

    pub(crate) fn allowance(&self) -> &Arc<Allowance> {
        &self.allowance
    }

    /// Where the caller may go. Worked out once per session and snapshot.
    pub(crate) fn granted(&self, snapshot: &Snapshot) -> Arc<Granted> {
        if let Some(granted) = self.granted.load_full().filter(|granted| snapshot.is_current(granted)) {
            return granted;
        }
        let granted = Arc::new(snapshot.granted(self.session()));
        self.granted.store(Some(Arc::clone(&granted)));
        granted
    }
}

/// What one user may ask for, over all sessions and tokens.
#[derive(Debug)]
pub(crate) struct Allowance {
    requests: Bucket,
    short: AtomicUsize,
    long: AtomicUsize,
    upgraded: AtomicUsize,
}

/// What a request occupies while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Short,
    /// A watch or a log: one stream of a connection that many share.
    Long,
    /// A terminal or a port-forward: a connection to the cluster, of which there are fewest.
    Upgrade,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        let (short, long, upgraded) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Self { requests: Bucket::new(now), short, long, upgraded }
    }

    /// Takes one request and a place for as long as it runs.
    pub(crate) fn take(self: &Arc<Self>, now: Instant, limits: &RequestLimits, kind: Kind) -> Result<Slot, Refusal> {
        self.requests
            .take(now, limits.user_rate, limits.user_burst)
            .map_err(|retry_after| Refusal::TooMany { retry_after, what: "requests of this user" })?;
        let (most, what) = match kind {
            Kind::Short => (limits.user_in_flight, "requests of this user at once"),
            Kind::Long => (limits.user_long_running, "watches and streams of this user"),
            Kind::Upgrade => (limits.user_upgrades, "terminals and port-forwards of this user"),
        };
        let slot = Slot { allowance: Arc::clone(self), kind };
        if slot.count().fetch_add(1, Ordering::AcqRel) >= most {
            return Err(Refusal::TooMany { retry_after: Duration::from_secs(1), what });
        }
        Ok(slot)
    }
}

/// One running request's place. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Slot {
    allowance: Arc<Allowance>,
    kind: Kind,
}

impl Slot {
    fn count(&self) -> &AtomicUsize {
        match self.kind {
            Kind::Short => &self.allowance.short,
            Kind::Long => &self.allowance.long,
            Kind::Upgrade => &self.allowance.upgraded,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.count().fetch_sub(1, Ordering::AcqRel);
    }
}
