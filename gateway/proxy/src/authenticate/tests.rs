use std::sync::atomic::Ordering;
use std::time::Duration;

use http::request::Builder;
use tokio::task::JoinSet;

use super::*;
use crate::boundary::{Rejected, RequestLimits, Revocation, SnapshotConfig};
use crate::testing::{TOKEN, World, alice, request, snapshot_config};
use crate::{admit, body::Body};

/// Sends a request through the first two stages.
async fn authenticate(world: &World, request: Builder) -> Result<Authenticated, Refusal> {
    let incoming = world.incoming(request.body(Body::empty()).unwrap());
    let mut record = world.record(&incoming);
    let admit::Entry::Private(admitted) = admit::run(&world.gate, incoming, &mut record)? else { panic!("public") };
    run(&world.gate, admitted, &mut record).await
}

fn get() -> Builder {
    request("/k8s/clusters/east/api")
}

fn asked(world: &World) -> usize {
    world.resolve.asked.load(Ordering::SeqCst)
}

fn rejected(answer: Result<Authenticated, Refusal>) -> Rejected {
    match answer {
        Err(Refusal::Unauthenticated(rejected)) => rejected,
        other => panic!("{other:?}"),
    }
}

fn bare() -> Builder {
    http::Request::builder().uri("/k8s/clusters/east/api").header("host", "gw")
}

#[tokio::test]
async fn a_warm_credential_asks_nobody() {
    let world = World::new();
    for _ in 0..3 {
        let authenticated = authenticate(&world, get()).await.unwrap();
        assert_eq!(authenticated.caller().session().identity().username, "corp:alice");
    }
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn the_credential_goes_no_further() {
    let world = World::new();
    let authenticated = authenticate(&world, get()).await.unwrap();
    assert!(!authenticated.admitted().head().headers.contains_key("authorization"));
    assert!(!format!("{authenticated:?}").contains("secret"));
}

#[tokio::test]
async fn only_one_credential_of_a_known_form_is_taken() {
    let world = World::new();
    type Case = (&'static [Line], Rejected);
    let cases: [Case; 19] = [
        (&[], Rejected::Missing),
        (&[("cookie", "token=gwt-alice:secret")], Rejected::Missing),
        (&[("authorization", "Bearer")], Rejected::Malformed),
        (&[("authorization", "Bearer ")], Rejected::Malformed),
        (&[("authorization", "bearergwt-alice:secret")], Rejected::Malformed),
        (&[("authorization", "Bearer  gwt-alice:secret")], Rejected::Malformed),
        (&[("authorization", "Bearer gwt-alice:secret x")], Rejected::Malformed),
        (&[("authorization", "Bearer gwt-alice:secret\t")], Rejected::Malformed),
        (&[("authorization", "Basic Z3d0LWFsaWNlOnNlY3JldA==")], Rejected::Malformed),
        (&[("authorization", "Bearer gwt-alice")], Rejected::Malformed),
        (&[("authorization", "Bearer gwt-:secret")], Rejected::Malformed),
        (&[("authorization", "Bearer a.b.c")], Rejected::Malformed),
        (&[("authorization", "Bearer eyJh.eyJh.")], Rejected::Malformed),
        (&[("authorization", "Bearer eyJh.eyJh")], Rejected::Malformed),
        (&[("authorization", "Bearer eyJh.eyJh.c2ln.c2ln")], Rejected::Malformed),
        (&[("authorization", "Bearer eyJh.eyJh.c2l=")], Rejected::Malformed),
        (
            &[("authorization", "Bearer gwt-alice:secret"), ("authorization", "Bearer gwt-alice:secret")],
            Rejected::Several,
        ),
        // base64url of "gwt-alice:secret"
        (&[WEBSOCKET, ("authorization", "Bearer gwt-alice:secret")], Rejected::Several),
        (&[WEBSOCKET], Rejected::Malformed),
    ];
    for (lines, expected) in cases {
        let request = lines.iter().fold(bare(), |request, (name, value)| request.header(*name, *value));
        assert_eq!(rejected(authenticate(&world, request).await), expected, "{lines:?}");
    }
    let query = bare().uri(format!("/k8s/clusters/east/api?access_token={TOKEN}"));
    assert_eq!(rejected(authenticate(&world, query).await), Rejected::Missing);
    assert_eq!(asked(&world), 0, "none of them reached the resolver");
    let signed = bare().header("authorization", "Bearer eyJh.eyJh.c2ln");
    assert_eq!(rejected(authenticate(&world, signed).await), Rejected::Unknown);
    assert_eq!(asked(&world), 1, "three parts of base64url are for their verifier to refuse");
    assert!(authenticate(&world, bare().header("authorization", format!("bEaReR {TOKEN}"))).await.is_ok());
}

type Line = (&'static str, &'static str);

const WEBSOCKET: Line =
    ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.Z3d0LWFsaWNlOnNlY3JldA, v5.channel.k8s.io");

#[tokio::test]
async fn a_token_longer_than_any_of_ours_is_refused_unasked() {
    let world = World::new();
    let token = format!("Bearer gwt-alice:{}", "x".repeat(16 * 1024));
    assert_eq!(rejected(authenticate(&world, bare().header("authorization", token)).await), Rejected::Malformed);
    assert_eq!(asked(&world), 0);
}

#[tokio::test]
async fn an_entry_ends_with_its_token() {
    let world = World::new();
    authenticate(&world, get()).await.unwrap();
    world.time.pass(Duration::from_secs(3_600));
    world.revoke.heartbeat();
    assert_eq!(rejected(authenticate(&world, get()).await), Rejected::Expired);
    assert_eq!(asked(&world), 2);
}

#[tokio::test]
async fn a_revoked_token_is_not_served_from_the_cache() {
    let world = World::new();
    let authenticated = authenticate(&world, get()).await.unwrap();
    let unknown = Err(ResolveError::Unauthenticated(Rejected::Revoked));
    world.resolve.known.lock().unwrap().insert(TOKEN.to_owned(), unknown);
    world.revoke.send(&Revocation::User("u-alice".to_owned()));
    assert!(authenticated.caller().life().is_over(), "its streams end");
    assert_eq!(rejected(authenticate(&world, get()).await), Rejected::Revoked);
}

#[tokio::test]
async fn an_outage_is_not_the_credentials_fault() {
    let world = World::new();
    let away = Err(ResolveError::Unavailable { retry_after: Duration::from_secs(7) });
    world.resolve.known.lock().unwrap().insert(TOKEN.to_owned(), away);
    let refusal = authenticate(&world, get()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Unavailable { retry_after, .. } if retry_after == Duration::from_secs(7)));
    world.resolve.known.lock().unwrap().insert(TOKEN.to_owned(), Ok(alice("gwt-alice")));
    assert!(authenticate(&world, get()).await.is_ok(), "an error is not remembered");
}

#[tokio::test]
async fn a_warm_credential_is_refused_when_revocations_cannot_be_read() {
    let world = World::new();
    authenticate(&world, get()).await.unwrap();
    world.time.pass(Duration::from_secs(61));
    assert!(matches!(authenticate(&world, get()).await, Err(Refusal::Unavailable { .. })));
    world.revoke.heartbeat();
    assert!(authenticate(&world, get()).await.is_ok());
}

/// Lets everything that can run do so.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn many_requests_with_one_credential_are_one_lookup() {
    let world = Arc::new(World::new());
    let held = world.resolve.turns.forget_permits(usize::MAX >> 3);
    let mut all = JoinSet::new();
    for _ in 0..100 {
        let world = Arc::clone(&world);
        all.spawn(async move { authenticate(&world, get()).await.is_ok() });
    }
    settle().await;
    assert_eq!(asked(&world), 1);
    world.resolve.turns.add_permits(held);
    assert!(all.join_all().await.into_iter().all(|ok| ok));
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn the_first_to_ask_may_give_up_without_harm_to_the_others() {
    let world = Arc::new(World::new());
    let held = world.resolve.turns.forget_permits(usize::MAX >> 3);
    let mut all = JoinSet::new();
    let mut spawn = || {
        let world = Arc::clone(&world);
        all.spawn(async move { authenticate(&world, get()).await.is_ok() })
    };
    let first = spawn();
    settle().await;
    spawn();
    settle().await;
    first.abort();
    assert!(all.join_next().await.unwrap().unwrap_err().is_cancelled());
    world.resolve.turns.add_permits(held);
    assert!(all.join_next().await.unwrap().unwrap());
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn an_answer_that_raced_a_revocation_is_asked_for_again() {
    let world = Arc::new(World::new());
    let held = world.resolve.turns.forget_permits(usize::MAX >> 3);
    let mut request = JoinSet::new();
    let shared = Arc::clone(&world);
    request.spawn(async move { authenticate(&shared, get()).await.is_ok() });
    settle().await;
    world.revoke.send(&Revocation::Session("s-1".to_owned()));
    world.resolve.turns.add_permits(held);
    assert!(request.join_next().await.unwrap().unwrap());
    assert_eq!(asked(&world), 2);
}

#[tokio::test]
async fn guesses_from_one_address_are_slowed_and_warm_callers_there_are_not() {
    let world = World::new();
    authenticate(&world, get()).await.unwrap();
    let guess = || bare().header("authorization", "Bearer gwt-alice:guess");
    let burst = world.gate.common.snapshot.load().limits().source_failure_burst;
    for _ in 0..burst {
        assert_eq!(rejected(authenticate(&world, guess()).await), Rejected::Unknown);
    }
    let before = asked(&world);
    assert!(matches!(authenticate(&world, guess()).await, Err(Refusal::TooMany { .. })));
    assert_eq!(asked(&world), before, "not even asked");
    assert!(authenticate(&world, get()).await.is_ok());
}

#[tokio::test]
async fn a_warm_credential_is_asked_for_again_after_a_while_and_its_streams_run_on() {
    let world = World::new();
    let first = authenticate(&world, get()).await.unwrap();
    world.time.pass(Duration::from_secs(239));
    world.revoke.heartbeat();
    authenticate(&world, get()).await.unwrap();
    assert_eq!(asked(&world), 1);
    world.time.pass(Duration::from_secs(122));
    world.revoke.heartbeat();
    authenticate(&world, get()).await.unwrap();
    assert_eq!(asked(&world), 2);
    assert!(!first.caller().life().is_over());
    let stale = Err(crate::boundary::ResolveError::Unavailable { retry_after: Duration::from_secs(5) });
    world.resolve.known.lock().unwrap().insert(TOKEN.to_owned(), stale);
    world.time.pass(Duration::from_secs(600));
    world.revoke.heartbeat();
    assert!(matches!(authenticate(&world, get()).await, Err(Refusal::Unavailable { .. })));
    assert!(!first.caller().life().is_over(), "the token is not at fault");
}

#[tokio::test]
async fn a_known_caller_is_served_on_while_the_store_is_busy_and_not_for_ever() {
    let world = World::new();
    authenticate(&world, get()).await.unwrap();
    let busy = || Err(ResolveError::Unavailable { retry_after: Duration::from_secs(5) });
    world.resolve.known.lock().unwrap().insert(TOKEN.to_owned(), busy());
    world.time.pass(Duration::from_secs(599));
    world.revoke.heartbeat();
    authenticate(&world, get()).await.unwrap();
    assert_eq!(asked(&world), 2, "the store was asked first");
    world.time.pass(Duration::from_secs(1));
    assert!(matches!(authenticate(&world, get()).await, Err(Refusal::Unavailable { .. })));
}

#[tokio::test]
async fn nobody_whose_session_changed_is_served_while_the_store_is_busy() {
    let world = World::new();
    authenticate(&world, get()).await.unwrap();
    world.resolve.known.lock().unwrap().insert(TOKEN.to_owned(), Err(ResolveError::Overloaded));
    world.revoke.send(&Revocation::SessionChanged { session: "s-1".into(), lost: false });
    assert!(matches!(authenticate(&world, get()).await, Err(Refusal::TooMany { .. })));
}

#[tokio::test]
async fn whoever_guesses_from_an_address_shuts_out_nobody_who_is_known_there() {
    let limits = RequestLimits { source_failure_rate: 1, source_failure_burst: 2, ..RequestLimits::default() };
    let world = World::with(SnapshotConfig { limits, ..snapshot_config() });
    authenticate(&world, get()).await.unwrap();
    world.time.pass(Duration::from_secs(361));
    world.revoke.heartbeat();
    let guess = || bare().header("authorization", "Bearer gwt-x:y");
    while !matches!(authenticate(&world, guess()).await, Err(Refusal::TooMany { .. })) {}
    authenticate(&world, get()).await.unwrap();
    assert_eq!(asked(&world), 4, "two guesses, and alice twice");
}
