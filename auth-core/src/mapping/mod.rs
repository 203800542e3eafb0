//! From what a provider says to what a cluster sees: one step, the same for every kind.
//!
//! A [`Mapping`] is compiled once from its configuration, with every fault named, and then turns a user and their
//! groups into an [`Identity`]. Whatever a provider returned, an identity that comes out holds no reserved name and
//! no byte that could split a header; otherwise the login is refused, never repaired in silence.

mod claims;
mod compile;
mod config;
mod error;
mod examples;
mod expression;
mod identity;
mod pattern;
mod rule;
mod steps;
mod template;
mod vetting;

pub use config::{
    ExampleIdentity, ExamplePerson, ExtraMapping, GroupFilter, GroupMapping, MappingConfig, MappingExample,
    NameMapping, UidMapping, ValidationRule,
};
pub use error::MappingError;
pub use identity::{Identity, MappedGroup, MappingLimits};
pub use steps::{GroupFate, MappingStep};
pub use vetting::Reserved;

use std::collections::{BTreeMap, BTreeSet};

use crate::{Fault, InstanceId, Principal};
use claims::Claims;
use compile::Compiler;
use expression::{Expression, Facts};
use rule::{GroupRule, NameRule, Naming, Rule};
use template::Template;
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
    instance: InstanceId,
    username: NameRule,
    groups: GroupRule,
    uid: Option<Rule>,
    extra: Vec<(String, Rule)>,
    conditions: Vec<Validation>,
    validations: Vec<Validation>,
    vetting: Vetting,
}

/// What must hold of a person who comes in or a user who comes out, and what is said when it does not.
#[derive(Debug, Clone)]
struct Validation {
    rule: Expression,
    message: String,
}

impl Mapping {
    /// Compiles a configuration and tries its examples. Left-out prefixes become `<instance>:`.
    ///
    /// # Errors
    /// Every fault at once, each with its place and what to write instead.
    pub fn compile(mut config: MappingConfig, instance: &InstanceId) -> Result<Self, Vec<Fault>> {
        let examples = std::mem::take(&mut config.examples);
        let mapping = Compiler::new(instance).compile(config)?;
        let faults = mapping.try_examples(&examples);
        if faults.is_empty() { Ok(mapping) } else { Err(faults) }
    }

    /// Refuses further names, such as those that a cluster reserves for itself.
    #[must_use]
    pub fn with_reserved(mut self, reserved: Reserved) -> Self {
        self.vetting.reserved = reserved;
        self
    }

    /// The extra keys that it makes.
    pub fn extra_keys(&self) -> impl Iterator<Item = &str> {
        self.extra.iter().map(|(key, _)| key.as_str())
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
    /// missing; when an expression fails or a validation rule does not hold; when there is too much of it.
    pub fn map(
        &self,
        uid: &str,
        user: &Principal,
        groups: &[Principal],
        extra: &BTreeMap<String, Vec<String>>,
    ) -> Result<Identity, MappingError> {
        let claims = self.claims(user, groups, extra);
        self.conditions.iter().try_for_each(|rule| rule.check(Facts::Claims(&claims)))?;
        let identity = self.identity(uid, &claims)?;
        self.validations.iter().try_for_each(|rule| rule.check(Facts::User(&identity)))?;
        Ok(identity)
    }

    fn claims<'a>(&'a self, user: &'a Principal, groups: &'a [Principal], extra: &'a Extra) -> Claims<'a> {
        let taken = groups.iter().filter(|group| self.groups.choose(&group.name).is_taken());
        Claims { user, groups: taken.map(|group| (self.groups.renamed(group), group)).collect(), extra }
    }

    fn identity(&self, uid: &str, claims: &Claims<'_>) -> Result<Identity, MappingError> {
        let username = self.username(claims)?;
        let uid = self.uid(uid, claims)?;
        let groups = self.groups(claims)?;
        let extra = self.extra(claims)?;
        self.vetting.size(Identity { username, uid, groups, extra })
    }

    fn username(&self, claims: &Claims<'_>) -> Result<String, MappingError> {
        let username = self.username.apply("username", claims)?;
        self.vetting.name("username", &username)?;
        Ok(username)
    }

    fn uid(&self, ours: &str, claims: &Claims<'_>) -> Result<String, MappingError> {
        let uid = match &self.uid {
            Some(rule) => rule.one("uid", claims)?,
            None => ours.to_owned(),
        };
        self.vetting.name("uid", &uid)?;
        Ok(uid)
    }

    fn groups(&self, claims: &Claims<'_>) -> Result<Vec<MappedGroup>, MappingError> {
        match &self.groups.naming {
            Naming::Each(template) => {
                self.few(claims.groups.len())?;
                let mapped = |(_, group): &(&str, &Principal)| {
                    Ok(MappedGroup { name: self.group(template, group)?, principal: group.id.clone() })
                };
                claims.groups.iter().map(mapped).collect()
            }
            Naming::Once(expression) => self.groups_at_once(expression, claims),
        }
    }

    fn group(&self, template: &Template, group: &Principal) -> Result<String, MappingError> {
        let name = self.groups.each(template, group)?;
        self.vetting.name("group", &name)?;
        Ok(name)
    }

    fn groups_at_once(&self, expression: &Expression, claims: &Claims<'_>) -> Result<Vec<MappedGroup>, MappingError> {
        let mut names = expression.texts("groups", Facts::Claims(claims))?;
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        self.few(names.len())?;
        let mut mapped = Vec::with_capacity(names.len());
        for name in &names {
            let shown = self.groups.shown(name)?;
            self.vetting.name("group", &shown)?;
            let principals = self.groups.principals(name, claims, &self.instance)?;
            mapped.extend(principals.into_iter().map(|principal| MappedGroup { name: shown.clone(), principal }));
        }
        Ok(mapped)
    }

    fn few(&self, count: usize) -> Result<(), MappingError> {
        let limit = self.vetting.limits.groups;
        if count > limit { Err(MappingError::TooManyGroups { count, limit }) } else { Ok(()) }
    }

    fn extra(&self, claims: &Claims<'_>) -> Result<Extra, MappingError> {
        let mut extra = claims.extra.clone();
        for (key, rule) in &self.extra {
            let values = rule.all("extra", claims)?;
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

impl Validation {
    fn check(&self, facts: Facts<'_>) -> Result<(), MappingError> {
        if self.rule.holds(facts.validation(), facts)? {
            return Ok(());
        }
        Err(MappingError::Invalid { message: self.message.clone() })
    }
}

#[cfg(test)]
mod tests;
