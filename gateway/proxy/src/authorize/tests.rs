use http::request::Builder;

use super::*;
use crate::boundary::{GrantConfig, RequestLimits, SnapshotConfig};
use crate::refusal::{About, Surface};
use crate::testing::{TOKEN, World, alice, request, snapshot_config};
use crate::{admit, authenticate, body::Body};

/// Sends a request through the first three stages.
async fn authorize(world: &World, request: Builder) -> Result<(Permitted, Record), Refusal> {
    let incoming = world.incoming(request.body(Body::empty()).unwrap());
    let mut record = world.record(&incoming);
    let admit::Entry::Private(admitted) = admit::run(&world.gate, incoming, &mut record)? else { panic!("public") };
    let authenticated = authenticate::run(&world.gate, admitted, &mut record).await?;
    Ok((run(&world.gate, authenticated, &mut record)?, record))
}

async fn refused(world: &World, request: Builder) -> Option<Refusal> {
    authorize(world, request).await.err()
}

fn star() -> GrantConfig {
    GrantConfig { subjects: vec!["corp:dev".to_owned()], clusters: vec!["*".to_owned()], read_only: false }
}

fn scoped(scope: Scope) -> World {
    let world = World::new();
    let resolved = crate::boundary::Resolved { scope, ..alice("gwt-alice") };
    world.resolve.known.lock().unwrap().insert(TOKEN.to_owned(), Ok(resolved));
    world
}

#[tokio::test]
async fn a_cluster_without_a_grant_and_one_that_is_not_there_are_refused_alike() {
    let world = World::new();
    assert!(refused(&world, request("/k8s/clusters/east/api")).await.is_none());
    let mut answers = Vec::new();
    for id in ["west", "nope"] {
        let refusal = refused(&world, request(&format!("/k8s/clusters/{id}/api"))).await.unwrap();
        let status = refusal.status(About {
            surface: Surface::Cluster,
            user: Some("corp:alice"),
            asked: None,
            discovers: false,
        });
        answers.push(String::from_utf8(status.to_json().to_vec()).unwrap().replace(id, "<id>"));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].contains("403") && answers[0].contains("Ask the platform team."), "{}", answers[0]);
}

#[tokio::test]
async fn a_star_grant_opens_no_cluster_that_is_not_there() {
    let world = World::with(SnapshotConfig { grants: vec![star()], ..snapshot_config() });
    assert!(refused(&world, request("/k8s/clusters/west/api")).await.is_none());
    assert!(matches!(refused(&world, request("/k8s/clusters/nope/api")).await, Some(Refusal::NoGrant { .. })));
}

#[tokio::test]
async fn a_request_under_way_at_a_reload_is_judged_by_what_holds_then() {
    for config in [
        SnapshotConfig { grants: Vec::new(), ..snapshot_config() },
        SnapshotConfig { clusters: Vec::new(), grants: vec![star()], ..snapshot_config() },
    ] {
        let world = World::new();
        let incoming = world.incoming(request("/k8s/clusters/east/api").body(Body::empty()).unwrap());
        let mut record = world.record(&incoming);
        let Ok(admit::Entry::Private(admitted)) = admit::run(&world.gate, incoming, &mut record) else {
            panic!("not admitted")
        };
        let authenticated = authenticate::run(&world.gate, admitted, &mut record).await.unwrap();
        world.gate.common.snapshot.store(Arc::new(Snapshot::build(config).unwrap()));
        assert!(matches!(run(&world.gate, authenticated, &mut record), Err(Refusal::NoGrant { .. })));
    }
}

#[tokio::test]
async fn a_reload_that_takes_a_grant_away_acts_at_once() {
    let world = World::new();
    assert!(refused(&world, request("/k8s/clusters/east/api")).await.is_none());
    let closed = Snapshot::build(SnapshotConfig { grants: Vec::new(), ..snapshot_config() }).unwrap();
    world.gate.common.snapshot.store(Arc::new(closed));
    assert!(matches!(refused(&world, request("/k8s/clusters/east/api")).await, Some(Refusal::NoGrant { .. })));
}

#[tokio::test]
async fn a_scope_narrows_what_a_grant_gives() {
    let world = scoped(Scope { upstreams: Some(vec!["west".to_owned()]), read_only: false, ..Scope::default() });
    for id in ["east", "west"] {
        assert!(refused(&world, request(&format!("/k8s/clusters/{id}/api"))).await.is_some(), "{id}");
    }
}

#[tokio::test]
async fn read_only_access_reads_and_opens_nothing() {
    let world = scoped(Scope { upstreams: None, read_only: true, ..Scope::default() });
    let ask = |method: &str, path: &str| request(&format!("/k8s/clusters/east{path}")).method(method);
    for (method, path) in [
        ("GET", "/api/v1/pods"),
        ("GET", "/api/v1/pods?watch=1"),
        ("GET", "/api/v1/namespaces/x/pods/y/log"),
        ("GET", "/version"),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    ] {
        assert!(refused(&world, ask(method, path)).await.is_none(), "{method} {path}");
    }
    for (method, path) in [
        ("POST", "/api/v1/namespaces/x/pods"),
        ("DELETE", "/api/v1/namespaces/x/pods/y"),
        ("PATCH", "/api/v1/namespaces/x/pods/y"),
        ("PUT", "/api/v1/namespaces/x/pods/y"),
        ("OPTIONS", "/api/v1/namespaces/x/pods/y"),
        ("POST", "/version"),
        ("POST", "/api/v1/watch/pods"),
        ("DELETE", "/api/v1/watch/namespaces/x/pods/y"),
        ("GET", "/api/v1/namespaces/x/pods/y/exec?command=sh"),
        ("GET", "/api/v1/namespaces/x/pods/y/attach"),
        ("GET", "/api/v1/namespaces/x/pods/y/portforward"),
        ("GET", "/api/v1/namespaces/x/pods/y/proxy/"),
        ("GET", "/api/v1/nodes/n/proxy/run/x"),
        ("GET", "/api/v1/proxy/nodes/n/run"),
        ("GET", "/api/v1/proxy/namespaces/x/pods/y"),
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/namespaces/x/secrets/y"),
        ("GET", "/api/v1/watch/secrets"),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews"),
        ("POST", "/api/v1/namespaces/x/serviceaccounts/y/token"),
    ] {
        assert!(matches!(refused(&world, ask(method, path)).await, Some(Refusal::OutOfScope(_))), "{method} {path}");
    }
}

#[tokio::test]
async fn a_narrowed_token_only_reads_the_management_api_and_may_end_itself() {
    let world = scoped(Scope { upstreams: Some(vec!["east".to_owned()]), ..Scope::default() });
    assert!(refused(&world, request("/api/v1/me")).await.is_none());
    assert!(refused(&world, request("/api/v1/tokens/current").method("DELETE")).await.is_none());
    assert!(refused(&world, request("/api/v1/tokens").method("POST")).await.is_some());
    assert!(refused(&world, request("/api/v1/tokens/other").method("DELETE")).await.is_some());
}

#[tokio::test]
async fn a_token_for_a_cluster_reaches_that_cluster_and_neither_another_nor_the_api() {
    let scope = Scope { upstreams: Some(vec!["east".to_owned()]), read_only: false, clusters_only: true };
    let world = scoped(scope);
    assert!(refused(&world, request("/k8s/clusters/east/api")).await.is_none());
    assert!(refused(&world, request("/k8s/clusters/west/api")).await.is_some());
    for (method, path) in [("GET", "/api/v1/me"), ("GET", "/api/v1/clusters"), ("DELETE", "/api/v1/tokens/current")] {
        let refusal = refused(&world, request(path).method(method)).await;
        assert!(matches!(refusal, Some(Refusal::OutOfScope(_))), "{method} {path}");
    }
}

#[tokio::test]
async fn one_user_has_so_many_requests_at_once_and_gives_each_back() {
    let limits = RequestLimits { user_in_flight: 2, user_long_running: 1, ..RequestLimits::default() };
    let world = World::with(SnapshotConfig { limits, ..snapshot_config() });
    let short = || request("/k8s/clusters/east/api");
    let running = [authorize(&world, short()).await, authorize(&world, short()).await];
    assert!(running.iter().all(Result::is_ok));
    assert!(matches!(refused(&world, short()).await, Some(Refusal::TooMany { .. })));
    let watch = || request("/k8s/clusters/east/api/v1/pods?watch=1");
    let watching = authorize(&world, watch()).await;
    assert!(watching.is_ok(), "watches count apart");
    assert!(matches!(refused(&world, watch()).await, Some(Refusal::TooMany { .. })));
    drop(running);
    assert!(refused(&world, short()).await.is_none());
}

#[tokio::test]
async fn one_user_has_a_rate() {
    let limits = RequestLimits { user_rate: 1, user_burst: 3, ..RequestLimits::default() };
    let world = World::with(SnapshotConfig { limits, ..snapshot_config() });
    for _ in 0..3 {
        assert!(refused(&world, request("/k8s/clusters/east/api")).await.is_none());
    }
    let Some(Refusal::TooMany { retry_after, .. }) = refused(&world, request("/k8s/clusters/east/api")).await else {
        panic!("not refused")
    };
    world.time.pass(retry_after);
    assert!(refused(&world, request("/k8s/clusters/east/api")).await.is_none());
}

#[tokio::test]
async fn a_name_that_a_cluster_keeps_to_itself_does_not_enter_it() {
    let mut config = snapshot_config();
    config.clusters[0].reserved = vec!["corp:al*".to_owned()];
    let world = World::with(config);
    assert!(matches!(refused(&world, request("/k8s/clusters/east/api")).await, Some(Refusal::MayNotActAs(_))));
}
