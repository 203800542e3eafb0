//! The configured provider instances, and who may log in through each.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use auth_core::{
    AccessPolicy, AuthError, Contained, Context, Identity, InstanceId, Mapping, MappingError, PolicyStep,
    PublicProvider,
};

use crate::identity::Person;
use crate::users::UserId;

/// One configured provider instance.
#[derive(Debug)]
pub struct ProviderEntry {
    /// The provider, contained.
    pub provider: Contained,
    /// From its principals to names in clusters.
    pub mapping: Mapping,
    /// Who may log in through it.
    pub policy: AccessPolicy,
}

/// All configured instances. Immutable: a new configuration makes a new one, and calls in flight end on the old.
#[derive(Debug, Default)]
pub struct Registry {
    entries: BTreeMap<InstanceId, Arc<ProviderEntry>>,
    granted: HashSet<String>,
}

impl Registry {
    /// Collects the instances. `granted` is everything that a grant names (principal ids and rendered names): in
    /// restricted mode those may log in too.
    pub fn new(entries: impl IntoIterator<Item = ProviderEntry>, granted: impl IntoIterator<Item = String>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.provider.name().clone(), Arc::new(entry)));
        Self { entries: entries.collect(), granted: granted.into_iter().collect() }
    }

    pub(crate) fn entry(&self, instance: &str) -> Option<&Arc<ProviderEntry>> {
        self.entries.get(&instance.parse::<InstanceId>().ok()?)
    }

    pub(crate) fn public(&self) -> Vec<&PublicProvider> {
        self.entries.values().map(|entry| entry.provider.transform_to_auth_provider()).collect()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &InstanceId> {
        self.entries.keys()
    }

    /// Decides whether a person may have a session, and maps them. The same at a login and at every refetch.
    pub(crate) async fn admit(
        &self,
        entry: &ProviderEntry,
        ctx: &Context,
        uid: &UserId,
        person: &Person,
    ) -> Result<Identity, Refused> {
        let mapped = entry.mapping.map(uid.as_str(), &person.user, &person.groups, &person.extra);
        let groups = person.group_ids();
        let policy = entry.policy.decide(&person.user.id, &groups, self.named_by_grant(person, mapped.as_ref().ok()));
        let decision = entry.provider.can_access_with_group_providers(ctx, policy, &person.user.id, &groups).await?;
        if !decision.allowed {
            return Err(Refused::Provider(match decision.steps.into_iter().next_back() {
                Some(PolicyStep::Provider(reason)) => AuthError::PolicyDenied(reason),
                _ => AuthError::NotInRequiredGroups,
            }));
        }
        Ok(mapped?)
    }

    fn named_by_grant(&self, person: &Person, mapped: Option<&Identity>) -> bool {
        let mut ids = std::iter::once(&person.user).chain(&person.groups).map(|principal| principal.id.to_string());
        ids.any(|id| self.granted.contains(&id))
            || mapped.is_some_and(|identity| {
                self.granted.contains(&identity.username)
                    || identity.group_names().any(|name| self.granted.contains(name))
            })
    }
}

/// Why a person who proved who they are gets no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The policy, the provider's own word, or an outage while asking for it.
    #[error(transparent)]
    Provider(#[from] AuthError),
    /// No identity comes of them.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}
