//! The whole life of a request, on one screen.
//!
//! `listener` makes [`Incoming`] and calls [`answer`]; nothing else enters here. Every stage takes the request by value
//! and hands it on inside evidence that only it can make, so a stage that is left out is a type error. The [`Record`]
//! goes along and learns what the stages find out; whatever happens, it is closed exactly once.
//!
//! Two doors lead out, and each accepts one kind of evidence:
//! - `upstream::send(&Gate, Outbound) -> Result<Response<Body>, Refusal>` is the only one to a cluster. It adds the
//!   cluster's own credential and host, and refuses a cluster that is not proven or does not answer. After a 101 it
//!   runs the tunnel, ends it with the session, and drops [`crate::audit::Hold`] when it is over.
//! - [`management`] leads to the gateway's own API.
//!
//! Beside them, `cluster::review` asks a cluster whether a caller may act as another.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use http::header::UPGRADE;
use http::{Response, Version};

use crate::admit::{Entry, Incoming};
use crate::audit::Record;
use crate::authorize::Permitted;
use crate::body::Body;
use crate::boundary::Life;
use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::{admit, audit, authenticate, authorize, impersonate, management, relay, upstream};

/// Answers one request, whatever becomes of it.
///
/// A panic in a stage is a fault of ours: the client gets a 500, the connection and its other requests go on.
pub(crate) async fn answer(gate: &Gate, incoming: Incoming) -> Response<Body> {
    let mut record = Record::open(&gate.common, &incoming);
    let switching = incoming.head().version < Version::HTTP_2 && incoming.head().headers.contains_key(UPGRADE);
    let mut response = match AssertUnwindSafe(serve(gate, incoming, &mut record)).catch_unwind().await {
        Ok(Ok(response)) => record.answered(response),
        Ok(Err(refusal)) => record.refused(&refusal),
        Err(_panic) => record.refused(&Refusal::Panicked),
    };
    if switching {
        relay::close_unless_switched(&mut response);
    }
    response
}

// An HTTP/2 connection holds one such future for each stream, for as long as a watch runs, and polling moves parts of it
// about. So what most requests do not need (a login, `--as`, a fresh connection) is boxed where it is called.
async fn serve(gate: &Gate, incoming: Incoming, record: &mut Record) -> Result<Response<Body>, Refusal> {
    let admitted = match admit::run(gate, incoming, record)? {
        Entry::Public(public) => return Box::pin(management::open(gate, public, record)).await,
        Entry::Private(admitted) => admitted,
    };
    let caller = authenticate::run(gate, admitted, record).await?;
    let permitted = match authorize::run(gate, caller, record)? {
        Permitted::Management(permitted) => return Box::pin(management::call(gate, permitted, record)).await,
        Permitted::Cluster(permitted) => permitted,
    };
    let outbound = impersonate::run(gate, permitted, record).await?;
    audit::before_sending(gate, record).await?;
    let (back, changes) = (outbound.way_back(), outbound.changes());
    record.asks();
    let response = tokio::select! {
        biased;
        () = back.life.ended().cancelled() => return Err(cut(&back.life, changes)),
        sent = upstream::send(gate, outbound) => sent,
    };
    record.hears();
    relay::run(response?, back)
}

/// Why a request did not get to its answer. After a reload the caller's token may be good: to log in again would mend
/// nothing, and to ask again tells what the caller may do now. A change may have happened already, and clients repeat what
/// is answered by 503: that one is not told to.
fn cut(life: &Life, changes: bool) -> Refusal {
    if changes || !life.is_reloaded() {
        return Refusal::SessionEnded;
    }
    let retry_after = Duration::from_secs(1);
    Refusal::Unavailable { retry_after, what: "the configuration changed while the request was under way" }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::boundary::{RequestLimits, Revocation, Revoked, Snapshot, SnapshotConfig};
    use crate::testing::{TestTime, World, alice, request, snapshot_config};

    async fn told(world: &World, request: http::request::Builder) -> (u16, String) {
        let response = answer(&world.gate, world.incoming(request.body(Body::empty()).unwrap())).await;
        assert!(response.headers().contains_key("audit-id"));
        let status = response.status().as_u16();
        (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_500_and_the_next_request_is_served() {
        let world = World::new();
        let (status, body) = told(&world, request("/api/v1/panic")).await;
        assert_eq!(status, 500);
        assert!(!body.contains("as the test wants"), "{body}");
        assert_eq!(told(&world, request("/api/v1/me")).await.0, 200);
    }

    #[tokio::test]
    async fn the_management_api_learns_who_asks_and_nothing_that_claims_it() {
        let world = World::new();
        let lines = ["cookie", "x-forwarded-for", "x-remote-user", "x-real-ip", "forwarded", "x_remote_user"];
        let hostile = |request: http::request::Builder| {
            lines.iter().fold(request.header("accept", "text/plain"), |request, name| request.header(*name, "x"))
        };
        assert_eq!(told(&world, hostile(request("/api/v1/me"))).await, (200, "u-alice accept".to_owned()));
        let login = hostile(request("/api/v1/providers/corp/login")).method("POST");
        assert_eq!(told(&world, login).await, (200, "nobody accept".to_owned()), "a public route has no caller");
    }

    #[test]
    fn a_request_that_a_reload_cut_is_asked_again_and_one_of_a_revoked_token_logs_in() {
        let (sender, revoked) = Revoked::new(std::sync::Arc::new(TestTime::new()));
        let life = || revoked.enroll(&alice("gwt-alice"), revoked.sequence()).unwrap();
        let (old, new) = (Snapshot::build(snapshot_config()), Snapshot::build(SnapshotConfig::default()));
        let (old, new) = (old.unwrap(), new.unwrap());
        let reloaded = life();
        sender.reloaded(&old, &new);
        assert!(reloaded.is_over() && matches!(cut(&reloaded, false), Refusal::Unavailable { .. }));
        assert!(matches!(cut(&reloaded, true), Refusal::SessionEnded), "a change is not sent twice");
        let ended = life();
        sender.send(&Revocation::Token("gwt-alice".into()));
        sender.reloaded(&old, &new);
        assert!(ended.is_over() && matches!(cut(&ended, false), Refusal::SessionEnded), "{}", cut(&ended, false));
    }

    #[tokio::test]
    async fn a_refused_head_has_no_body() {
        let world = World::new();
        let head = request("/k8s/clusters/west/api").method("HEAD");
        assert_eq!(told(&world, head).await, (403, String::new()));
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_headers_is_told_in_the_words_of_the_place() {
        let world = World::new();
        let large = "x".repeat(70_000);
        for (path, word) in [("/api/v1/me", "urn:gatewarden:error:"), ("/k8s/clusters/east/api", "\"kind\":\"Status\"")]
        {
            let (status, body) = told(&world, request(path).header("x", &large)).await;
            assert_eq!(status, 431);
            assert!(body.contains(word), "{body}");
        }
    }

    #[tokio::test]
    async fn the_limits_of_a_head_are_those_of_the_configuration() {
        let limits = RequestLimits { header_bytes: 4_096, uri_bytes: 1_024, ..RequestLimits::default() };
        let world = World::with(SnapshotConfig { limits, ..snapshot_config() });
        let large = "x".repeat(5_000);
        assert_eq!(told(&world, request("/api/v1/me").header("x", &large)).await.0, 431);
        assert_eq!(told(&world, request(&format!("/api/v1/me?{}", &large[..1_024]))).await.0, 414);
        assert_eq!(
            told(&World::new(), request("/api/v1/me").header("x", &large)).await.0,
            200,
            "the default is larger"
        );
    }

    #[tokio::test]
    async fn nobody_acts_as_another_on_the_management_api() {
        let world = World::new();
        for path in ["/api/v1/me", "/api/v1/providers"] {
            assert_eq!(told(&world, request(path).header("impersonate-user", "root")).await.0, 400, "{path}");
        }
    }

    #[tokio::test]
    async fn whoever_is_not_known_gets_no_further_than_the_public_table() {
        let world = World::new();
        let bare = |path: &str| http::Request::builder().uri(path.to_owned()).header("host", "gw");
        assert_eq!(told(&world, bare("/api/v1/providers")).await.0, 200);
        for path in ["/api/v1/me", "/api/v1/providers/corp/login", "/k8s/clusters/east/version", "/k8s/clusters/x/api"]
        {
            assert_eq!(told(&world, bare(path)).await.0, 401, "{path}");
        }
    }
}
