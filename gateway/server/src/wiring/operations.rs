//! The second port, in plain HTTP for the machine itself: `/metrics`, `/livez`, `/readyz`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gatewarden_control::Control;
use gatewarden_proxy::{Observer, State as ClusterState};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::meters::Meters;

/// Which parts are ready. `/readyz` names each one.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Parts>);

/// Each part, and why it is not ready.
type Parts = BTreeMap<&'static str, Option<String>>;

impl Readiness {
    /// Says that a part is ready.
    pub(super) fn ready(&self, part: &'static str) {
        self.set(part, None);
    }

    /// Says that a part is not ready, and why.
    pub(super) fn waiting(&self, part: &'static str, why: impl Into<String>) {
        self.set(part, Some(why.into()));
    }

    fn set(&self, part: &'static str, state: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, state);
    }

    fn report(&self) -> (bool, String) {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = !parts.is_empty() && parts.values().all(Option::is_none);
        let lines = parts.iter().map(|(part, state)| match state {
            None => format!("[+] {part} ok\n"),
            Some(why) => format!("[-] {part}: {why}\n"),
        });
        (ready, lines.collect())
    }
}

/// What the port shows.
#[derive(Clone, Debug)]
pub(super) struct Operations {
    pub(super) readiness: Arc<Readiness>,
    pub(super) observer: Observer,
    pub(super) control: Arc<Control>,
    pub(super) meters: Arc<Meters>,
}

impl Operations {
    /// Serves the port until `stop`.
    ///
    /// # Errors
    /// The listener broke.
    pub(super) async fn serve(self, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        let router = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self);
        axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}

/// Opens the port.
///
/// # Errors
/// The address is taken or not ours.
pub(super) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Ready is the gateway, not its clusters: one that is down must not take the others out of a load balancer.
async fn ready(State(operations): State<Operations>) -> Response {
    let (ready, mut text) = operations.readiness.report();
    for cluster in operations.observer.clusters() {
        text.push_str(&match cluster.state {
            ClusterState::Open => format!("[+] cluster {} open\n", cluster.id),
            ClusterState::Closed(why) => format!("[ ] cluster {} closed: {why}\n", cluster.id),
            ClusterState::Unproven(why) => format!("[ ] cluster {} not proven: {why}\n", cluster.id),
        });
    }
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text).into_response()
}

async fn metrics(State(operations): State<Operations>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = operations.observer.metrics();
    operations.control.append_metrics(&mut text).await;
    operations.meters.finish(&mut text);
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[test]
    fn readiness_names_the_part_that_is_missing() {
        let readiness = Readiness::default();
        assert!(!readiness.report().0, "nothing has started");
        readiness.ready("store");
        readiness.waiting("changes", "not read for 61 s");
        let (ready, text) = readiness.report();
        assert!(!ready);
        assert_eq!(text, "[-] changes: not read for 61 s\n[+] store ok\n");
        readiness.ready("changes");
        assert!(readiness.report().0);
    }
}
