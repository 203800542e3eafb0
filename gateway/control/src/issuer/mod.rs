//! The OpenID Connect issuer: one way to log in for every tool, whatever provider stands behind.
//!
//! | the question | the answer |
//! |---|---|
//! | Who may ask? | `client.rs`, and how it proves itself, `client_secret.rs` |
//! | What is under way? | `authorization.rs`: the code flow (RFC 6749 with RFC 7636) and the device flow (RFC 8628) |
//! | What does a cluster get that trusts us? | `cluster.rs` |
//! | What does a client get? | `exchange.rs`: `jwt.rs` signed by `signing.rs` with a `key_pair.rs`, and a `refresh_token.rs` |
//! | How does one get a token for a single cluster? | `narrow.rs` (RFC 8693) |
//! | What may a client ask for? | `scope.rs` |
//! | How long does a login last? | `times.rs` |
//! | How do people end it? | `logout.rs` |
//! | What is a token worth now? | `introspect.rs` |
//! | What speaks HTTP? | `http/`: the protocol, and the pages that people see |

pub(crate) mod authorization;
mod client;
mod client_secret;
mod cluster;
mod exchange;
mod http;
mod introspect;
mod jwt;
mod key_pair;
pub(crate) mod logout;
mod narrow;
mod refresh_token;
pub(crate) mod scope;
mod secret;
mod signing;
mod times;

pub use client::Client;
pub use client_secret::ClientSecret;
pub use cluster::{CLAIM as CLUSTER_CLAIM, ClusterSubject, ClusterToken, ClusterTokenError, ClusterTokens};
pub use http::router as console;
pub use key_pair::Alg;
pub(crate) use secret::{Random, sha256};
use signing::SigningKeys;
pub use times::{Limit, SessionRule, SessionTimes, session_times};

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::control::Control;
use crate::keys::{KeyFile, Macs};
use crate::tokens::{TokenScope, Tokens};
pub(crate) use jwt::Claims;
use jwt::Kind;
pub(crate) use jwt::issuer_of;

/// What the issuer is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// The issuer's identifier, `https://console.example.org/oidc`: the origin of its pages, and `/oidc`.
    pub url: String,
    /// The address of the API and the clusters, which access tokens are for: `https://kube.example.org:8443`.
    pub resource: String,
    /// Who may ask for tokens, beside the shipped plugin.
    pub clients: Vec<Client>,
    /// Whose logins last less long than others'.
    pub sessions: Vec<SessionRule>,
}

impl IssuerConfig {
    /// Whether anything is signed so.
    pub(crate) fn signs_by(&self, alg: Alg) -> bool {
        alg == Alg::Es256 || self.clients.iter().any(|client| client.id_token_alg == alg)
    }
}

/// How long a token is good for.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_mins(15);
/// How often the keys are looked at.
const TEND: Duration = Duration::from_mins(10);

/// The issuer at run time.
#[derive(Debug)]
pub(crate) struct Issuer {
    config: IssuerConfig,
    origin: String,
    keys: SigningKeys,
    refreshes: Tokens,
    forms: Macs,
}

impl Issuer {
    pub(crate) fn new(config: IssuerConfig, keys: &KeyFile) -> Self {
        let origin = config.url.strip_suffix(PATH).unwrap_or(&config.url).to_owned();
        let algs = Alg::ALL.into_iter().filter(|alg| config.signs_by(*alg)).collect();
        let (signing, forms) = (SigningKeys::new(keys.signing().clone(), algs), keys.forms().clone());
        Self { config, origin, keys: signing, refreshes: Tokens::refresh(keys), forms }
    }

    pub(crate) fn session_rules(&self) -> &[SessionRule] {
        &self.config.sessions
    }

    pub(crate) fn signs_by(&self, alg: Alg) -> bool {
        self.config.signs_by(alg)
    }

    pub(crate) fn url(&self) -> &str {
        &self.config.url
    }

    pub(crate) fn resource(&self) -> &str {
        &self.config.resource
    }

    /// The origin of the pages: scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) const fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    pub(crate) const fn refreshes(&self) -> &Tokens {
        &self.refreshes
    }

    pub(crate) const fn forms(&self) -> &Macs {
        &self.forms
    }

    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.config.clients.iter().find(|client| client.id == id)
    }

    /// What a text says that opens clusters: an access token for this gateway, or an ID token of a client whose tokens
    /// are credentials. Whether its time is over is for the caller to say. Behind the claims is how far it reaches.
    pub(crate) fn credential(&self, text: &str, now: Timestamp) -> Option<(Claims, TokenScope)> {
        let (kind, claims) = jwt::verify(&self.keys.all(), now, text)?;
        let client = self.client(&claims.client_id).filter(|client| client.kubectl)?;
        let scope = match kind {
            Kind::Access if claims.aud == self.resource() => TokenScope::default(),
            Kind::Access => TokenScope::only_cluster(self.cluster_of(&claims.aud)?),
            Kind::Id if claims.aud == client.id => TokenScope::default(),
            Kind::Id | Kind::Cluster => return None,
        };
        (claims.iss == self.url()).then_some((claims, scope))
    }
}

/// What the issuer's identifier ends with.
pub(crate) const PATH: &str = "/oidc";

impl Control {
    /// Makes the next key in time, and learns of those that other replicas made.
    pub(crate) async fn tend_signing_keys(self: Arc<Self>) {
        while self.issuer().is_some() {
            tokio::select! {
                () = self.end().cancelled() => return,
                () = self.clock().sleep(TEND) => self.tend_signing_keys_once().await,
            }
        }
    }

    /// Who has a session goes on when this fails; nobody new gets a signed token until the keys can be read.
    pub(crate) async fn tend_signing_keys_once(&self) {
        let Some(issuer) = self.issuer() else { return };
        if let Err(fault) = issuer.keys().tend(self.store()).await {
            tracing::error!(why = %auth_core::with_causes(&fault), "the keys of the issuer cannot be read or made");
        }
    }
}

#[cfg(test)]
pub(crate) fn jwt_of(issuer: &Issuer, now: Timestamp, text: &str) -> Option<(String, Claims)> {
    jwt::verify(&issuer.keys.all(), now, text).map(|(kind, claims)| (format!("{kind:?}"), claims))
}

/// A token with any claims, by our own key.
#[cfg(test)]
pub(crate) fn forged(issuer: &Issuer, now: Timestamp, is_id: bool, claims: &impl serde::Serialize) -> String {
    let kind = if is_id { Kind::Id } else { Kind::Access };
    jwt::sign(&issuer.keys.all(), now, kind, claims).expect("signed")
}

#[cfg(test)]
pub(crate) fn signed_by(issuer: &Issuer, now: Timestamp, claims: &Claims) -> String {
    jwt::sign(&issuer.keys.all(), now, Kind::Access, claims).expect("signed")
}
