//! The configuration of an instance: as typed, and as checked.

mod check;
mod file;
mod preset;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use auth_core::Password;
use rustls_pki_types::ServerName;

use crate::connection::{Security, Server};
use crate::dn::Dn;
use crate::filter::Filter;
use crate::stable_id::IdAttribute;

pub(crate) use file::{File, MemberValue, Strategy};
pub(crate) use preset::Preset;

/// A configuration in which every value is usable.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) preset: Preset,
    pub(crate) servers: Vec<Server>,
    pub(crate) security: Security,
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) access: Arc<Access>,
    pub(crate) users: Users,
    /// `None`: this instance knows no groups.
    pub(crate) groups: Option<Groups>,
    pub(crate) connect: Duration,
    pub(crate) operation: Duration,
    pub(crate) pool: PoolSettings,
    pub(crate) page_size: i32,
}

/// Who reads the directory.
#[derive(Debug)]
pub(crate) enum Access {
    /// An account of ours, which finds people and reads groups.
    Service { dn: String, password: Password },
    /// Nobody but the person who logs in, whose DN follows from the login name.
    Direct(DnTemplate),
}

/// `uid={input},ou=people,…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DnTemplate {
    before: String,
    after: String,
}

impl DnTemplate {
    /// The DN of whoever typed `input`, which can only become one attribute value of it.
    pub(crate) fn dn(&self, input: &str) -> String {
        format!("{}{}{}", self.before, crate::dn::escape_value(input), self.after)
    }
}

/// Where people are, and which of their attributes is what.
#[derive(Debug)]
pub(crate) struct Users {
    pub(crate) base: String,
    pub(crate) filter: Filter,
    /// What may stand before a backslash in a login.
    pub(crate) domain: Option<String>,
    pub(crate) id: IdAttribute,
    pub(crate) login: String,
    pub(crate) display_name: String,
    /// Further attributes that mappings use.
    pub(crate) attributes: Vec<String>,
    /// Attributes that a search for people looks at.
    pub(crate) search: Vec<String>,
}

impl Users {
    /// The login without the domain before it; none when it is of another domain.
    pub(crate) fn account<'a>(&self, login: &'a str) -> Option<&'a str> {
        match (&self.domain, login.split_once('\\')) {
            (Some(domain), Some((named, account))) => named.eq_ignore_ascii_case(domain).then_some(account),
            _ => Some(login),
        }
    }
}

/// Where groups are, and how they are found.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) base: String,
    pub(crate) base_dn: Dn,
    pub(crate) strategy: Strategy,
    pub(crate) filter: Filter,
    pub(crate) id: IdAttribute,
    pub(crate) name: String,
    pub(crate) member: String,
    pub(crate) member_value: MemberValue,
    pub(crate) member_of: String,
    /// The attribute by which an entry is found by its DN.
    pub(crate) dn_attribute: String,
    /// Whether everybody has a primary group, which lists nobody (Active Directory).
    pub(crate) has_primary: bool,
    pub(crate) max_depth: usize,
    /// How long answers about groups of groups are known.
    pub(crate) kept: Duration,
    pub(crate) most: usize,
}

/// How many connections, and how long each is used.
#[derive(Debug, Clone)]
pub(crate) struct PoolSettings {
    pub(crate) searches: usize,
    pub(crate) binds: usize,
    pub(crate) max_operations: u32,
    pub(crate) lifetime: Duration,
    pub(crate) test_after: Duration,
}
