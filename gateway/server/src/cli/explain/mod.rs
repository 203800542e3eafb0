//! `gatewarden explain`: why somebody may do something or not, and what became of one request.
//!
//! About a person it asks the identity system and the cluster anew and decides by the code of the server, from this
//! host, with the configuration and the store of the server. About a request it reads the audit log: a person who was
//! refused sees an `Audit-Id` header and a short sentence; the operator sees the rest here.

mod asked;
mod kinds;
mod person;
mod record;
mod remedy;
mod request;
mod sections;
mod times;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use super::CommandError;
use super::arguments::Explain;
use super::output::Output;

/// Explains what was asked for.
pub(super) fn run(path: &Path, explain: &Explain, output: &Output) -> Result<ExitCode, CommandError> {
    match (&explain.audit_id, &explain.user) {
        (Some(audit_id), _) => request::run(path, audit_id, output),
        (None, Some(user)) => person::run(path, user, explain, output),
        (None, None) => Err(CommandError::Input("name a person, or a request by --audit-id".to_owned())),
    }
}
