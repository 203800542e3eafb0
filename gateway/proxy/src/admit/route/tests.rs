use http::{Method, Request};
use proptest::prelude::*;

use super::*;
use crate::boundary::SnapshotConfig;
use crate::testing::{World, snapshot_config};

fn find_on(host: &str, path: &str, server_name: Option<&str>) -> Result<Target, Refusal> {
    let console = Some("console.example.org".to_owned());
    let hosts = vec!["gw.example.org".to_owned()];
    let world = World::with(SnapshotConfig { hosts, console, ..snapshot_config() });
    let head = Request::builder().uri(path).body(()).unwrap().into_parts().0;
    find(&world.gate.common.snapshot.load(), &head, host, &world.peer(server_name))
}

fn routed(path: &str) -> Result<(String, String), Refusal> {
    match find_on("gw.example.org", path, None)? {
        Target::Cluster { place, path } => Ok((place.id().to_owned(), path.to_string())),
        Target::Management { path } => Ok(("management".to_owned(), path.to_string())),
        Target::Console { path } => Ok(("console".to_owned(), path.to_string())),
    }
}

#[test]
fn the_bytes_after_the_prefix_are_the_clients() {
    for (path, rest) in [
        ("/k8s/clusters/east", "/"),
        ("/k8s/clusters/east/", "/"),
        ("/k8s/clusters/east?x=1", "/?x=1"),
        ("/k8s/clusters/east/api/v1/pods?watch=1&watch=0;%zz", "/api/v1/pods?watch=1&watch=0;%zz"),
        ("/k8s/clusters/east/a%2Fb/;c//d", "/a%2Fb/;c//d"),
    ] {
        assert_eq!(routed(path).unwrap(), ("east".to_owned(), rest.to_owned()));
    }
    assert_eq!(routed("/api/v1/me?x").unwrap(), ("management".to_owned(), "/api/v1/me?x".to_owned()));
}

#[test]
fn what_is_no_cluster_id_is_not_found() {
    for path in [
        "/k8s/clusters/",
        "/k8s/clusters//api",
        "/k8s/clusters/East/api",
        "/k8s/clusters/%65ast",
        "/k8s/clusters/../api",
        "/k8s/clusters/east%2Fapi",
        "/k8s/clusters/east./api",
        "//k8s/clusters/east",
        "/K8s/clusters/east",
        "/",
        "/api",
        "/api/v1x",
        "/k8s/clusters",
        "/version",
    ] {
        assert!(matches!(routed(path), Err(Refusal::NotFound)), "{path}");
    }
}

#[test]
fn a_cluster_has_its_own_host() {
    let Ok(Target::Cluster { place, path }) = find_on("east.k8s.example.org", "/api/v1/pods", None) else { panic!() };
    assert_eq!((place.id(), path.as_str()), ("east", "/api/v1/pods"));
    let other_name = find_on("east.k8s.example.org", "/api", Some("west.k8s.example.org"));
    assert!(matches!(other_name, Err(Refusal::Misdirected)), "a connection made for another name");
    assert!(matches!(find_on("evil.example.org", "/api/v1/me", None), Err(Refusal::Misdirected)));
}

#[test]
fn the_console_has_a_host_of_its_own_and_nothing_else_is_there() {
    for path in ["/", "/login?flow=x", "/oidc/token", "/api/v1/me", "/k8s/clusters/east/api"] {
        let found = find_on("console.example.org", path, Some("console.example.org"));
        let Ok(Target::Console { path: kept }) = found else { panic!("{path}: {found:?}") };
        assert_eq!(kept.as_str(), path);
    }
    for path in ["/login", "/oidc/token", "/"] {
        assert!(matches!(routed(path), Err(Refusal::NotFound)), "{path} on the host of the clusters");
    }
    let other_name = find_on("console.example.org", "/login", Some("gw.example.org"));
    assert!(matches!(other_name, Err(Refusal::Misdirected)), "a connection made for the clusters");
    assert_eq!(routed("/.well-known/oauth-protected-resource").unwrap().0, "management");
}

fn path_is_clear(path: &str) -> bool {
    RequestInfo::parse(&Method::GET, path, None).is_ok_and(|info| check_path(path, &info).is_ok())
}

#[test]
fn a_path_that_could_be_walked_differently_is_refused() {
    for path in [
        "/api/../x",
        "/api/./x",
        "/api/%2e%2e/x",
        "/api/.%2E/x",
        "/api/..;/x",
        "/api/..;a=b/x",
        "/api/..",
        "/a\\..\\b",
        "/api/%5c..",
        "/api//v1/pods",
        "//api",
        "/api/v1/namespaces/a%2fb/pods",
        "/api/v1/pods/%00",
        "/api/%0d%0a",
        "/api/v1/namespaces/x/pods/y/proxy/../../../secrets",
        "/api/v1/namespaces/x/pods/y/proxy/%2e%2e/x",
        "/api/v1/namespaces/x/pods/y/proxy/..%5c..",
    ] {
        assert!(!path_is_clear(path), "{path}");
    }
    for path in [
        "/",
        "/api/v1/pods",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
        "/openapi/v3/apis/a...b",
        "/api/v1/namespaces/x/services/https:y:z/proxy/a%2Fb;c//d",
        "/api/v1/namespaces/x/pods/y/proxy/%ED%95%9C",
    ] {
        assert!(path_is_clear(path), "{path}");
    }
}

proptest! {
    #[test]
    fn a_path_that_passes_holds_no_dot_segment_however_often_it_is_decoded(path in "/(api|%2e|%2E|\\.|/|%2f|;|a|%25|%5c){0,12}") {
        if path_is_clear(&path) {
            let decoded = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
            for text in [path.as_str(), decoded.as_str()] {
                prop_assert!(!text.split(['/', '\\']).any(|segment| segment == ".." || segment == "."), "{text}");
            }
        }
    }
}
