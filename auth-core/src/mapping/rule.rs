//! The rules that a mapping is made of.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::MappingError;
use super::claims::Claims;
use super::expression::{Expression, Facts};
use super::pattern::Pattern;
use super::template::Template;
use crate::{InstanceId, Principal, PrincipalId, PrincipalType};

/// How values are made from what is known of a user. A further way to write rules is a further variant.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// Text with variables: exactly one value.
    Template(Template),
    /// The values of an attribute, as they are.
    Attribute(String),
    /// What an expression gives.
    Expression(Expression),
}

impl Rule {
    /// The values, maybe none.
    pub(super) fn all(&self, what: &'static str, claims: &Claims<'_>) -> Result<Vec<String>, MappingError> {
        match self {
            Self::Template(template) => Ok(vec![template.render(what, claims.user)?]),
            Self::Attribute(key) => Ok(claims.user.attributes.get(key).cloned().unwrap_or_default()),
            Self::Expression(expression) => expression.texts(what, Facts::Claims(claims)),
        }
    }

    /// The one value that there must be.
    pub(super) fn one(&self, what: &'static str, claims: &Claims<'_>) -> Result<String, MappingError> {
        match self {
            Self::Template(template) => template.render(what, claims.user),
            Self::Expression(expression) => expression.text(what, Facts::Claims(claims)),
            Self::Attribute(key) => {
                let needs = format!("attr:{key}");
                match self.all(what, claims)?.as_slice() {
                    [one] => Ok(one.clone()),
                    [] => Err(MappingError::Missing { what, needs }),
                    several => Err(MappingError::Several { what, needs, count: several.len() }),
                }
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(template) => write!(f, "{template}"),
            Self::Attribute(key) => write!(f, "{{attr:{key}}}"),
            Self::Expression(expression) => write!(f, "{expression}"),
        }
    }
}

/// A rule with a prefix.
#[derive(Debug, Clone)]
pub(super) struct NameRule {
    pub(super) prefix: String,
    pub(super) rule: Rule,
}

impl NameRule {
    pub(super) fn apply(&self, what: &'static str, claims: &Claims<'_>) -> Result<String, MappingError> {
        prefixed(&self.prefix, what, &self.rule.one(what, claims)?)
    }
}

impl fmt::Display for NameRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Expression(expression) => behind(f, &self.prefix, expression),
            rule => write!(f, "{}{rule}", self.prefix),
        }
    }
}

/// Checked before the prefix hides it: `corp:` alone would be everybody whose name came out empty.
fn prefixed(prefix: &str, what: &'static str, name: &str) -> Result<String, MappingError> {
    if name.is_empty() { Err(MappingError::Empty { what }) } else { Ok(format!("{prefix}{name}")) }
}

fn behind(f: &mut fmt::Formatter<'_>, prefix: &str, expression: &Expression) -> fmt::Result {
    if prefix.is_empty() { write!(f, "{expression}") } else { write!(f, "{prefix} before {expression}") }
}

/// Whether a group is taken, and why not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Choice<'a> {
    Taken,
    NotIncluded,
    Excluded(&'a Pattern),
}

impl Choice<'_> {
    pub(super) const fn is_taken(self) -> bool {
        matches!(self, Self::Taken)
    }
}

/// Which groups, and their names.
#[derive(Debug, Clone)]
pub(super) struct GroupRule {
    pub(super) prefix: String,
    pub(super) naming: Naming,
    pub(super) include: Vec<Pattern>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) rename: BTreeMap<String, String>,
}

/// How the groups that are taken get their names.
#[derive(Debug, Clone)]
pub(super) enum Naming {
    /// Each by itself.
    Each(Template),
    /// All at once, as in Kubernetes: an expression may also leave some out, or make others up.
    Once(Expression),
}

impl GroupRule {
    pub(super) fn choose(&self, name: &str) -> Choice<'_> {
        if !self.include.is_empty() && !self.include.iter().any(|pattern| pattern.fits(name)) {
            return Choice::NotIncluded;
        }
        self.exclude.iter().find(|pattern| pattern.fits(name)).map_or(Choice::Taken, Choice::Excluded)
    }

    /// The provider's name of a group, or the one that takes its place.
    pub(super) fn renamed<'a>(&'a self, group: &'a Principal) -> &'a str {
        self.rename.get(&group.name).unwrap_or(&group.name)
    }

    /// The name of one group.
    pub(super) fn each(&self, template: &Template, group: &Principal) -> Result<String, MappingError> {
        let group = match self.rename.get(&group.name) {
            Some(name) => Cow::Owned(Principal { name: name.clone(), ..group.clone() }),
            None => Cow::Borrowed(group),
        };
        prefixed(&self.prefix, "group", &template.render("group", &group)?)
    }

    /// What clusters see of a name that came out of an expression.
    pub(super) fn shown(&self, name: &str) -> Result<String, MappingError> {
        prefixed(&self.prefix, "group", name)
    }

    /// Whom a name that came out of an expression stands for.
    ///
    /// A group whose name passed unchanged keeps its principal, so that a new group under the name of an old one does
    /// not get what was the old one's. A name that was made up is its own id, as with providers that know no other.
    pub(super) fn principals(
        &self,
        name: &str,
        claims: &Claims<'_>,
        instance: &InstanceId,
    ) -> Result<Vec<PrincipalId>, MappingError> {
        let same = claims.groups.iter().filter(|(known, _)| *known == name);
        let mut principals: Vec<_> = same.map(|(_, group)| group.id.clone()).collect();
        if principals.is_empty() {
            let made = PrincipalId::new(instance, PrincipalType::Group, name);
            principals.push(made.map_err(|why| MappingError::Expression { what: "groups", why: why.to_string() })?);
        }
        Ok(principals)
    }
}

impl fmt::Display for GroupRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.naming {
            Naming::Each(template) => write!(f, "{}{template}", self.prefix),
            Naming::Once(expression) => behind(f, &self.prefix, expression),
        }
    }
}
