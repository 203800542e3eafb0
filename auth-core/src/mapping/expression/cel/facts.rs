//! The variables `claims` and `user`, borrowed from what is known of a person.

use std::collections::{BTreeMap, HashMap};

use cel::common::types::{CelList, CelMap, CelMapKey, CelString};
use cel::common::value::Val;

use super::super::{Facts, Scope};
use crate::mapping::Identity;
use crate::mapping::claims::Claims;

type Value<'v> = Box<dyn Val + 'v>;

impl Scope {
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::User => "user",
        }
    }

    /// What stands behind the variable's dot.
    pub(super) const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Claims => &["login", "name", "id", "groups", "attributes", "extra"],
            Self::User => &["username", "uid", "groups", "extra"],
        }
    }
}

/// The name of the variable and its value.
pub(super) fn variable<'v>(facts: Facts<'v>) -> (&'static str, Value<'v>) {
    match facts {
        Facts::Claims(claims) => (Scope::Claims.variable(), of_claims(claims)),
        Facts::User(identity) => (Scope::User.variable(), of_user(identity)),
    }
}

fn of_claims<'v>(claims: &'v Claims<'v>) -> Value<'v> {
    let user = claims.user;
    // Directories tell groups in any order, and another one must not make another identity.
    let mut groups: Vec<_> = claims.groups.iter().map(|(name, _)| *name).collect();
    groups.sort_unstable();
    let mut fields = vec![
        ("name", text(&user.name)),
        ("id", text(user.id.external_id())),
        ("groups", list(groups)),
        ("attributes", lists(&user.attributes)),
        ("extra", lists(claims.extra)),
    ];
    fields.extend(user.login.as_deref().map(|login| ("login", text(login))));
    map(fields)
}

fn of_user(identity: &Identity) -> Value<'_> {
    map([
        ("username", text(&identity.username)),
        ("uid", text(&identity.uid)),
        ("groups", list(identity.group_names())),
        ("extra", lists(&identity.extra)),
    ])
}

fn lists(values: &BTreeMap<String, Vec<String>>) -> Value<'_> {
    map(values.iter().map(|(key, values)| (key.as_str(), list(values.iter().map(String::as_str)))))
}

fn list<'v>(texts: impl IntoIterator<Item = &'v str>) -> Value<'v> {
    Box::new(CelList::from(texts.into_iter().map(text).collect::<Vec<_>>()))
}

fn map<'v>(entries: impl IntoIterator<Item = (&'v str, Value<'v>)>) -> Value<'v> {
    let entries = entries.into_iter().map(|(key, value)| (CelMapKey::from(key), value));
    Box::new(CelMap::from(entries.collect::<HashMap<_, _>>()))
}

fn text(text: &str) -> Value<'_> {
    Box::new(CelString::from(text))
}
