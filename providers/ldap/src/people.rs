//! Finds people, and turns an entry into a principal.

use std::time::Instant;

use auth_core::{AuthError, Completeness, InstanceId, Principal, PrincipalId, PrincipalType};

use crate::config::{Groups, Users};
use crate::connection::{Connection, PageRequest, Question, Scope};
use crate::directory::list;
use crate::entry::Entry;
use crate::failure::{Failure, code};
use crate::filter::Filter;
use crate::groups::{self, Membership, Scan};

const FIELD: &str = "users.base";

/// What a search for one person may bring.
#[derive(Debug)]
pub(crate) enum Found {
    Nobody,
    One(Box<Entry>),
    /// Two entries or more fit. Nobody may choose among them.
    Several,
}

/// The attributes that say who somebody is.
pub(crate) fn attributes(users: &Users) -> Vec<String> {
    let mut names = vec![users.id.name().to_owned(), users.login.clone(), users.display_name.clone()];
    names.extend(users.attributes.iter().cloned());
    names
}

/// The one entry below the base that fits.
pub(crate) async fn find(
    connection: &mut Connection,
    users: &Users,
    filter: Filter,
    attributes: &[String],
    deadline: Instant,
) -> Result<Found, Failure> {
    let question = Question { field: FIELD, base: &users.base, scope: Scope::Subtree, filter, attributes };
    // Two are enough to know that it is not one.
    one(connection, &question, deadline).await
}

/// The entry with this DN, if it is a person of this instance.
pub(crate) async fn read(
    connection: &mut Connection,
    users: &Users,
    dn: &str,
    attributes: &[String],
    deadline: Instant,
) -> Result<Found, Failure> {
    let filter = users.filter.for_anyone();
    let question = Question { field: FIELD, base: dn, scope: Scope::Base, filter, attributes };
    one(connection, &question, deadline).await
}

async fn one(connection: &mut Connection, question: &Question<'_>, deadline: Instant) -> Result<Found, Failure> {
    let page = connection.page(question, PageRequest::Most(2), 2, deadline).await?;
    let mut entries = page.entries.into_iter();
    match (page.code, entries.next(), entries.next()) {
        (code::SUCCESS, Some(entry), None) => Ok(Found::One(Box::new(entry))),
        (code::SUCCESS, None, None) => Ok(Found::Nobody),
        (code::NO_SUCH_OBJECT, ..) if question.scope == Scope::Base => Ok(Found::Nobody),
        (code::SUCCESS | code::SIZE_LIMIT, Some(_), _) => Ok(Found::Several),
        (code::NO_SUCH_OBJECT | code::REFERRAL, ..) => Err(Failure::Misfit {
            field: question.field,
            message: "the directory has no such entry, or hides it from the bind account".to_owned(),
        }),
        (other, ..) => Err(Failure::refused("looking for a person", other, &page.text)),
    }
}

/// The people whose name begins so, up to `most`.
pub(crate) async fn starting_with(
    connection: &mut Connection,
    users: &Users,
    text: &str,
    scan: Scan<'_>,
    most: usize,
) -> Result<(Vec<Entry>, Completeness), Failure> {
    let names = users.search.iter().map(|name| Filter::prefix(name, text)).collect();
    let filter = Filter::And(vec![users.filter.for_anyone(), Filter::Or(names)]);
    let wanted = attributes(users);
    let question = Question { field: FIELD, base: &users.base, scope: Scope::Subtree, filter, attributes: &wanted };
    let listing = list(connection, &question, scan.page_size, most, scan.deadline).await?;
    Ok((listing.entries, listing.completeness))
}

/// A person as the core knows them.
///
/// Of several login names the smallest counts, so that it is the same one at every login.
pub(crate) fn principal(entry: &Entry, users: &Users, instance: &InstanceId) -> Result<Principal, AuthError> {
    let misfit = |field: &'static str, message: String| AuthError::from(Failure::Misfit { field, message });
    let external = users.id.of(entry).ok_or_else(|| {
        misfit(
            "users.id",
            format!("an entry needs exactly one value of {}, readable for the bind account", users.id.name()),
        )
    })?;
    let id = PrincipalId::new(instance, PrincipalType::User, &external)
        .map_err(|error| AuthError::Protocol(format!("an id that cannot be used: {error}")))?;
    let name = entry.texts(&users.login).min().ok_or_else(|| {
        misfit("users.login", format!("an entry has no {}; name the attribute that people log in with", users.login))
    })?;
    let mut principal = Principal::new(id, name).with_attribute("dn", [entry.dn.as_str()]);
    if let Some(display_name) = entry.first_text(&users.display_name) {
        principal = principal.with_display_name(display_name);
    }
    for attribute in &users.attributes {
        let values: Vec<&str> = entry.texts(attribute).collect();
        if !values.is_empty() {
            principal = principal.with_attribute(attribute.clone(), values);
        }
    }
    Ok(principal)
}

/// The groups of a person, when this instance knows any.
pub(crate) async fn groups_of(
    connection: &mut Connection,
    groups: Option<&Groups>,
    person: &Entry,
    login: &str,
    scan: Scan<'_>,
) -> Result<Membership, Failure> {
    match groups {
        None => Ok(Membership::none()),
        Some(groups) => groups::of(connection, groups, person, login, scan).await,
    }
}
