//! What lives as long as a cluster's configuration stays the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use http::HeaderValue;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::account::{Credentials, TokenFault};
use super::service_accounts::Verifier;
use crate::boundary::{Carrier, Cluster};
use crate::tls::ClientTls;
use crate::upstream::Endpoint;

/// Questions to one cluster's reviewer at once. Beyond it a caller waits: a flood of `--as` must not become one of
/// reviews.
const REVIEWS: usize = 32;

/// Which of a cluster's two accounts speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Carries callers' requests, always as somebody else.
    Impersonator,
    /// Asks what others may do.
    Reviewer,
}

/// Whose credential a request carries. Connections are kept apart by it: what came over one account's never goes over
/// another's, and a caller's own token goes over none that says who the gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// One of the gateway's accounts.
    Account(Role),
    /// The caller: the request brings a token that this cluster made.
    Caller,
}

impl Role {
    /// What operators call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Impersonator => "impersonator",
            Self::Reviewer => "reviewer",
        }
    }
}

/// Whether requests may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The probe found what it must find.
    Open,
    /// The impersonator may do more than impersonate: lost headers would make a caller the gateway itself.
    Closed(Arc<str>),
    /// Not asked yet, or not answered.
    Unproven(Arc<str>),
}

/// Our accounts at the cluster.
#[derive(Debug)]
enum Accounts {
    Two {
        impersonator: Box<Credentials>,
        reviewer: Box<Credentials>,
    },
    /// Each request brings a token of its own.
    None(ClientTls),
}

/// A cluster at work.
#[derive(Debug)]
pub(crate) struct Runtime {
    id: u64,
    cluster: Arc<Cluster>,
    endpoints: Vec<Arc<Endpoint>>,
    accounts: Accounts,
    /// Where the cluster's own tokens come in: what checks them, and TLS that says nothing of the gateway.
    own_tokens: Option<(Verifier, ClientTls)>,
    state: ArcSwap<State>,
    constrained: AtomicBool,
    pub(super) reviews: Semaphore,
    /// Fires when no snapshot holds this cluster any more.
    pub(super) retired: CancellationToken,
}

impl Runtime {
    /// Prepares a cluster; nothing is dialed yet.
    ///
    /// # Errors
    /// What is wrong with its certificates, tokens or endpoints.
    pub(crate) fn new(cluster: Arc<Cluster>) -> Result<Self, String> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let config = cluster.config();
        let name = config.tls_server_name.as_deref();
        let endpoints = config.endpoints.iter().map(|uri| Endpoint::new(uri, name).map(Arc::new));
        let account = |what: &str, account| {
            let made = Credentials::new(account, &config.ca_pem).map(Box::new);
            made.map_err(|fault| format!("{what} or authority: {fault}"))
        };
        let plain = || ClientTls::new(&config.ca_pem, None).map_err(|fault| format!("authority: {fault}"));
        let own_tokens = config.service_accounts.clone().map(|on| Ok::<_, String>((Verifier::new(on), plain()?)));
        let accounts = match &config.carrier {
            Carrier::Impersonation { impersonator, reviewer } => Accounts::Two {
                impersonator: account("impersonator", impersonator)?,
                reviewer: account("reviewer", reviewer)?,
            },
            Carrier::Bearer(_) => Accounts::None(plain()?),
        };
        Ok(Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            endpoints: endpoints.collect::<Result<_, _>>()?,
            accounts,
            own_tokens: own_tokens.transpose()?,
            state: ArcSwap::from_pointee(State::Unproven("not probed yet".into())),
            constrained: AtomicBool::new(false),
            reviews: Semaphore::new(REVIEWS),
            retired: CancellationToken::new(),
            cluster,
        })
    }

    /// Differs between any two runtimes of a process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    pub(crate) fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    pub(crate) fn tls(&self, role: Role) -> &ClientTls {
        match (&self.accounts, role) {
            (Accounts::Two { impersonator, .. }, Role::Impersonator) => impersonator.tls(),
            (Accounts::Two { reviewer, .. }, Role::Reviewer) => reviewer.tls(),
            (Accounts::None(tls), _) => tls,
        }
    }

    /// How to connect for a caller's own token; `None` where such do not come in.
    pub(crate) fn callers_tls(&self) -> Option<&ClientTls> {
        self.own_tokens.as_ref().map(|(_, tls)| tls)
    }

    /// What the cluster's own tokens are checked by; `None` where they do not come in.
    pub(super) fn verifier(&self) -> Option<&Verifier> {
        self.own_tokens.as_ref().map(|(verifier, _)| verifier)
    }

    /// The account's `Authorization` header.
    pub(crate) fn authorization(&self, role: Role) -> Result<Option<HeaderValue>, TokenFault> {
        self.credentials(role).map_or(Ok(None), Credentials::authorization)
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Whether requests may pass: one read, for the hot path.
    pub(crate) fn is_open(&self) -> bool {
        matches!(**self.state.load(), State::Open)
    }

    /// Whether the API server knows constrained impersonation (1.36 and later).
    pub(crate) fn is_constrained(&self) -> bool {
        self.constrained.load(Ordering::Relaxed)
    }

    pub(super) fn set_constrained(&self, constrained: bool) {
        self.constrained.store(constrained, Ordering::Relaxed);
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.store(Arc::new(state));
    }

    /// Reads token files again.
    pub(super) fn renew(&self) -> Result<(), TokenFault> {
        [Role::Impersonator, Role::Reviewer]
            .into_iter()
            .filter_map(|role| self.credentials(role))
            .try_for_each(Credentials::renew)
    }

    fn credentials(&self, role: Role) -> Option<&Credentials> {
        match (&self.accounts, role) {
            (Accounts::Two { impersonator, .. }, Role::Impersonator) => Some(impersonator),
            (Accounts::Two { reviewer, .. }, Role::Reviewer) => Some(reviewer),
            (Accounts::None(_), _) => None,
        }
    }
}
