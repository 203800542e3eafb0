//! The configured provider instances, and who may log in through each.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use auth_core::{
    AccessPolicy, AuthError, Contained, Context, Identity, InstanceId, Mapping, MappingError, PolicyDecision,
    PolicyStep, PublicProvider,
};

use crate::identity::{Person, Subject};
use crate::names::{self, NameKind};
use crate::store::{Store, StoreFault};
use crate::users::UserId;

/// One configured provider instance.
#[derive(Debug)]
pub struct ProviderEntry {
    /// The provider, contained.
    pub provider: Contained,
    /// From its principals to names in clusters.
    pub mapping: Arc<Mapping>,
    /// Who may log in through it.
    pub policy: AccessPolicy,
    /// Tells what provider and mapping are made of from everything else.
    pub digest: Vec<u8>,
}

impl ProviderEntry {
    fn kind(&self) -> &'static str {
        self.provider.transform_to_auth_provider().kind
    }
}

/// All configured instances. Immutable: a new configuration makes a new one, and calls in flight end on the old.
#[derive(Debug, Default)]
pub struct Registry {
    entries: BTreeMap<InstanceId, ProviderEntry>,
    granted: HashSet<Subject>,
    /// Instances under an id that was another kind's, whose sessions must end first. Nobody meets them until then.
    replaced: BTreeSet<InstanceId>,
    open: AtomicBool,
}

impl Registry {
    /// Collects the instances. `granted` is everybody whom a grant names: in restricted mode they may log in too.
    pub fn new(entries: impl IntoIterator<Item = ProviderEntry>, granted: impl IntoIterator<Item = Subject>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.provider.name().clone(), entry));
        Self { entries: entries.collect(), granted: granted.into_iter().collect(), ..Self::default() }
    }

    /// Takes over what instances of the same id and kind have counted, whatever else has changed about them. Those of
    /// another kind stay closed until [`Registry::open`].
    pub(crate) fn continuing(self, old: &Self) -> Self {
        let mut replaced = BTreeSet::new();
        let entries = self.entries.into_iter().map(|(id, entry)| match old.entries.get(&id) {
            Some(before) if !old.is_closed(&id) && before.kind() == entry.kind() => {
                (id, ProviderEntry { provider: entry.provider.continuing(&before.provider), ..entry })
            }
            Some(_) => {
                replaced.insert(id.clone());
                (id, entry)
            }
            None => (id, entry),
        });
        Self { entries: entries.collect(), replaced, ..self }
    }

    /// The sessions of what was here before have ended: lets people meet all instances.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    fn is_closed(&self, id: &InstanceId) -> bool {
        self.replaced.contains(id) && !self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn entry(&self, instance: &str) -> Option<&ProviderEntry> {
        let id = instance.parse::<InstanceId>().ok()?;
        self.entries.get(&id).filter(|_| !self.is_closed(&id))
    }

    /// The instance that believes the tokens of an outside issuer.
    pub(crate) fn bearing(&self, issuer: &str) -> Option<&ProviderEntry> {
        let bears = |entry: &&ProviderEntry| entry.provider.bears() == Some(issuer);
        self.entries.values().find(bears).filter(|entry| !self.is_closed(entry.provider.name()))
    }

    /// The instances that believe tokens of an outside issuer, and do not, or not as before, in `new`.
    pub(crate) fn bearing_otherwise(&self, new: &Self) -> Vec<InstanceId> {
        let bearing = self.entries.iter().filter(|(_, entry)| entry.provider.bears().is_some());
        let same = |old: &ProviderEntry, new: &ProviderEntry| old.digest == new.digest && old.policy == new.policy;
        bearing
            .filter(|(id, old)| !new.entries.get(id).is_some_and(|new| same(old, new)))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Whether the instance is still here: this one, and not another that has come back under its id.
    pub(crate) fn has(&self, entry: &ProviderEntry) -> bool {
        let here = self.entry(entry.provider.name().as_str());
        here.is_some_and(|here| here.provider.continues(&entry.provider))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &ProviderEntry> {
        self.entries.values()
    }

    pub(crate) fn public(&self) -> Vec<&PublicProvider> {
        self.entries.values().map(|entry| entry.provider.transform_to_auth_provider()).collect()
    }

    /// The instances whose sessions hold.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &InstanceId> {
        self.entries.keys().filter(|id| !self.is_closed(id))
    }

    /// Decides whether a person may have a session, and maps them. The same at a login and at every refetch.
    pub(crate) async fn admit(&self, entry: &ProviderEntry, proven: Proven<'_>) -> Result<Identity, Refused> {
        let Judged { mapped, decision } = self.judge(entry, proven).await?;
        if !decision.allowed {
            return Err(Refused::Provider(match decision.steps.into_iter().next_back() {
                Some(PolicyStep::Provider(reason)) => AuthError::PolicyDenied(reason),
                _ => AuthError::NotInRequiredGroups,
            }));
        }
        Ok(mapped?)
    }

    /// The same with its reasons.
    pub(crate) async fn judge(&self, entry: &ProviderEntry, proven: Proven<'_>) -> Result<Judged, Refused> {
        let Proven { ctx, uid, person, store } = proven;
        let mapped = mapped(&entry.mapping, uid, person).await;
        let groups = person.group_ids();
        let named = self.named_by_grant(store, person, mapped.as_ref().ok()).await?;
        let policy = entry.policy.decide(&person.user.id, &groups, named);
        let decision = entry.provider.can_access_with_group_providers(ctx, policy, &person.user.id, &groups).await?;
        Ok(Judged { mapped, decision })
    }

    /// By an id of theirs, or by a name. A name that belongs to another says nothing about them: they will not get it.
    async fn named_by_grant(
        &self,
        store: &Store,
        person: &Person,
        mapped: Option<&Identity>,
    ) -> Result<bool, StoreFault> {
        let mut ids = std::iter::once(&person.user).chain(&person.groups).map(|one| Subject::Principal(one.id.clone()));
        if ids.any(|id| self.granted.contains(&id)) {
            return Ok(true);
        }
        let Some(identity) = mapped else { return Ok(false) };
        let user = Some((identity.username.as_str(), &person.user.id));
        let users: Vec<_> =
            user.into_iter().filter(|(name, _)| self.granted.contains(&Subject::User((*name).to_owned()))).collect();
        let groups = identity.groups.iter().map(|group| (group.name.as_str(), &group.principal));
        let groups: Vec<_> =
            groups.filter(|(name, _)| self.granted.contains(&Subject::Group((*name).to_owned()))).collect();
        if users.is_empty() && groups.is_empty() {
            return Ok(false);
        }
        let mut reader = store.read().await?;
        Ok(names::is_one_theirs(&mut reader, NameKind::User, &users).await?
            || names::is_one_theirs(&mut reader, NameKind::Group, &groups).await?)
    }
}

/// Away from the threads that answer everybody: an expression takes what it may take.
async fn mapped(mapping: &Arc<Mapping>, uid: &UserId, person: &Person) -> Result<Identity, MappingError> {
    let (mapping, uid) = (Arc::clone(mapping), uid.clone());
    let (user, groups, extra) = (person.user.clone(), person.groups.clone(), person.extra.clone());
    let mapped = tokio::task::spawn_blocking(move || mapping.map(uid.as_str(), &user, &groups, &extra));
    mapped.await.unwrap_or(Err(MappingError::NoThread { what: "identity" }))
}

/// What becomes of somebody whom a provider vouches for.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Whom clusters would see.
    pub(crate) mapped: Result<Identity, MappingError>,
    /// Whether they may enter.
    pub(crate) decision: PolicyDecision,
}

/// Somebody whom a provider vouches for, not yet let in.
#[derive(Debug)]
pub(crate) struct Proven<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) uid: &'a UserId,
    pub(crate) person: &'a Person,
    /// Knows whose a name is.
    pub(crate) store: &'a Store,
}

/// Why a person who proved who they are gets no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The policy, the provider's own word, or an outage while asking for it.
    #[error(transparent)]
    Provider(#[from] AuthError),
    /// No identity comes of them.
    #[error(transparent)]
    Mapping(MappingError),
    /// The store did not say whose a name is.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<MappingError> for Refused {
    fn from(error: MappingError) -> Self {
        match error {
            // An outage of our own decides nothing about anybody.
            MappingError::NoThread { .. } => Self::Provider(error.into()),
            other => Self::Mapping(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_that_finds_no_thread_is_an_outage_and_refuses_nobody() {
        let refused = Refused::from(MappingError::NoThread { what: "username" });
        let Refused::Provider(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error.http_status(), 503);
    }
}
