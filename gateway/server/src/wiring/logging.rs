//! One JSON object a line on standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging; `filter` is a level or a filter such as `info,gatewarden_proxy=debug`.
///
/// Called once, before anything else starts. A second call changes nothing.
pub(super) fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
