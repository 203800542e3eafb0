//! Looks for people and groups by the beginning of their names.
//!
//! The paging of LDAP is bound to one connection, so it cannot be continued by a later request. A
//! cursor therefore counts: it says how many matches came before, and they are read again.

use std::time::Instant;

use auth_core::{AuthError, Completeness, Principal, PrincipalPage, PrincipalType, Search};

use crate::directory::once_more;
use crate::failure::Failure;
use crate::groups;
use crate::people;
use crate::provider::LdapProvider;

/// Whoever has not found a person among so many types one more letter.
const FARTHEST: usize = 10_000;
const LARGEST_PAGE: usize = 500;

impl LdapProvider {
    /// One page: people first, then groups.
    pub(crate) async fn search(&self, search: &Search, deadline: Instant) -> Result<PrincipalPage, AuthError> {
        let limit = search.limit.clamp(1, LARGEST_PAGE);
        let start = match &search.cursor {
            Some(text) => {
                Cursor::read(text).ok_or_else(|| AuthError::Protocol("a cursor that we did not make".to_owned()))?
            }
            None => Cursor { kind: search.kind.unwrap_or(PrincipalType::User), skip: 0 },
        };
        let page = once_more(|| self.matches(search, &start, limit, deadline)).await?;
        let next = if page.more {
            let skip = start.skip.saturating_add(limit);
            (skip < FARTHEST).then_some(Cursor { kind: start.kind, skip })
        } else {
            let groups_follow = start.kind == PrincipalType::User && search.kind.is_none();
            groups_follow.then_some(Cursor { kind: PrincipalType::Group, skip: 0 })
        };
        Ok(PrincipalPage::new(page.principals).with_next(next.map(|cursor| cursor.write())))
    }

    async fn matches(
        &self,
        search: &Search,
        start: &Cursor,
        limit: usize,
        deadline: Instant,
    ) -> Result<Matches, Failure> {
        let most = start.skip.saturating_add(limit);
        let mut reader = self.directory.reader(deadline).await?;
        let connection = reader.connection()?;
        let scan = self.scan(deadline);
        let (principals, completeness): (Vec<Option<Principal>>, _) = match (start.kind, &self.settings.groups) {
            (PrincipalType::User, _) => {
                let users = &self.settings.users;
                let (entries, completeness) =
                    people::starting_with(connection, users, &search.text, scan, most).await?;
                (entries.iter().map(|entry| self.person(entry).ok()).collect(), completeness)
            }
            (PrincipalType::Group, Some(groups)) => {
                let listing = groups::starting_with(connection, groups, &search.text, scan, most).await?;
                let made = |entry| groups::principal(entry, groups, &self.instance).ok();
                (listing.entries.iter().map(made).collect(), listing.completeness)
            }
            _ => (Vec::new(), Completeness::Complete),
        };
        let reached = principals.len() >= most;
        if let (Completeness::Incomplete(why), false) = (&completeness, reached) {
            return Err(Failure::Misfit {
                field: "bind.dn",
                message: format!("a search was cut: {why}; or search for more letters"),
            });
        }
        let more = !completeness.is_complete();
        // Entries that cannot be principals (no id) are left out after counting, so that cursors stay true.
        Ok(Matches { principals: principals.into_iter().skip(start.skip).flatten().collect(), more })
    }
}

struct Matches {
    principals: Vec<Principal>,
    more: bool,
}

/// Where the next page starts.
struct Cursor {
    kind: PrincipalType,
    skip: usize,
}

impl Cursor {
    fn write(&self) -> String {
        let kind = if self.kind == PrincipalType::User { 'u' } else { 'g' };
        format!("{kind}{}", self.skip)
    }

    fn read(text: &str) -> Option<Self> {
        let (kind, skip) = match (text.strip_prefix('u'), text.strip_prefix('g')) {
            (Some(skip), _) => (PrincipalType::User, skip),
            (_, Some(skip)) => (PrincipalType::Group, skip),
            _ => return None,
        };
        let skip = skip.parse().ok().filter(|skip| *skip < FARTHEST)?;
        Some(Self { kind, skip })
    }
}
