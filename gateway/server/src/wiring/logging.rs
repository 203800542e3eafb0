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
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    std::panic::set_hook(Box::new(tell_panic));
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// Says where, and not what: a provider's panic may hold the very password that it was given.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    tracing::error!(%place, thread = std::thread::current().name(), "panicked");
}
