//! The list options that change what a request means: `watch` and an exact `metadata.name`.
//!
//! Read as Go reads them: a pair with a broken escape or a semicolon is dropped, the first value of a key counts, and
//! a bool is true unless it says `false` or `0` (so `?watch` and `?watch=no` are watches).

use std::borrow::Cow;

use crate::percent;

/// The part of Kubernetes' ListOptions that RBAC sees.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ListOptions {
    /// Whether the client wants events.
    pub(super) watch: bool,
    /// The one name that the field selector allows.
    pub(super) name: Option<String>,
}

impl ListOptions {
    /// Reads a raw query string.
    pub(super) fn parse(query: &str) -> Self {
        let watch = first(query, "watch").is_some_and(|value| truthy(&value));
        // Options that the API server cannot decode mean no name to it, and later a 400.
        let numbers = ["timeoutSeconds", "limit"]
            .iter()
            .all(|key| first(query, key).is_none_or(|value| value.parse::<i64>().is_ok()));
        let name =
            if numbers { first(query, "fieldSelector").and_then(|selector| exact_name(&selector)) } else { None };
        Self { watch, name }
    }
}

fn truthy(value: &str) -> bool {
    !(value == "0" || value.eq_ignore_ascii_case("false"))
}

/// The first value of `key`, decoded.
fn first<'a>(query: &'a str, key: &str) -> Option<Cow<'a, str>> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((form_decode(name)?, form_decode(value)?))
        })
        .find_map(|(name, value)| (name == key).then_some(value))
}

fn form_decode(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        return percent::decode(&text.replace('+', " ")).map(|decoded| Cow::Owned(decoded.into_owned()));
    }
    percent::decode(text)
}

/// The value that `metadata.name` must equal, when the selector is well formed and says so.
///
/// Names that cannot stand in a path (`.`, `..`, or with `/` or `%`) do not count.
fn exact_name(selector: &str) -> Option<String> {
    let mut found = None;
    for term in terms(selector).into_iter().filter(|term| !term.is_empty()) {
        let term = Term::parse(term)?;
        let value = unescape(term.value)?;
        if term.equal && term.field == "metadata.name" && found.is_none() {
            found = Some(value);
        }
    }
    found.filter(|name| !matches!(name.as_str(), "." | "..") && !name.contains(['/', '%']))
}

/// Splits at commas that no backslash escapes.
fn terms(selector: &str) -> Vec<&str> {
    let mut escaped = false;
    selector
        .split(move |c| {
            let cut = c == ',' && !escaped;
            escaped = c == '\\' && !escaped;
            cut
        })
        .collect()
}

/// One condition of a selector.
struct Term<'a> {
    field: &'a str,
    equal: bool,
    value: &'a str,
}

impl<'a> Term<'a> {
    /// Splits a condition at its first operator.
    fn parse(text: &'a str) -> Option<Self> {
        // A lone `!` belongs to the field name; only `!=` is an operator.
        let (field, rest) = text.split_at(text.find('=')?);
        if let Some(field) = field.strip_suffix('!') {
            return rest.strip_prefix('=').map(|value| Self { field, equal: false, value });
        }
        let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
        Some(Self { field, equal: true, value })
    }
}

/// Undoes the backslash escapes of a selector value; a bare `,` or `=` or an unknown escape is a fault.
fn unescape(value: &str) -> Option<String> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next().filter(|next| matches!(next, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            other => plain.push(other),
        }
    }
    Some(plain)
}
