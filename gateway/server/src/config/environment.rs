//! The one place that reads the process environment.

use std::ffi::OsString;

/// The variable that names the configuration file when `--config` does not.
pub const CONFIG_VARIABLE: &str = "GATEWARDEN_CONFIG";

/// Reads a variable. Its value may be a secret: it is never logged.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(OsString::into_string).and_then(Result::ok).filter(|value| !value.is_empty())
}
