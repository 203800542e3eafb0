//! The rules that a mapping is made of.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::MappingError;
use super::pattern::Pattern;
use super::template::Template;
use crate::Principal;

/// How values are made from a principal. A further way to write rules is a further variant.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// Text with variables: exactly one value.
    Template(Template),
    /// The values of an attribute, as they are.
    Attribute(String),
}

impl Rule {
    /// The values, maybe none.
    pub(super) fn all(&self, what: &'static str, principal: &Principal) -> Result<Vec<String>, MappingError> {
        match self {
            Self::Template(template) => Ok(vec![template.render(what, principal)?]),
            Self::Attribute(key) => Ok(principal.attributes.get(key).cloned().unwrap_or_default()),
        }
    }

    /// The one value that there must be.
    pub(super) fn one(&self, what: &'static str, principal: &Principal) -> Result<String, MappingError> {
        let needs = || match self {
            Self::Template(_) => "template".to_owned(),
            Self::Attribute(key) => format!("attr:{key}"),
        };
        let mut values = self.all(what, principal)?;
        match (values.pop(), values.len()) {
            (Some(value), 0) => Ok(value),
            (None, _) => Err(MappingError::Missing { what, needs: needs() }),
            (Some(_), others) => Err(MappingError::Several { what, needs: needs(), count: others + 1 }),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(template) => write!(f, "{template}"),
            Self::Attribute(key) => write!(f, "{{attr:{key}}}"),
        }
    }
}

impl fmt::Display for NameRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.rule)
    }
}

/// A rule with a prefix.
#[derive(Debug, Clone)]
pub(super) struct NameRule {
    pub(super) prefix: String,
    pub(super) rule: Rule,
}

impl NameRule {
    pub(super) fn apply(&self, what: &'static str, principal: &Principal) -> Result<String, MappingError> {
        let name = self.rule.one(what, principal)?;
        // Checked before the prefix hides it: `corp:` alone would be everybody whose name came out empty.
        if name.is_empty() {
            return Err(MappingError::Empty { what });
        }
        Ok(format!("{}{name}", self.prefix))
    }
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
    pub(super) name: NameRule,
    pub(super) include: Vec<Pattern>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) rename: BTreeMap<String, String>,
}

impl GroupRule {
    pub(super) fn choose(&self, name: &str) -> Choice<'_> {
        if !self.include.is_empty() && !self.include.iter().any(|pattern| pattern.fits(name)) {
            return Choice::NotIncluded;
        }
        self.exclude.iter().find(|pattern| pattern.fits(name)).map_or(Choice::Taken, Choice::Excluded)
    }

    pub(super) fn apply(&self, group: &Principal) -> Result<String, MappingError> {
        let group = match self.rename.get(&group.name) {
            Some(name) => Cow::Owned(Principal { name: name.clone(), ..group.clone() }),
            None => Cow::Borrowed(group),
        };
        self.name.apply("group", &group)
    }
}
