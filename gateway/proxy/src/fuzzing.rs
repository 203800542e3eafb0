//! What fuzzing may call: a client's connection, from its first byte to what would go to a cluster.
#![allow(clippy::unwrap_used, missing_docs, reason = "built for fuzzing alone")]

use std::convert::Infallible;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use crate::body::Body;
use crate::rehearsal::outbound;
use crate::testing::World;

/// A request that would be sent.
#[derive(Debug)]
pub struct Seen {
    pub target: String,
    pub headers: HeaderMap,
}

/// The host that is the cluster's own.
pub const HOST_OF_EAST: &str = "east.k8s.example.org";

/// A header: name and value.
pub type Line = (&'static str, &'static [u8]);

/// The identity lines of the one who is known, in the order in which they are sent.
pub const ALICE: [Line; 7] = [
    ("impersonate-user", b"corp:alice"),
    ("impersonate-uid", b"u-alice"),
    ("impersonate-group", b"corp:dev"),
    ("impersonate-group", b"corp:a,b"),
    ("impersonate-extra-gatewarden%2fprovider", b"corp"),
    ("impersonate-extra-gatewarden%2fprincipal", b"corp_user://42"),
    ("impersonate-extra-gatewarden%2fsession-id", b"s-1"),
];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
static WORLD: LazyLock<World> = LazyLock::new(World::new);

/// Serves these bytes as one HTTP/1.1 connection; all requests that would be sent.
#[must_use]
pub fn connection(bytes: &[u8]) -> Vec<Seen> {
    // Nobody is to be refused for being quick.
    WORLD.time.pass(Duration::from_secs(1));
    WORLD.revoke.heartbeat();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let record = Arc::clone(&seen);
    let service = service_fn(move |request: Request<Incoming>| {
        let record = Arc::clone(&record);
        async move {
            let incoming = crate::admit::Incoming::new(request, WORLD.peer(None));
            if let Ok(sending) = outbound(&WORLD.gate, incoming).await {
                let target = sending.path.to_string();
                record.lock().unwrap().push(Seen { target, headers: sending.headers });
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    RUNTIME.block_on(async {
        // The client says all that it has and waits. Without this a request that is being looked at would be given up.
        let serving = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service);
        let talking = async {
            let _ = client.write_all(bytes).await;
            let _ = client.shutdown().await;
            let mut answers = Vec::new();
            let _ = client.read_to_end(&mut answers).await;
        };
        let _ = tokio::join!(serving, talking);
    });
    std::mem::take(&mut seen.lock().unwrap())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    // What is never sent can never be wrong: a target that sees no request proves nothing.
    #[test]
    fn the_seeds_lead_to_requests_that_are_sent() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds/connection");
        let sent = |name: &str| connection(&fs::read(folder.join(name)).unwrap()).len();
        for (name, requests) in [
            ("get", 1),
            ("families", 1),
            ("hop", 1),
            ("host", 1),
            ("chunks", 1),
            ("post", 2),
            ("as", 0),
            ("lookalike", 0),
        ] {
            assert_eq!(sent(name), requests, "{name}");
        }
    }
}
