//! Text with variables: `{login}`, `{name}`, `{id}`, `{attr:key}`; `{{` and `}}` are the braces themselves.

use std::fmt;

use super::MappingError;
use crate::Principal;

/// Whom a template speaks of: groups have no login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    User,
    Group,
}

/// A parsed template.
#[derive(Debug, Clone, Default)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Login,
    Name,
    Id,
    Attribute(String),
}

impl Template {
    /// Parses, or says what to write instead.
    pub(super) fn parse(text: &str, subject: Subject) -> Result<Self, String> {
        if text.contains(char::is_control) {
            return Err("a template holds no control character".to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            parts.push(Part::Text(before.to_owned()));
            rest = if let Some(after) = brace.strip_prefix("{{") {
                parts.push(Part::Text("{".to_owned()));
                after
            } else if let Some(after) = brace.strip_prefix("}}") {
                parts.push(Part::Text("}".to_owned()));
                after
            } else {
                let closed = brace.strip_prefix('{').and_then(|inner| inner.split_once('}'));
                let (variable, after) =
                    closed.ok_or("a brace stands alone; write {variable}, or {{ and }} for braces")?;
                parts.push(Part::variable(variable, subject)?);
                after
            };
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        if !parts.iter().any(|part| !matches!(part, Part::Text(_))) {
            return Err(format!("no variable in it, so everybody would get the same; use {}", variables(subject)));
        }
        Ok(Self(parts))
    }

    pub(super) fn render(&self, what: &'static str, principal: &Principal) -> Result<String, MappingError> {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(part.value(what, principal)?);
        }
        Ok(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Login => f.write_str("{login}"),
            Part::Name => f.write_str("{name}"),
            Part::Id => f.write_str("{id}"),
            Part::Attribute(key) => write!(f, "{{attr:{key}}}"),
        })
    }
}

impl Part {
    fn variable(name: &str, subject: Subject) -> Result<Self, String> {
        match (name, subject) {
            ("login", Subject::User) => Ok(Self::Login),
            ("name", _) => Ok(Self::Name),
            ("id", _) => Ok(Self::Id),
            _ => match name.strip_prefix("attr:") {
                Some(key) if !key.is_empty() => Ok(Self::Attribute(key.to_owned())),
                _ => Err(format!("there is no variable {{{name}}} here; use {}", variables(subject))),
            },
        }
    }

    fn value<'a>(&'a self, what: &'static str, principal: &'a Principal) -> Result<&'a str, MappingError> {
        let missing = |needs: &str| MappingError::Missing { what, needs: needs.to_owned() };
        let value = match self {
            Self::Text(text) => return Ok(text),
            Self::Login => principal.login.as_deref().ok_or_else(|| missing("login"))?,
            Self::Name => &principal.name,
            Self::Id => principal.id.external_id(),
            Self::Attribute(key) => match principal.attributes.get(key).map_or(&[][..], Vec::as_slice) {
                [one] => one,
                [] => return Err(missing(&format!("attr:{key}"))),
                several => {
                    let needs = format!("attr:{key}");
                    return Err(MappingError::Several { what, needs, count: several.len() });
                }
            },
        };
        if value.is_empty() {
            // An empty value would make one person's name out of another's: `{attr:site}-{login}` is `-alice`.
            return Err(MappingError::Empty { what });
        }
        Ok(value)
    }
}

const fn variables(subject: Subject) -> &'static str {
    match subject {
        Subject::User => "{login}, {name}, {id} or {attr:key}",
        Subject::Group => "{name}, {id} or {attr:key}",
    }
}
