//! What the author of a provider brings: a server, people, and changes.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::{AuthProvider, Context};

use crate::Trips;

/// A server with people in it, and a provider before it.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// What the report calls it: `ldap on slapd`.
    fn name(&self) -> String;

    /// The provider, configured for the server.
    fn provider(&self) -> Arc<dyn AuthProvider>;

    /// The circumstances of one call, with some thirty seconds left.
    fn context(&self) -> Context;

    /// Who is in the server from the start.
    fn known(&self) -> Known;

    /// Changes something on the server, and returns when it is done.
    ///
    /// # Errors
    /// [`Unable`] where this server has no such change: the facts that need it are skipped, with the reason.
    async fn change(&self, change: Change<'_>) -> Result<(), Unable>;

    /// How browsers go to the identity system's page and come back; none where people type their password into a form
    /// of ours.
    fn trips(&self) -> Option<&dyn Trips> {
        None
    }
}

/// Who is in the server from the start.
#[derive(Debug, Clone)]
pub struct Known {
    /// Somebody in [`Known::groups`].
    pub person: Person,
    /// Somebody else, in other groups or in none.
    pub other: Person,
    /// The names of all groups of `person`, inherited ones included. Empty where the provider knows no groups.
    pub groups: Vec<String>,
    /// A group that newcomers can join, and which `person` is not in. Joining it brings no other group.
    pub joinable: Option<String>,
    /// Groups that everybody is in without having joined.
    pub everybody: Vec<String>,
    /// People whose accounts are in some state.
    pub states: Vec<(State, Person)>,
    /// What must never be printed: passwords of service accounts, keys.
    pub secrets: Vec<String>,
}

/// Somebody who can log in.
#[derive(Debug, Clone)]
pub struct Person {
    /// What they type.
    pub login: String,
    /// Their password.
    pub password: String,
    /// Other ways to write the login, which mean the same person.
    pub spellings: Vec<String>,
}

impl Person {
    /// Somebody with one way to write their login.
    pub fn new(login: impl Into<String>, password: impl Into<String>) -> Self {
        Self { login: login.into(), password: password.into(), spellings: Vec::new() }
    }

    /// Adds a way to write the login.
    #[must_use]
    pub fn also(mut self, spelling: impl Into<String>) -> Self {
        self.spellings.push(spelling.into());
        self
    }
}

/// What an account is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Switched off by an administrator.
    Disabled,
    /// Locked for a time, after wrong passwords.
    Locked,
    /// Over.
    Expired,
    /// Its password is too old.
    PasswordExpired,
    /// Its password is good for setting another.
    MustChangePassword,
}

impl State {
    /// How [`AuthError::audit_code`](auth_core::AuthError::audit_code) calls it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Locked => "locked",
            Self::Expired => "account-expired",
            Self::PasswordExpired => "password-expired",
            Self::MustChangePassword => "must-change-password",
        }
    }
}

/// Somebody whom a fact brings in for itself.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// What they type: lower-case letters and digits.
    pub login: String,
    /// Their password: letters, digits and a dash.
    pub password: String,
}

/// A change to the server.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// A person who was never there before, in no group of their own choice.
    Create(&'a Newcomer),
    /// The person is gone.
    Delete(&'a str),
    /// The person is called something else, and is the same person.
    Rename(&'a str, &'a str),
    /// The person stands in another place, such as another organizational unit.
    Move(&'a str),
    /// The person is switched off.
    Disable(&'a str),
    /// The person is in this group.
    Join(&'a str, &'a str),
    /// The person is in this group no more.
    Leave(&'a str, &'a str),
    /// The server answers nobody.
    Stop,
    /// The server answers again.
    Start,
}

/// Why a change cannot be made, in a few words: `people have no place to move from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unable(pub String);

impl Unable {
    /// With a reason.
    pub fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}
