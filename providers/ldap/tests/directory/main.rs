//! The provider against a real slapd, and against servers that mean harm.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod crowd;
mod diagnosis;
mod groups;
mod hostile;
mod limits;
mod logins;
mod lookups;
mod refetch;
mod servers;

mod fake;
mod support;
