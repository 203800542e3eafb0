//! Tools for testing the gateway as its users meet it: real kubectl, real API servers, a real directory.
//!
//! - [`run`] runs a table of [`Case`]s over one bed.
//! - [`Kubectl`] is one person at one cluster; [`Running`] a command that goes on.
//! - [`Https`] speaks to the gateway where kubectl would not: exact bytes, exact protocol.
//! - [`Browser`] logs in where people do.
//! - [`Relay`] stands between the gateway and a server, and breaks in the ways in which servers do.
//! - [`AuditLog`] reads what a server recorded.
#![expect(clippy::disallowed_methods, reason = "tests keep real time, bounded by a guard")]

mod audit_log;
mod browser;
mod https;
mod kubectl;
mod patience;
mod relay;
mod runner;
mod running;

pub use audit_log::AuditLog;
pub use browser::{Browser, Page};
pub use https::{Answer, Held, Https, Protocol};
pub use kubectl::{Kubectl, Outcome, Transport};
pub use patience::{GUARD, eventually, times};
pub use relay::{Fault, Relay};
pub use runner::{Case, Proof, Side, Skipped, note, run};
pub use running::Running;
