//! The gateway's own API, as the last stop of the same pipeline.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderName, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::admit::{Asked, Public, Unfinished};
use crate::audit::{self, Record};
use crate::authorize::Managed;
use crate::body::Body;
use crate::boundary::{Front, ManagementRequest, Noted, Resolved};
use crate::gate::Gate;
use crate::impersonate::is_identity_or_hop;
use crate::refusal::Refusal;
use crate::relay::named_by_connection;

/// Hands on a request that asks nobody who it is from.
pub(crate) async fn open(gate: &Gate, public: Public, record: &mut Record) -> Result<Response<Body>, Refusal> {
    let unpaid = public.unpaid();
    let (front, asked) = public.into_request();
    let place = if asked.body.is_end_stream() { None } else { Some(asked.peer.source().body_begins()?) };
    let answer = call_with(gate, front, (arrived(asked, place).await?, None), record).await?;
    if let Some(peer) = unpaid.filter(|_| answer.status().is_client_error()) {
        let (now, snapshot) = (gate.common.time.monotonic(), gate.common.snapshot.load());
        // Somebody who has nothing left is refused at the next one.
        let _ = peer.source().take_failure(now, snapshot.limits());
    }
    Ok(answer)
}

/// Hands on a caller's request.
pub(crate) async fn call(gate: &Gate, managed: Managed, record: &mut Record) -> Result<Response<Body>, Refusal> {
    let (admitted, caller) = managed.into_parts();
    // How many of these arrive at once is bounded by what one user may have in flight.
    let asked = arrived(admitted.into_request(), None).await?;
    call_with(gate, Front::Api, (asked, Some(Arc::clone(caller.resolved()))), record).await
}

/// The largest body that the API reads, and one byte by which it sees that there is more.
const MOST_BODY: usize = 16 * 1024 + 1;
/// A body of 16 KiB that takes longer is held back on purpose.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Waits for the whole body, so that one that drips in holds a place here and none in the API behind.
async fn arrived(asked: Asked, _place: Option<Unfinished>) -> Result<Asked, Refusal> {
    let Asked { head, body, upgrade, peer } = asked;
    let late = |_elapsed| Refusal::bad_request("the body did not arrive in time");
    let body = match body.is_end_stream() {
        true => body,
        false => timeout(BODY_DEADLINE, whole(body)).await.map_err(late)??,
    };
    Ok(Asked { head, body, upgrade, peer })
}

async fn whole(body: Body) -> Result<Body, Refusal> {
    let (mut body, mut bytes) = (pin!(body), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::bad_request("the body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        bytes.extend_from_slice(data.get(..MOST_BODY - bytes.len()).unwrap_or(data));
        if bytes.len() >= MOST_BODY {
            break;
        }
    }
    Ok(Body::full(bytes))
}

async fn call_with(
    gate: &Gate,
    front: Front,
    (mut asked, caller): (Asked, Option<Arc<Resolved>>),
    record: &mut Record,
) -> Result<Response<Body>, Refusal> {
    if asked.head.headers.keys().any(kube_wire::header::is_impersonation) {
        return Err(Refusal::bad_request("nobody can act as another here"));
    }
    strip(&mut asked.head, front);
    audit::before_sending(gate, record).await?;
    let snapshot = gate.common.snapshot.load();
    let reasons = caller.as_ref().map(|caller| snapshot.reasons(&caller.session)).unwrap_or_default();
    let open = caller.as_ref().map(|caller| snapshot.open_to(&caller.session)).unwrap_or_default();
    // A token that was narrowed for a machine does not carry its owner's office.
    let office = |caller: &Arc<Resolved>| !caller.scope.is_narrowed() && snapshot.is_administrator(&caller.session);
    let is_administrator = caller.as_ref().is_some_and(office);
    let request = ManagementRequest {
        reasons,
        open,
        is_administrator,
        front,
        head: asked.head,
        body: asked.body,
        caller,
        audit_id: record.audit_id().to_owned(),
        client: asked.peer.ip(),
    };
    let limit = snapshot.limits().response_timeout;
    drop(snapshot);
    record.asks();
    let answer = timeout(limit, gate.common.management.call(request)).await;
    record.hears();
    let mut answer = answer.map_err(|_elapsed| Refusal::TimedOut { cluster: "management".into() })?;
    record.notes(answer.extensions_mut().remove::<Noted>());
    Ok(answer)
}

/// Leaves nothing by which the API behind could be told another caller or another address than ours.
fn strip(head: &mut Parts, front: Front) {
    let credentials = [AUTHORIZATION, COOKIE];
    let mut unwanted: Vec<HeaderName> = head.headers.keys().filter(|name| is_identity_or_hop(name)).cloned().collect();
    if front == Front::Console {
        // A cookie says which browser it is, a token whom `userinfo` is about: both are the issuer's own.
        unwanted.retain(|name| !credentials.contains(name));
    }
    unwanted.extend(named_by_connection(&head.headers));
    for name in unwanted {
        head.headers.remove(name);
    }
    head.extensions.clear();
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use futures_util::{FutureExt, StreamExt, stream};
    use http::Request;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use hyper::body::Bytes;

    use super::*;
    use crate::admit::{Incoming, Peer};
    use crate::body::BoxError;
    use crate::boundary::{RequestLimits, Revocation, Scope};
    use crate::pipeline::answer;
    use crate::testing::{World, alice, snapshot_config};

    /// A login's body as far as it came, and what comes then.
    fn body(
        first: &'static [u8],
        rest: impl stream::Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static,
    ) -> Body {
        Body::boxed(StreamBody::new(stream::iter([Ok(Frame::data(Bytes::from_static(first)))]).chain(rest)))
    }

    fn from(world: &World, host: u8, method: &str, path: &str, body: Body) -> Incoming {
        let peer = Peer::new(&world.gate.common, SocketAddr::from(([192, 0, 2, host], 40_000)), None);
        let request = Request::builder().method(method).uri(path).header("host", "gw").body(body).unwrap();
        Incoming::rehearsed(request, Arc::new(peer))
    }

    const LOGIN: &str = "/api/v1/providers/corp/login";

    #[tokio::test]
    async fn bodies_that_drip_in_take_up_their_own_address_and_nothing_behind() {
        let world = World::new();
        let slow = || from(&world, 1, "POST", LOGIN, body(b"{", stream::pending()));
        let mut dripping: Vec<_> = (0..128).map(|_| Box::pin(answer(&world.gate, slow()))).collect();
        assert!(dripping.iter_mut().all(|answer| answer.now_or_never().is_none()), "the API was asked too soon");
        assert_eq!(answer(&world.gate, slow()).await.status(), 429);
        let health = answer(&world.gate, from(&world, 1, "GET", "/api/v1/health", Body::empty())).await;
        assert_eq!(health.status(), 200);
        let login = || from(&world, 2, "POST", LOGIN, Body::full("{}"));
        assert_eq!(answer(&world.gate, login()).await.status(), 200);
        dripping.pop();
        let next = answer(&world.gate, slow()).now_or_never();
        assert!(next.is_none(), "a place that was given back is free");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_in_time_is_given_up() {
        let world = World::new();
        let slow = from(&world, 1, "POST", LOGIN, body(b"{", stream::pending()));
        assert_eq!(answer(&world.gate, slow).await.status(), 400);
    }

    #[tokio::test]
    async fn a_body_without_end_is_read_no_further_than_the_api_would() {
        let endless = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[b'x'; 1_000]))));
        let read = whole(body(b"", endless)).await.unwrap().collect().await.unwrap().to_bytes();
        assert_eq!(read.len(), 16 * 1024 + 1, "the API sees that it is too large");
        let broken = stream::iter([Err("gone".into())]);
        assert!(whole(body(b"{", broken)).await.is_err());
    }

    #[tokio::test]
    async fn a_flood_of_health_checks_keeps_nobody_from_logging_in() {
        let limits = RequestLimits { source_failure_rate: 1, source_failure_burst: 1, ..RequestLimits::default() };
        let world = World::with(crate::boundary::SnapshotConfig { limits, ..snapshot_config() });
        let health = || from(&world, 1, "GET", "/api/v1/health", Body::empty());
        assert_eq!(answer(&world.gate, health()).await.status(), 200);
        assert_eq!(answer(&world.gate, health()).await.status(), 429);
        let login = || from(&world, 1, "POST", LOGIN, Body::empty());
        assert_eq!(answer(&world.gate, login()).await.status(), 200);
        assert_eq!(answer(&world.gate, login()).await.status(), 429, "and logins are counted, too");
    }

    #[tokio::test]
    async fn an_office_comes_of_the_configuration_and_goes_with_no_narrowed_token() {
        let administrators = vec!["corp:dev".to_owned()];
        let world = World::with(crate::boundary::SnapshotConfig { administrators, ..snapshot_config() });
        let told = async |world: &World, scope: Scope| {
            let resolved = Resolved { scope, ..alice("gwt-alice") };
            world.resolve.known.lock().unwrap().insert("gwt-other:secret".to_owned(), Ok(resolved));
            world.revoke.send(&Revocation::Token("gwt-alice".into()));
            let request =
                Request::get("/api/v1/me").header("host", "gw").header("authorization", "Bearer gwt-other:secret");
            let response = answer(&world.gate, world.incoming(request.body(Body::empty()).unwrap())).await;
            String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
        };
        assert_eq!(told(&world, Scope::default()).await, "u-alice (administrator) ");
        assert_eq!(told(&World::new(), Scope::default()).await, "u-alice ");
        for scope in [
            Scope { upstreams: Some(vec!["east".to_owned()]), ..Scope::default() },
            Scope { read_only: true, ..Scope::default() },
        ] {
            assert_eq!(told(&world, scope).await, "u-alice ");
        }
    }

    fn with_console() -> World {
        let console = Some("console.test".to_owned());
        World::with(crate::boundary::SnapshotConfig { console, ..snapshot_config() })
    }

    #[tokio::test]
    async fn the_console_reads_cookies_and_tokens_and_nobody_s_claims() {
        let world = with_console();
        let told = async |host: &str, path: &str| {
            let lines = ["authorization", "cookie", "x-remote-user", "x-forwarded-for", "connection", "accept"];
            let request = Request::get(path).header("host", host);
            let request = lines.iter().fold(request, |request, name| request.header(*name, "x"));
            let incoming = world.incoming(request.body(Body::empty()).unwrap());
            let response = answer(&world.gate, incoming).await;
            let status = response.status().as_u16();
            (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
        };
        let seen = told("console.test", "/login").await;
        assert_eq!(seen, (200, "nobody accept,authorization,cookie".to_owned()));
        // The API takes neither of them there, and nothing else is on that host.
        assert_eq!(told("gw", "/api/v1/providers").await, (200, "nobody accept".to_owned()));
        assert_eq!(told("console.test", "/k8s/clusters/east/api").await.1, "nobody accept,authorization,cookie");
        // Browsers carry an ID token to one place, and a token of ours to no other.
        let hint = "id_token_hint=eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJi.c2lnbmF0dXJl";
        assert!(told("console.test", &format!("/oidc/logout?{hint}")).await.1.starts_with("nobody "));
        for (host, path) in [("console.test", "/login"), ("console.test", "/oidc/logout/x"), ("gw", "/oidc/logout")] {
            assert!(!told(host, &format!("{path}?{hint}")).await.1.starts_with("nobody "), "{host} {path}");
        }
    }

    #[tokio::test]
    async fn notices_of_logouts_are_free_and_those_that_prove_nothing_are_guesses() {
        let limits = RequestLimits { source_failure_rate: 1, source_failure_burst: 2, ..RequestLimits::default() };
        let console = Some("gw".to_owned());
        let world = World::with(crate::boundary::SnapshotConfig { limits, console, ..snapshot_config() });
        let told = async |host: u8, path: &str| {
            answer(&world.gate, from(&world, host, "POST", path, Body::full("logout_token=x"))).await.status().as_u16()
        };
        for _ in 0..20 {
            assert_eq!(told(1, "/backchannel-logout/sso").await, 200, "a site that logs all its people out");
        }
        assert_eq!(told(1, "/backchannel-logout/refused").await, 400);
        assert_eq!(told(1, "/backchannel-logout/refused").await, 400);
        for path in ["/backchannel-logout/refused", "/backchannel-logout/sso", "/login"] {
            assert_eq!(told(1, path).await, 429, "{path}");
        }
        assert_eq!(told(2, "/backchannel-logout/sso").await, 200, "from elsewhere");
    }

    #[tokio::test]
    async fn a_password_on_a_page_is_a_guess_and_a_token_of_the_issuer_is_none() {
        let limits = RequestLimits { source_failure_rate: 1, source_failure_burst: 1, ..RequestLimits::default() };
        let console = Some("gw".to_owned());
        let world = World::with(crate::boundary::SnapshotConfig { limits, console, ..snapshot_config() });
        let post = async |path: &str| {
            answer(&world.gate, from(&world, 1, "POST", path, Body::empty())).await.status().as_u16()
        };
        assert_eq!((post("/login").await, post("/device").await), (200, 429), "both count as guesses");
        assert_eq!((post("/oidc/token").await, post("/oidc/token").await), (200, 429));
    }
}
