//! The provider against a real slapd, and against servers that mean harm.
#![expect(clippy::unwrap_used, reason = "tests")]

mod logins;
mod support;
