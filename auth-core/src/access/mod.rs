//! Who of the people that a provider knows may enter at all: one pure function, with its explanation.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::PrincipalId;

/// How an instance's people are let in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessMode {
    /// Everybody who can log in. Grants still decide which clusters they reach.
    #[default]
    Unrestricted,
    /// Those in `allowed`, and those whom a grant names.
    Restricted,
    /// Only those in `allowed`.
    Required,
}

/// Who may log in through an instance.
///
/// ```
/// use auth_core::{AccessMode, AccessPolicy};
///
/// let policy = AccessPolicy::new(AccessMode::Required, ["corp_group://dev".parse()?]);
/// let (alice, dev) = ("corp_user://1".parse()?, "corp_group://dev".parse()?);
///
/// assert!(policy.decide(&alice, &[dev], false).allowed);
/// let refused = policy.decide(&alice, &[], true);
/// assert!(!refused.allowed);
/// println!("{}", refused.explanation());
/// # Ok::<(), auth_core::InvalidId>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessPolicy {
    mode: AccessMode,
    allowed: HashSet<PrincipalId>,
}

impl AccessPolicy {
    /// Lets these principals in, as `mode` says. A principal in `allowed` may be a user or any kind of group.
    pub fn new(mode: AccessMode, allowed: impl IntoIterator<Item = PrincipalId>) -> Self {
        Self { mode, allowed: allowed.into_iter().collect() }
    }

    /// Decides for a user who is in `groups`; `named_by_grant` says whether a grant names the user or one of them.
    ///
    /// Ids are compared byte for byte. More groups can only let somebody in who was not, so a group list that was
    /// cut short never opens a door.
    #[must_use]
    pub fn decide(&self, user: &PrincipalId, groups: &[PrincipalId], named_by_grant: bool) -> PolicyDecision {
        let mut steps = vec![PolicyStep::Mode(self.mode)];
        if self.mode == AccessMode::Unrestricted {
            return PolicyDecision { allowed: true, steps };
        }
        if let Some(member) = std::iter::once(user).chain(groups).find(|id| self.allowed.contains(*id)) {
            steps.push(PolicyStep::Listed(member.clone()));
            return PolicyDecision { allowed: true, steps };
        }
        steps.push(PolicyStep::NotListed { groups: groups.len(), listed: self.allowed.len() });
        if self.mode == AccessMode::Required {
            return PolicyDecision { allowed: false, steps };
        }
        steps.push(PolicyStep::Grant { names_them: named_by_grant });
        PolicyDecision { allowed: named_by_grant, steps }
    }
}

impl<'de> Deserialize<'de> for AccessPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        struct Written {
            #[serde(default)]
            mode: AccessMode,
            #[serde(default)]
            allowed: Vec<PrincipalId>,
        }
        let written = Written::deserialize(deserializer)?;
        Ok(Self::new(written.mode, written.allowed))
    }
}

/// A decision and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDecision {
    /// Whether they may enter.
    pub allowed: bool,
    /// What was looked at, in order; the last step decided.
    pub steps: Vec<PolicyStep>,
}

impl PolicyDecision {
    /// The steps as text for an operator, one line each.
    #[must_use]
    pub fn explanation(&self) -> String {
        let verdict = if self.allowed { "so they may enter" } else { "so they may not enter" };
        let lines = self.steps.iter().map(ToString::to_string).chain([verdict.to_owned()]);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// One thing that a decision looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyStep {
    /// The mode of the policy.
    #[error("the access mode is {}", mode_word(*.0))]
    Mode(AccessMode),
    /// This id of theirs is in `allowed`.
    #[error("{0} is in the allowed list")]
    Listed(PrincipalId),
    /// Neither the user nor a group of theirs is in `allowed`.
    #[error("neither the user nor any of their {groups} groups is among the {listed} allowed principals")]
    NotListed {
        /// How many groups they have.
        groups: usize,
        /// How many principals are allowed.
        listed: usize,
    },
    /// In restricted mode: whether a grant names them.
    #[error("{}", if *.names_them { "a grant names them" } else { "no grant names them" })]
    Grant {
        /// Whether one does.
        names_them: bool,
    },
    /// The provider's own narrowing said no, for this reason.
    #[error("the identity system says no: {0}")]
    Provider(String),
}

const fn mode_word(mode: AccessMode) -> &'static str {
    match mode {
        AccessMode::Unrestricted => "unrestricted: everybody who can log in may enter",
        AccessMode::Restricted => "restricted: allowed principals and those named by a grant may enter",
        AccessMode::Required => "required: only allowed principals may enter",
    }
}

#[cfg(test)]
mod tests;
