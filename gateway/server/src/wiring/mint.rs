//! Tokens for clusters that trust the issuer, made by the control plane.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use gatewarden_control::{ClusterSubject, ClusterToken, ClusterTokenError, ClusterTokens, Control};
use gatewarden_proxy::{Mint, MintFault, Minted, Session};

/// Who signs, once it is there: a configuration is read before the store is open.
#[derive(Debug, Default)]
pub struct LateMint(OnceLock<Arc<dyn Signs>>);

/// Whoever holds the issuer's keys.
pub(crate) trait Signs: Debug + Send + Sync {
    /// Signs what one cluster is to know of a session.
    fn sign(&self, about: ClusterSubject<'_>, cluster: &str) -> Result<ClusterToken, ClusterTokenError>;
}

impl Signs for Control {
    fn sign(&self, about: ClusterSubject<'_>, cluster: &str) -> Result<ClusterToken, ClusterTokenError> {
        self.cluster_token(about, cluster)
    }
}

impl Signs for ClusterTokens {
    fn sign(&self, about: ClusterSubject<'_>, cluster: &str) -> Result<ClusterToken, ClusterTokenError> {
        self.make(about, cluster)
    }
}

impl LateMint {
    /// Gives it who signs. A second one is ignored.
    pub(crate) fn open(&self, signs: Arc<dyn Signs>) {
        let _ = self.0.set(signs);
    }
}

impl Mint for LateMint {
    fn mint(&self, session: &Session, cluster: &str) -> Result<Minted, MintFault> {
        let not_yet = || MintFault::Unavailable("the store is not open".to_owned());
        let about = ClusterSubject {
            user: session.user(),
            session: session.id(),
            provider: session.provider(),
            principal: session.principal(),
            identity: session.identity(),
        };
        let made = self.0.get().ok_or_else(not_yet)?.sign(about, cluster);
        let ClusterToken { token, lasts } = made.map_err(|error| match error {
            ClusterTokenError::TooLarge { bytes, limit } => {
                MintFault::TooLarge { groups: session.identity().groups.len(), bytes, limit }
            }
            ClusterTokenError::NoKey => MintFault::Unavailable(error.to_string()),
        })?;
        Ok(Minted { token, lasts })
    }
}
