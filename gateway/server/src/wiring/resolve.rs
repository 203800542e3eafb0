//! A cold credential on its way to the control plane, and back as a session with its identity rendered.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::PrincipalId;
use gatewarden_control::{Control, ResolvedToken, SessionIdentity, Signed, UserId};
use gatewarden_proxy::{
    Credential, Rejected, RenderFault, Resolve, ResolveError, Resolved, Scope, Session, SessionParts,
};
use secrecy::ExposeSecret;

use super::crossing::{Crossing, Lost};

/// Asks the control plane, over a bounded crossing.
#[derive(Debug)]
pub(super) struct ControlResolve {
    control: Arc<Control>,
    crossing: Crossing,
    /// For tokens of outside issuers: one of these that does not answer keeps nobody else from being looked up.
    borne: Crossing,
}

#[async_trait]
impl Resolve for ControlResolve {
    async fn resolve(&self, credential: &Credential) -> Result<Resolved, ResolveError> {
        match credential {
            Credential::ApiToken(text) => {
                let (control, text) = (Arc::clone(&self.control), text.clone());
                self.cross(&self.crossing, async move { control.resolve_token(text.expose_secret()).await }).await
            }
            Credential::Signed(text) => {
                let (control, text) = (Arc::clone(&self.control), text.clone());
                // Here, on the worker: to hand a check of a signature to another thread costs about as much as the check.
                match self.control.read_signed(text.expose_secret()).map_err(|refused| translated(&refused))? {
                    Signed::Resolved(found) => resolved(*found),
                    Signed::Ours(issued) => {
                        self.cross(&self.crossing, async move { control.resolve_issued(issued).await }).await
                    }
                    Signed::Foreign(iss) => {
                        let lookup = async move { control.resolve_borne(&iss, text.expose_secret()).await };
                        self.cross(&self.borne, lookup).await
                    }
                }
            }
        }
    }
}

impl ControlResolve {
    pub(super) fn new(control: &Arc<Control>, crossing: impl Fn() -> Crossing) -> Self {
        Self { control: Arc::clone(control), crossing: crossing(), borne: crossing() }
    }

    async fn cross(
        &self,
        crossing: &Crossing,
        lookup: impl Future<Output = Result<ResolvedToken, gatewarden_control::ResolveError>> + Send + 'static,
    ) -> Result<Resolved, ResolveError> {
        match crossing.run(lookup).await {
            Ok(Ok(found)) => resolved(found),
            Ok(Err(refused)) => Err(translated(&refused)),
            Err(Lost::Full) => Err(ResolveError::Overloaded),
            Err(Lost::Gone) => Err(ResolveError::Unavailable { retry_after: Duration::from_secs(1) }),
        }
    }
}

/// A login as clusters see it.
///
/// # Errors
/// When its names cannot be sent to a cluster.
pub(crate) fn session(
    id: &str,
    user: &UserId,
    principal: &PrincipalId,
    identity: SessionIdentity,
) -> Result<Session, RenderFault> {
    Session::new(SessionParts {
        id: id.to_owned(),
        user: user.to_string(),
        provider: principal.instance().to_string(),
        principal: principal.to_string(),
        identity: identity.user,
        subjects: identity.subjects,
    })
}

fn resolved(found: ResolvedToken) -> Result<Resolved, ResolveError> {
    let ResolvedToken { name, session: id, user, principal, identity, expires_at, scope, .. } = found;
    let session = session(id.as_str(), &user, &principal, identity).map_err(|fault| {
        // A login vets its names, so only a stored identity of other times comes here: logging in again mends it.
        tracing::error!(%fault, session = %id, "a stored identity cannot be sent to a cluster");
        ResolveError::Unauthenticated(Rejected::Unknown)
    })?;
    Ok(Resolved {
        session: Arc::new(session),
        token: name,
        expires_at: expires_at.into(),
        scope: Scope { upstreams: scope.upstreams, read_only: scope.read_only, clusters_only: scope.clusters_only },
    })
}

fn translated(refused: &gatewarden_control::ResolveError) -> ResolveError {
    use gatewarden_control::{Rejected as Why, ResolveError as Refused};
    match refused {
        Refused::Unauthenticated(why) => ResolveError::Unauthenticated(match why {
            Why::Malformed => Rejected::Malformed,
            Why::Unknown => Rejected::Unknown,
            Why::Expired => Rejected::Expired,
            Why::Revoked => Rejected::Revoked,
            Why::Disabled => Rejected::Disabled,
            Why::Untrusted(why) => Rejected::Untrusted(Arc::clone(why)),
        }),
        Refused::Unavailable { retry_after, .. } => ResolveError::Unavailable { retry_after: *retry_after },
        Refused::Overloaded => ResolveError::Overloaded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Neither crate may know the other. A name that one lets through and the other refuses is a login that no cluster
    // can be told of.
    #[test]
    fn what_no_provider_may_give_is_what_no_cluster_is_told() {
        assert_eq!(auth_core::Reserved::PREFIXES, Session::RESERVED);
    }
}
