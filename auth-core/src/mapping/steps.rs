//! A mapping, rule by rule, for whoever asks why a cluster sees a name or does not see a group.

use std::fmt;

use super::claims::Claims;
use super::rule::{Choice, Naming};
use super::{Extra, Facts, Mapping, MappingError, Validation};
use crate::{Principal, PrincipalId};

/// One rule and what came of it. [`Mapping::map`] applies the same rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappingStep {
    /// The user name or the uid.
    Name {
        /// Which.
        what: &'static str,
        /// The rule, as a mapping writes it.
        rule: String,
        /// The name, or why there is none.
        outcome: Result<String, MappingError>,
    },
    /// A group.
    Group {
        /// The group.
        principal: PrincipalId,
        /// The provider's name of it.
        name: String,
        /// What became of it.
        fate: GroupFate,
    },
    /// All groups, by an expression.
    Groups {
        /// The rule, as a mapping writes it.
        rule: String,
        /// The names in clusters, or why there are none.
        outcome: Result<Vec<String>, MappingError>,
    },
    /// What must hold of the claims that come in, or of the user who comes out.
    Validation {
        /// Which of the two.
        what: &'static str,
        /// The expression.
        rule: String,
        /// Whether it holds, or why that cannot be told.
        outcome: Result<(), MappingError>,
    },
    /// A further fact.
    Extra {
        /// Its key.
        key: String,
        /// The rule; `None` for what the provider offers.
        rule: Option<String>,
        /// The values, or why there are none.
        outcome: Result<Vec<String>, MappingError>,
    },
}

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupFate {
    /// `filter.include` names others.
    NotIncluded,
    /// This pattern of `filter.exclude` fits.
    Excluded(String),
    /// It was taken.
    Taken {
        /// The name that `rename` put in place of the provider's.
        renamed: Option<String>,
        /// The rule, as a mapping writes it.
        rule: String,
        /// The name in clusters, or why there is none.
        outcome: Result<String, MappingError>,
    },
}

impl Mapping {
    /// Applies every rule by itself, also those behind one that fails.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use auth_core::{GroupFate, Mapping, MappingConfig, MappingStep, Principal};
    ///
    /// let config: MappingConfig =
    ///     serde_json::from_str(r#"{ "groups": { "filter": { "exclude": ["*-old"] } } }"#).unwrap();
    /// let mapping = Mapping::compile(config, &"corp".parse()?).unwrap();
    /// let alice = Principal::new("corp_user://1".parse()?, "alice");
    /// let old = Principal::new("corp_group://7".parse()?, "ops-old");
    ///
    /// let steps = mapping.steps("u-1", &alice, &[old], &BTreeMap::new());
    /// let excluded = GroupFate::Excluded("*-old".to_owned());
    /// assert!(matches!(&steps[2], MappingStep::Group { fate, .. } if *fate == excluded));
    /// # Ok::<(), auth_core::InvalidId>(())
    /// ```
    #[must_use]
    pub fn steps(&self, uid: &str, user: &Principal, groups: &[Principal], offered: &Extra) -> Vec<MappingStep> {
        let claims = self.claims(user, groups, offered);
        let uid_rule = self.uid.as_ref().map_or_else(|| "the gateway's own id".to_owned(), ToString::to_string);
        let mut steps = validation_steps(&self.conditions, Facts::Claims(&claims));
        steps.extend([
            MappingStep::Name { what: "username", rule: self.username.to_string(), outcome: self.username(&claims) },
            MappingStep::Name { what: "uid", rule: uid_rule, outcome: self.uid(uid, &claims) },
        ]);
        steps.extend(groups.iter().filter_map(|group| {
            let fate = self.fate(group)?;
            Some(MappingStep::Group { principal: group.id.clone(), name: group.name.clone(), fate })
        }));
        if let Naming::Once(expression) = &self.groups.naming {
            let named = self.groups_at_once(expression, &claims);
            let outcome = named.map(|groups| groups.into_iter().map(|group| group.name).collect());
            steps.push(MappingStep::Groups { rule: self.groups.to_string(), outcome });
        }
        steps.extend(self.extra_steps(&claims));
        if let Ok(identity) = self.identity(uid, &claims) {
            steps.extend(validation_steps(&self.validations, Facts::User(&identity)));
        }
        steps
    }

    fn extra_steps(&self, claims: &Claims<'_>) -> Vec<MappingStep> {
        let ours = self.extra.iter().map(|(key, rule)| MappingStep::Extra {
            key: key.clone(),
            rule: Some(rule.to_string()),
            outcome: rule.all("extra", claims),
        });
        let ruled = |key: &String| self.extra.iter().any(|(ours, _)| ours == key);
        let offered = claims.extra.iter().filter(|(key, _)| !ruled(key)).map(|(key, values)| MappingStep::Extra {
            key: key.clone(),
            rule: None,
            outcome: Ok(values.clone()),
        });
        ours.chain(offered).collect()
    }

    /// `None` for a group that an expression decides about, together with all others.
    fn fate(&self, group: &Principal) -> Option<GroupFate> {
        Some(match (self.groups.choose(&group.name), &self.groups.naming) {
            (Choice::NotIncluded, _) => GroupFate::NotIncluded,
            (Choice::Excluded(pattern), _) => GroupFate::Excluded(pattern.to_string()),
            (Choice::Taken, Naming::Each(template)) => GroupFate::Taken {
                renamed: self.groups.rename.get(&group.name).cloned(),
                rule: self.groups.to_string(),
                outcome: self.group(template, group),
            },
            (Choice::Taken, Naming::Once(_)) => return None,
        })
    }
}

fn validation_steps(rules: &[Validation], facts: Facts<'_>) -> Vec<MappingStep> {
    let step = |rule: &Validation| MappingStep::Validation {
        what: facts.validation(),
        rule: rule.rule.to_string(),
        outcome: rule.check(facts),
    };
    rules.iter().map(step).collect()
}

impl fmt::Display for MappingStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { what, rule, outcome } => write!(f, "{what}: {rule} gives {}", told(outcome)),
            Self::Group { name, fate, .. } => write!(f, "group {name}: {fate}"),
            Self::Groups { rule, outcome } => write!(f, "groups: {rule} gives {}", all_told(outcome)),
            Self::Validation { what, rule, outcome } => match outcome {
                Ok(()) => write!(f, "{what}: {rule} holds"),
                Err(error) => write!(f, "{what}: {rule} refuses: {error}"),
            },
            Self::Extra { key, rule, outcome } => {
                let rule = rule.as_deref().unwrap_or("the provider's own word");
                write!(f, "extra {key}: {rule} gives {}", all_told(outcome))
            }
        }
    }
}

impl fmt::Display for GroupFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotIncluded => f.write_str("left out, groups.filter.include names others"),
            Self::Excluded(pattern) => write!(f, "left out by groups.filter.exclude {pattern:?}"),
            Self::Taken { renamed: Some(name), rule, outcome } => {
                write!(f, "renamed to {name}, then {rule} gives {}", told(outcome))
            }
            Self::Taken { renamed: None, rule, outcome } => write!(f, "{rule} gives {}", told(outcome)),
        }
    }
}

fn told(outcome: &Result<String, MappingError>) -> String {
    outcome.clone().unwrap_or_else(|error| format!("none: {error}"))
}

fn all_told(outcome: &Result<Vec<String>, MappingError>) -> String {
    match outcome {
        Ok(values) if values.is_empty() => "nothing: left out".to_owned(),
        Ok(values) => values.join(", "),
        Err(error) => format!("none: {error}"),
    }
}
