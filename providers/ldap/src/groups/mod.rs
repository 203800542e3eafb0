//! The groups of a person, by one of three ways, and whether they are all.

mod known;
mod nested;
mod primary;
mod reverse;

use std::collections::BTreeMap;
use std::time::Instant;

use auth_core::{Completeness, InstanceId, Principal, PrincipalId, PrincipalType};

use crate::config::{Groups, MemberValue, Strategy};
use crate::connection::{Connection, Question, Scope};
use crate::directory::{Listing, list};
use crate::dn::Dn;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::filter::Filter;
use known::Group;

pub(crate) use known::Known;

const FIELD: &str = "groups.base";

/// DNs per search: large enough to save round trips, small enough for servers that bound a filter.
const BATCH: usize = 200;

/// What stays the same through one lookup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan<'a> {
    pub(crate) instance: &'a InstanceId,
    pub(crate) page_size: i32,
    /// What was asked lately about groups of groups.
    pub(crate) known: &'a Known,
    /// Whether the directory itself is asked all the same: what a refetch says must be so now.
    pub(crate) afresh: bool,
    pub(crate) now: Instant,
    pub(crate) deadline: Instant,
}

impl Scan<'_> {
    /// Asks the directory itself, whatever is known.
    pub(crate) fn afresh(self) -> Self {
        Self { afresh: true, ..self }
    }
}

/// Somebody's groups.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) groups: Vec<Principal>,
    pub(crate) completeness: Completeness,
}

impl Membership {
    /// In no group, and that is known.
    pub(crate) const fn none() -> Self {
        Self { groups: Vec::new(), completeness: Completeness::Complete }
    }
}

/// The attributes of a person from which groups are read.
pub(crate) fn attributes_of_a_person(groups: &Groups) -> Vec<String> {
    let mut names = vec![groups.member_of.clone()];
    if groups.has_primary {
        names.extend(primary::ATTRIBUTES.map(str::to_owned));
    }
    names
}

/// Reads the groups of a person.
pub(crate) async fn of(
    connection: &mut Connection,
    groups: &Groups,
    person: &Entry,
    login: &str,
    scan: Scan<'_>,
) -> Result<Membership, Failure> {
    let mut search = GroupSearch { connection, groups, scan, found: Collected::default() };
    let primary = if groups.has_primary { primary::collect(&mut search, person).await? } else { Vec::new() };
    match groups.strategy {
        Strategy::MemberOf => reverse::collect(&mut search, person).await?,
        Strategy::Search => {
            let member = match groups.member_value {
                MemberValue::Dn => person.dn.as_str(),
                MemberValue::Login => login,
            };
            search.batch(&groups.member, [member]).await?;
        }
        Strategy::InChain => {
            let first = primary.into_iter().chain([person.dn.clone()]);
            let chains = first.map(|dn| Filter::in_chain(&groups.member, dn)).collect();
            let groups = search.ask(chains).await?;
            search.take(&groups);
        }
        Strategy::Nested => {
            nested::collect(&mut search, &person.dn, primary).await?;
        }
    }
    Ok(search.found.membership())
}

/// A group as the core knows it; the reason when it cannot be one.
pub(crate) fn principal(entry: &Entry, groups: &Groups, instance: &InstanceId) -> Result<Principal, String> {
    let external = groups.id.of(entry).ok_or_else(|| format!("a group has not exactly one {}", groups.id.name()))?;
    let id = PrincipalId::new(instance, PrincipalType::Group, &external)
        .map_err(|_| format!("a group's {} cannot be an id", groups.id.name()))?;
    let name = entry.texts(&groups.name).min().ok_or_else(|| format!("a group has no {}", groups.name))?;
    Ok(Principal::new(id, name).with_attribute("dn", [entry.dn.as_str()]))
}

/// The group with this id.
pub(crate) async fn find(
    connection: &mut Connection,
    groups: &Groups,
    id: Filter,
    scan: Scan<'_>,
) -> Result<Vec<Entry>, Failure> {
    let filter = Filter::And(vec![groups.filter.clone(), id]);
    Ok(listing(connection, groups, filter, scan, 2).await?.entries)
}

/// The groups that list this DN as a member, whatever the strategy is.
pub(crate) async fn listing_member(
    connection: &mut Connection,
    groups: &Groups,
    member: &str,
    scan: Scan<'_>,
) -> Result<Vec<Entry>, Failure> {
    let filter = Filter::And(vec![groups.filter.clone(), Filter::equal(&groups.member, member)]);
    Ok(listing(connection, groups, filter, scan, groups.most).await?.entries)
}

/// The groups whose name begins so, up to `most`.
pub(crate) async fn starting_with(
    connection: &mut Connection,
    groups: &Groups,
    text: &str,
    scan: Scan<'_>,
    most: usize,
) -> Result<Listing, Failure> {
    let filter = Filter::And(vec![groups.filter.clone(), Filter::prefix(&groups.name, text)]);
    listing(connection, groups, filter, scan, most).await
}

async fn listing(
    connection: &mut Connection,
    groups: &Groups,
    filter: Filter,
    scan: Scan<'_>,
    most: usize,
) -> Result<Listing, Failure> {
    let attributes = [groups.id.name().to_owned(), groups.name.clone()];
    let question =
        Question { field: FIELD, base: &groups.base, scope: Scope::Subtree, filter, attributes: &attributes };
    list(connection, &question, scan.page_size, most, scan.deadline).await
}

/// A lookup in progress.
struct GroupSearch<'a> {
    connection: &'a mut Connection,
    groups: &'a Groups,
    scan: Scan<'a>,
    found: Collected,
}

impl GroupSearch<'_> {
    /// Finds the groups of which `attribute` equals one of `values`, and gives the DNs of the new ones.
    async fn batch<V: Into<Vec<u8>>>(
        &mut self,
        attribute: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Vec<String>, Failure> {
        let groups = self.ask(values.into_iter().map(|value| Filter::equal(attribute, value)).collect()).await?;
        Ok(self.take(&groups))
    }

    /// Finds the groups that any of these fits. What is missing is noted.
    async fn ask(&mut self, any: Vec<Filter>) -> Result<Vec<Group>, Failure> {
        let filter = Filter::And(vec![self.groups.filter.clone(), Filter::Or(any)]);
        let listing = listing(self.connection, self.groups, filter, self.scan, self.groups.most).await?;
        if let Completeness::Incomplete(why) = listing.completeness {
            self.found.miss(why);
        }
        let mut found = Vec::new();
        for entry in listing.entries {
            match principal(&entry, self.groups, self.scan.instance) {
                Ok(principal) => found.push(Group { dn: entry.dn, principal }),
                Err(why) => self.found.miss(format!("{why}: {}", entry.dn)),
            }
        }
        Ok(found)
    }

    /// Counts groups among the person's, and gives the DNs of the new ones.
    fn take(&mut self, groups: &[Group]) -> Vec<String> {
        let mut new = Vec::new();
        for Group { dn, principal } in groups {
            if self.found.groups.len() >= self.groups.most {
                self.found.miss(format!("the person is in more than {} groups (groups.maxGroups)", self.groups.most));
                break;
            }
            if self.found.add(dn, principal.clone()) {
                new.push(dn.clone());
            }
        }
        new
    }
}

/// Groups found so far, each once, whatever the spelling of its DN.
#[derive(Default)]
struct Collected {
    groups: BTreeMap<Dn, Principal>,
    missing: Option<String>,
}

impl Collected {
    /// Whether the group is a new one.
    fn add(&mut self, dn: &str, group: Principal) -> bool {
        let Ok(key) = dn.parse::<Dn>() else {
            self.miss(format!("a group's DN cannot be read: {dn}"));
            return false;
        };
        self.groups.insert(key, group).is_none()
    }

    /// Remembers the first reason: the others follow from it more often than not.
    fn miss(&mut self, why: impl Into<String>) {
        self.missing.get_or_insert_with(|| why.into());
    }

    fn is_incomplete(&self) -> bool {
        self.missing.is_some()
    }

    fn membership(self) -> Membership {
        Membership {
            groups: self.groups.into_values().collect(),
            completeness: self.missing.map_or(Completeness::Complete, Completeness::Incomplete),
        }
    }
}
