//! People and groups that Gatewarden itself keeps.
//!
//! The `local` provider needs nothing but the gateway's own store, so it works when every directory is down: it holds
//! the first administrator and the break-glass account. Passwords are kept as Argon2id hashes ([`hash_password`]), and
//! an unknown login costs the same work as a known one.

mod config;
mod hashing;
mod kind;
mod password;
mod provider;

pub use config::{Cost, LocalConfig};
pub use kind::LocalKind;
pub use password::{UnfitPassword, hash_password};
