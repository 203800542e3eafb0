//! Tokens of outside issuers: who stands behind one, with no login of ours before it.
//!
//! ```text
//! iss ─► provider ─► proven? ─► policy ∧ provider's narrowing ─► mapping ─► names ─► the session of that identity
//! ```
//! As kube-apiserver does, each token is taken for what it says: nobody is asked again until it ends. What the gateway
//! adds is a session for it, so that it can be listed, followed and ended. All tokens of one person that give one
//! identity share a session, so a thousand pods of one service account are one row; a token that says something else has
//! a session of its own. When one is ended before its time, tokens that were made before that moment are refused.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthError, BearerProof, BearerVerdict, Identity, InstanceId, ProviderSecret};
use jiff::Timestamp;

use crate::base32;
use crate::changes::ChangeEvent;
use crate::control::Control;
use crate::identity::{self, NameTaken, Person, SessionIdentity};
use crate::issuer::sha256;
use crate::login::log_withheld;
use crate::logouts;
use crate::registry::{Proven, ProviderEntry, Refused};
use crate::resolve::{Rejected, ResolveError, ResolvedToken, read, unavailable};
use crate::sessions::borne;
use crate::sessions::{self, LoginFlow, NewSession, Origin, SessionId, Standing};
use crate::store::{Change, Changes, StoreFault, Write};
use crate::tokens::TokenScope;
use crate::users::{self, UserId};

const RETRY: Duration = Duration::from_secs(5);

/// A token that was proven, and what it gives.
struct Borne<'a> {
    entry: &'a ProviderEntry,
    /// What logs call the token: the hash of what was signed.
    name: String,
    person: Person,
    identity: Identity,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl Control {
    /// Says whom a token of an outside issuer stands for.
    ///
    /// # Errors
    /// [`ResolveError::Unauthenticated`] when the token or its person is at fault; [`ResolveError::Unavailable`] when its
    /// issuer or the store must be asked and does not answer.
    pub async fn resolve_borne(&self, issuer: &str, presented: &str) -> Result<ResolvedToken, ResolveError> {
        let registry = self.registry();
        let entry = registry.bearing(issuer).ok_or(ResolveError::Unauthenticated(Rejected::Malformed))?;
        let borne = self.prove(entry, presented).await?;
        let _turn = self.lookups().try_acquire().map_err(|_| ResolveError::Overloaded)?;
        let standing = match self.known(&borne).await? {
            Some(standing) => Arc::new(standing),
            None => self.begin_borne(&borne).await?,
        };
        self.holds(&standing, borne.expires_at, false)?;
        let scope = TokenScope { clusters_only: true, ..TokenScope::default() };
        self.found(read(borne.name, &standing, borne.expires_at, scope))
    }

    /// Has every token of these instances looked at again, and ends what runs by them: another configuration may not
    /// believe them. Whoever it still believes begins anew.
    pub(crate) async fn judge_borne_anew(&self, instances: &[InstanceId]) {
        for instance in instances {
            match self.live_borne(instance).await {
                Ok(live) => {
                    live.into_iter().for_each(|session| self.tell(ChangeEvent::SessionChanged { session, lost: true }))
                }
                Err(fault) => {
                    tracing::error!(why = %auth_core::with_causes(&fault), "whose tokens to judge anew cannot be read");
                    self.tell(ChangeEvent::Reset);
                }
            }
        }
    }

    async fn live_borne(&self, instance: &InstanceId) -> Result<Vec<SessionId>, StoreFault> {
        borne::live_of(&mut *self.store().read().await?, instance, self.store().now()).await
    }

    async fn prove<'a>(&self, entry: &'a ProviderEntry, presented: &str) -> Result<Borne<'a>, ResolveError> {
        let name = name(presented);
        let ctx = self.context(name.clone());
        let verdict = entry.provider.authenticate_bearer(&ctx, ProviderSecret::new(presented)).await;
        let proof = match verdict.map_err(|error| refused(entry, &error))? {
            BearerVerdict::Proven(proof) => *proof,
            BearerVerdict::Refused(why) => return Err(untrusted(entry, &why)),
        };
        let BearerProof { login, issued_at, expires_at } = proof;
        if expires_at <= self.store().now() {
            return Err(ResolveError::Unauthenticated(Rejected::Expired));
        }
        let person = Person::from(login);
        let known = users::by_principal(&mut *self.store().read().await.map_err(unavailable)?, &person.user.id).await;
        let uid = known.map_err(unavailable)?.map_or_else(|| UserId::of(&person.user.id), |owner| owner.id);
        let proven = Proven { ctx: &ctx, uid: &uid, person: &person, store: self.store() };
        let identity = self.registry().admit(entry, proven).await.map_err(|error| match error {
            Refused::Provider(error) => refused(entry, &error),
            Refused::Store(fault) => unavailable(fault),
            Refused::Mapping(error) => untrusted(entry, &error.to_string()),
        })?;
        Ok(Borne { entry, name, person, identity, issued_at, expires_at })
    }

    /// The session of this identity, without a write: each of its tokens is looked up every few minutes.
    async fn known(&self, borne: &Borne<'_>) -> Result<Option<Standing>, ResolveError> {
        let mut reader = self.store().read().await.map_err(unavailable)?;
        let principal = &borne.person.user.id;
        let cut = borne::cut_short_at(&mut reader, principal).await.map_err(unavailable)?;
        borne.outlives(cut)?;
        let identity = identity::would_own(&mut reader, borne.identity.clone(), &borne.person).await;
        let fingerprint = fingerprint(&borne.owned(identity.map_err(unavailable)?)?).map_err(unavailable)?;
        borne::find(&mut reader, (principal, &fingerprint), borne.expires_at).await.map_err(unavailable)
    }

    async fn begin_borne(&self, borne: &Borne<'_>) -> Result<Arc<Standing>, ResolveError> {
        let mut write = self.store().write().await.map_err(unavailable)?;
        if !self.registry().has(borne.entry) {
            return Err(ResolveError::Unauthenticated(Rejected::Disabled));
        }
        let principal = &borne.person.user.id;
        let cut = borne::cut_short_at(write.connection(), principal).await.map_err(unavailable)?;
        borne.outlives(cut)?;
        let user = users::seen(&mut write, &borne.person.user).await.map_err(unavailable)?;
        if user.disabled {
            return Err(ResolveError::Unauthenticated(Rejected::Disabled));
        }
        let owned = identity::own(&mut write, borne.identity.clone(), &borne.person).await.map_err(unavailable)?;
        let identity = borne.owned(owned)?;
        let fingerprint = fingerprint(&identity).map_err(unavailable)?;
        let extended = borne::extend(&mut write, (principal, &fingerprint), borne.expires_at).await;
        let (session, change) = match extended.map_err(unavailable)? {
            Some(session) => (session.clone(), Change::SessionChecked(session)),
            None => {
                let session = self.insert_borne(&mut write, borne, (&user.id, &identity, &fingerprint)).await?;
                (session.clone(), Change::SessionStarted(session))
            }
        };
        let changes = Changes::from(Change::UserSaved(user.id)).and(change);
        write.commit(changes).await.map_err(unavailable)?;
        let standing = self.standing(&session).await.map_err(unavailable)?;
        standing.ok_or(ResolveError::Unauthenticated(Rejected::Unknown))
    }

    async fn insert_borne(
        &self,
        write: &mut Write,
        borne: &Borne<'_>,
        (user, identity, fingerprint): (&UserId, &SessionIdentity, &[u8]),
    ) -> Result<SessionId, ResolveError> {
        self.has_room(write, user).await?;
        if let Some(upstream) = &borne.person.upstream
            && logouts::is_over(write, borne.entry.provider.name(), (upstream, Some(borne.issued_at)))
                .await
                .map_err(unavailable)?
        {
            return Err(ResolveError::Unauthenticated(Rejected::Revoked));
        }
        let id = SessionId::random();
        let origin = Origin { flow: Some(LoginFlow::Bearer), amr: borne.person.amr.clone(), ..Origin::default() };
        let new = NewSession {
            id: &id,
            user,
            principal: &borne.person.user.id,
            identity,
            groups: &borne.person.groups,
            secret: None,
            origin: &origin,
            auth_time: borne.person.auth_time,
            expires_at: borne.expires_at,
            upstream: borne.person.upstream.as_ref(),
        };
        sessions::insert(write, new).await.map_err(unavailable)?;
        borne::mark(write, &id, fingerprint).await.map_err(unavailable)?;
        borne.log_begun(&id, user, identity);
        Ok(id)
    }

    /// Claims that differ each time must not fill the store.
    async fn has_room(&self, write: &mut Write, user: &UserId) -> Result<(), ResolveError> {
        let now = write.at();
        let count = borne::count_of(write.connection(), user, now).await.map_err(unavailable)?;
        if count < i64::from(self.settings().sessions_per_user) {
            return Ok(());
        }
        tracing::warn!(%user, count, "a bearer token is refused for now: so many identities at once has its user");
        Err(ResolveError::Overloaded)
    }
}

impl Borne<'_> {
    /// What somebody ended does not begin again by a token that was made before.
    fn outlives(&self, cut: Option<Timestamp>) -> Result<(), ResolveError> {
        if cut.is_some_and(|cut| self.issued_at <= cut) {
            Err(ResolveError::Unauthenticated(Rejected::Revoked))
        } else {
            Ok(())
        }
    }

    fn log_begun(&self, session: &SessionId, user: &UserId, identity: &SessionIdentity) {
        tracing::info!(
            provider = %self.entry.provider.name(), %user, username = identity.user.username, %session, token = self.name,
            "a bearer token of an outside issuer began a session"
        );
        log_withheld(session, identity);
    }

    fn owned(&self, identity: Result<SessionIdentity, NameTaken>) -> Result<SessionIdentity, ResolveError> {
        identity.map_err(|NameTaken { name, owner }| {
            untrusted(self.entry, &format!("the user name {name:?} belongs to {owner}"))
        })
    }
}

/// In whatever order an issuer tells groups.
fn fingerprint(identity: &SessionIdentity) -> Result<Vec<u8>, StoreFault> {
    let mut identity = identity.clone();
    identity.user.groups.sort();
    identity.subjects.sort();
    identity.withheld.sort_by(|one, other| (&one.name, &one.principal).cmp(&(&other.name, &other.principal)));
    let json = serde_json::to_string(&identity).map_err(|error| StoreFault::unreadable("identity", error))?;
    Ok(sha256(&json))
}

/// Of what was signed alone: the signature itself may be written in several ways.
fn name(presented: &str) -> String {
    let signed = presented.rsplit_once('.').map_or(presented, |(signed, _)| signed);
    format!("bearer-{}", base32::encode(&sha256(signed), 16))
}

/// A provider that says no is about the person; one that cannot say is an outage, and the token as good as ever.
fn refused(entry: &ProviderEntry, error: &AuthError) -> ResolveError {
    if error.http_status() < 500 && error.retry_after().is_none() {
        return untrusted(entry, &error.audit_text());
    }
    let (provider, why) = (entry.provider.name(), error.audit_text());
    tracing::warn!(%provider, why, "a bearer token cannot be judged");
    ResolveError::Unavailable { retry_after: error.retry_after().unwrap_or(RETRY), source: None }
}

fn untrusted(entry: &ProviderEntry, why: &str) -> ResolveError {
    ResolveError::Unauthenticated(Rejected::Untrusted(Arc::from(format!("{}: {why}", entry.provider.name()))))
}

#[cfg(test)]
mod tests;
