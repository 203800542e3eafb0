//! From what a provider says to what a cluster sees: one step, the same for every kind.
//!
//! A [`Mapping`] is compiled once from its configuration, with every fault named, and then turns a user and their
//! groups into an [`Identity`]. Whatever a provider returned, an identity that comes out holds no reserved name and
//! no byte that could split a header; otherwise the login is refused, never repaired in silence.

mod config;
mod error;
mod identity;
mod pattern;
mod rule;
mod steps;
mod template;
mod vetting;

pub use config::{ExtraMapping, GroupFilter, GroupMapping, MappingConfig, NameMapping, UidMapping};
pub use error::MappingError;
pub use identity::{Identity, MappedGroup, MappingLimits};
pub use steps::{GroupFate, MappingStep};
pub use vetting::Reserved;

use std::collections::BTreeMap;

use crate::{Fault, InstanceId, Principal};
use config::Compiler;
use rule::{GroupRule, NameRule, Rule};
use vetting::Vetting;

type Extra = BTreeMap<String, Vec<String>>;

/// A compiled mapping. Pure: the same input gives the same identity, on every replica.
///
/// ```
/// use std::collections::BTreeMap;
/// use auth_core::{Mapping, MappingConfig, Principal};
///
/// let config: MappingConfig = serde_json::from_str(
///     r#"{ "groups": { "prefix": "corp:", "filter": { "include": ["k8s-*"] }, "rename": { "k8s-ops": "operators" } } }"#,
/// ).unwrap();
/// let mapping = Mapping::compile(config, &"corp".parse()?).unwrap();
///
/// let alice = Principal::new("corp_user://1".parse()?, "alice");
/// let groups = [
///     Principal::new("corp_group://7".parse()?, "k8s-ops"),
///     Principal::new("corp_group://8".parse()?, "canteen"),
/// ];
/// let identity = mapping.map("u-7cq4", &alice, &groups, &BTreeMap::new()).unwrap();
/// assert_eq!(identity.username, "corp:alice");
/// assert_eq!(identity.group_names().collect::<Vec<_>>(), ["corp:operators"]);
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mapping {
    username: NameRule,
    groups: GroupRule,
    uid: Option<Rule>,
    extra: Vec<(String, Rule)>,
    vetting: Vetting,
}

impl Mapping {
    /// Compiles a configuration. Left-out prefixes become `<instance>:`.
    ///
    /// # Errors
    /// Every fault at once, each with its place and what to write instead.
    pub fn compile(config: MappingConfig, instance: &InstanceId) -> Result<Self, Vec<Fault>> {
        Compiler::new(instance).compile(config)
    }

    /// Refuses further names, such as those that a cluster reserves for itself.
    #[must_use]
    pub fn with_reserved(mut self, reserved: Reserved) -> Self {
        self.vetting.reserved = reserved;
        self
    }

    /// Sets how much identity a person may have.
    #[must_use]
    pub const fn with_limits(mut self, limits: MappingLimits) -> Self {
        self.vetting.limits = limits;
        self
    }

    /// Maps one person. `uid` is the gateway's id of the user, `extra` what the provider offers beside.
    ///
    /// Groups come out in the order they came in, each with its principal; two principals may map to one name, and
    /// whoever keeps names decides whose it is.
    ///
    /// # Errors
    /// When a name is reserved, empty, or holds bytes that no header may; when an attribute that a rule needs is
    /// missing; when there is too much of it.
    pub fn map(
        &self,
        uid: &str,
        user: &Principal,
        groups: &[Principal],
        extra: &BTreeMap<String, Vec<String>>,
    ) -> Result<Identity, MappingError> {
        let username = self.username(user)?;
        let uid = self.uid(uid, user)?;
        let groups = self.groups(groups)?;
        let extra = self.extra(user, extra)?;
        self.vetting.size(Identity { username, uid, groups, extra })
    }

    fn username(&self, user: &Principal) -> Result<String, MappingError> {
        let username = self.username.apply("username", user)?;
        self.vetting.name("username", &username)?;
        Ok(username)
    }

    fn uid(&self, ours: &str, user: &Principal) -> Result<String, MappingError> {
        let uid = match &self.uid {
            Some(rule) => rule.one("uid", user)?,
            None => ours.to_owned(),
        };
        self.vetting.name("uid", &uid)?;
        Ok(uid)
    }

    fn group(&self, group: &Principal) -> Result<String, MappingError> {
        let name = self.groups.apply(group)?;
        self.vetting.name("group", &name)?;
        Ok(name)
    }

    fn groups(&self, groups: &[Principal]) -> Result<Vec<MappedGroup>, MappingError> {
        let mut mapped = Vec::new();
        // Counted to the end, so that the refusal can say how many there are; kept only up to the limit.
        let mut count = 0;
        for group in groups.iter().filter(|group| self.groups.choose(&group.name).is_taken()) {
            count += 1;
            if count > self.vetting.limits.groups {
                continue;
            }
            mapped.push(MappedGroup { name: self.group(group)?, principal: group.id.clone() });
        }
        if count > self.vetting.limits.groups {
            return Err(MappingError::TooManyGroups { count, limit: self.vetting.limits.groups });
        }
        Ok(mapped)
    }

    fn extra(&self, user: &Principal, offered: &Extra) -> Result<Extra, MappingError> {
        let mut extra = offered.clone();
        for (key, rule) in &self.extra {
            let values = rule.all("extra", user)?;
            if values.is_empty() {
                extra.remove(key);
            } else {
                extra.insert(key.clone(), values);
            }
        }
        for (key, values) in &extra {
            vetting::extra_key(key)?;
            values.iter().try_for_each(|value| vetting::bytes("extra", value))?;
        }
        Ok(extra)
    }
}

#[cfg(test)]
mod tests;
