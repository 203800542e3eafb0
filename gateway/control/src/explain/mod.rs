//! Why somebody is who they are to clusters: what a session carries, and what a login would give now.
//!
//! It asks the provider and decides by the code of a login, and writes nothing: no name is claimed, no session is made
//! and none is changed.

mod whom;

use std::collections::BTreeMap;

use auth_core::{
    AuthError, Completeness, Context, MappingStep, PolicyDecision, Principal, PrincipalId, Refetch, Report, Step,
    Trial, Tried,
};

use crate::admin::{Admin, AdminError, KnownUser};
use crate::identity::{self, NameTaken, Person, SessionIdentity};
use crate::registry::{Judged, Proven, ProviderEntry, Refused, Registry};
use crate::sessions::SessionInfo;
use crate::store::StoreFault;
use crate::users::UserId;

/// A person, as the gateway knows them and as their provider describes them now.
#[derive(Debug)]
pub struct Explained {
    /// Their id, which a first login gives.
    pub id: UserId,
    /// The user; `None` for somebody who never logged in.
    pub user: Option<KnownUser>,
    /// Whom their provider knows them as.
    pub principal: PrincipalId,
    /// Other principals that the same user comes by.
    pub others: Vec<PrincipalId>,
    /// Their sessions by this principal that have not ended, newest first.
    pub sessions: Vec<SessionInfo>,
    /// What a login would meet now.
    pub now: Now,
    /// The steps at the provider, where it shows any.
    pub steps: Vec<Step>,
}

/// What a login would meet now.
#[derive(Debug)]
pub enum Now {
    /// The provider describes them.
    Known(Box<Described>),
    /// It does not know them.
    Gone,
    /// It knows them as switched off.
    Disabled,
    /// It can say nothing without their password.
    NeedsLogin,
    /// It did not answer, or not all; a login would be answered with this.
    Unanswered(AuthError),
    /// No such provider is configured.
    NotConfigured,
}

/// A person as their provider describes them, and what is decided about them.
#[derive(Debug)]
pub struct Described {
    /// The person.
    pub person: Principal,
    /// All their groups.
    pub groups: Vec<Principal>,
    /// Why they are in each, as far as the provider shows it.
    pub origins: BTreeMap<PrincipalId, String>,
    /// The access policy's decision.
    pub policy: PolicyDecision,
    /// The mapping, rule by rule.
    pub mapping: Vec<MappingStep>,
    /// Whom clusters would see, or why nobody.
    pub identity: Result<SessionIdentity, String>,
}

impl Admin {
    /// Explains a person, by user id, principal id or login name. Somebody who never came is looked for at every
    /// provider.
    ///
    /// # Errors
    /// When nobody or several go by this name, or the store fails. A provider that does not answer is a part of the
    /// explanation.
    pub async fn explain(&self, registry: &Registry, who: &str, ctx: &Context) -> Result<Explained, AdminError> {
        let whom = self.whom(registry, who, ctx).await?;
        let sessions = match &whom.user {
            Some(user) => self.live_sessions(&user.id, &whom.principal).await?,
            None => Vec::new(),
        };
        let report = Report::default();
        let uid = whom.user.as_ref().map_or_else(|| UserId::of(&whom.principal), |user| user.id.clone());
        let asking = Asking { admin: self, registry, ctx, uid: &uid, report: &report };
        let now = asking.now(&whom.principal).await?;
        let (user, principal, others) = (whom.user, whom.principal, whom.others);
        Ok(Explained { id: uid, user, principal, others, sessions, now, steps: report.steps() })
    }

    async fn live_sessions(&self, user: &UserId, principal: &PrincipalId) -> Result<Vec<SessionInfo>, AdminError> {
        let now = self.store.now();
        let sessions = self.sessions(Some(user.as_str())).await?.into_iter();
        let live = |one: &SessionInfo| one.ended.is_none() && one.expires_at > now && one.principal == *principal;
        Ok(sessions.filter(live).collect())
    }
}

struct Asking<'a> {
    admin: &'a Admin,
    registry: &'a Registry,
    ctx: &'a Context,
    uid: &'a UserId,
    report: &'a Report,
}

impl Asking<'_> {
    async fn now(&self, principal: &PrincipalId) -> Result<Now, StoreFault> {
        let Some(entry) = self.registry.entry(principal.instance().as_str()) else { return Ok(Now::NotConfigured) };
        let asked = entry.provider.refetch_group_principals(self.ctx, principal, None).await;
        let current = match asked {
            Err(error) => Err(Now::Unanswered(error)),
            Ok(Refetch::UserGone) => Err(Now::Gone),
            Ok(Refetch::UserDisabled) => Err(Now::Disabled),
            Ok(Refetch::NeedsLogin) => Err(Now::NeedsLogin),
            Ok(Refetch::Current(current)) => Ok(*current),
        };
        self.trace(entry, principal).await;
        let current = match current {
            Ok(current) => current,
            Err(now) => return Ok(now),
        };
        if let Completeness::Incomplete(why) = &current.completeness {
            return Ok(Now::Unanswered(AuthError::GroupsIncomplete(why.clone())));
        }
        self.describe(entry, Person::from(current)).await
    }

    /// The way to the answer. That it cannot be shown is no reason to know less of the answer itself.
    async fn trace(&self, entry: &ProviderEntry, principal: &PrincipalId) {
        if entry.provider.can_diagnose() {
            let trial = Trial::of(Some(Tried::Principal(principal.clone())), None);
            if let Err(error) = entry.provider.diagnose(self.ctx, trial, self.report).await {
                self.report.add(Step::bad("provider", error.audit_text()));
            }
        }
    }

    async fn describe(&self, entry: &ProviderEntry, person: Person) -> Result<Now, StoreFault> {
        let mapping = entry.mapping.steps(self.uid.as_str(), &person.user, &person.groups, &person.extra);
        let proven = Proven { ctx: self.ctx, uid: self.uid, person: &person, store: &self.admin.store };
        let Judged { mapped, decision } = match self.registry.judge(entry, proven).await {
            Ok(judged) => judged,
            Err(Refused::Provider(error)) => return Ok(Now::Unanswered(error)),
            Err(Refused::Mapping(error)) => return Ok(Now::Unanswered(error.into())),
            Err(Refused::Store(fault)) => return Err(fault),
        };
        let identity = match mapped {
            Err(error) => Err(error.to_string()),
            Ok(mapped) => {
                let mut reader = self.admin.store.read().await?;
                let owned = identity::would_own(&mut reader, mapped, &person).await?;
                owned.map_err(|NameTaken { name, owner }| format!("the user name {name:?} belongs to {owner}"))
            }
        };
        let origins = self.report.origins();
        let Person { user, groups, .. } = person;
        let described = Described { person: user, groups, origins, policy: decision, mapping, identity };
        Ok(Now::Known(Box::new(described)))
    }
}

#[cfg(test)]
mod tests;
