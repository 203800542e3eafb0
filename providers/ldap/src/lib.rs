//! People and groups of an LDAP directory.
//!
//! One login is: find the person with a pooled connection of our own account, check the password as
//! the person found on a fresh connection, read groups. Read [`kind`](LdapKind) for how an instance
//! is made, `provider` for what it does, `login` for the order of things, and `guard` for why a
//! directory cannot take the process down.

mod kind;

mod config;

mod provider;

mod login;

mod lookup;

mod diagnose;

mod people;

mod groups;

mod account;

mod stable_id;

mod directory;

mod connection;

mod guard;

mod ber;

mod entry;

mod filter;

mod dn;

mod deadline;

mod failure;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use kind::LdapKind;
