//! The rules that a mapping is made of.

use std::borrow::Cow;
use std::collections::BTreeMap;

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

/// Which groups, and their names.
#[derive(Debug, Clone)]
pub(super) struct GroupRule {
    pub(super) name: NameRule,
    pub(super) include: Vec<Pattern>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) rename: BTreeMap<String, String>,
}

impl GroupRule {
    pub(super) fn wants(&self, name: &str) -> bool {
        let included = self.include.is_empty() || self.include.iter().any(|pattern| pattern.fits(name));
        included && !self.exclude.iter().any(|pattern| pattern.fits(name))
    }

    pub(super) fn apply(&self, group: &Principal) -> Result<String, MappingError> {
        let group = match self.rename.get(&group.name) {
            Some(name) => Cow::Owned(Principal { name: name.clone(), ..group.clone() }),
            None => Cow::Borrowed(group),
        };
        self.name.apply("group", &group)
    }
}
