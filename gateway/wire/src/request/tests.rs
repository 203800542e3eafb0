//! Kubernetes' rules as a table, and the parser against arbitrary bytes.

use http::Method;
use proptest::prelude::*;

use super::{PathFault, RequestInfo};

fn parse(method: &str, target: &str) -> RequestInfo {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    RequestInfo::parse(&method, path, query).unwrap()
}

/// `verb group/version namespace resource/subresource name`, with `-` for none.
fn told(info: &RequestInfo) -> String {
    if !info.is_resource_request {
        return format!("{} {}", info.verb, info.path);
    }
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let resource = if info.subresource.is_empty() {
        or_dash(&info.resource)
    } else {
        format!("{}/{}", info.resource, info.subresource)
    };
    let group = if info.api_group.is_empty() { "core" } else { &info.api_group };
    let verb = or_dash(&info.verb);
    format!("{verb} {group}/{} {} {resource} {}", info.api_version, or_dash(&info.namespace), or_dash(&info.name))
}

#[test]
fn paths_mean_what_the_api_server_reads_in_them() {
    for (method, target, expected) in [
        ("GET", "/api/v1/namespaces", "list core/v1 - namespaces -"),
        ("GET", "/api/v1/namespaces/dev", "get core/v1 dev namespaces dev"),
        ("PUT", "/api/v1/namespaces/dev/status", "update core/v1 dev namespaces/status dev"),
        ("PUT", "/api/v1/namespaces/dev/finalize", "update core/v1 dev namespaces/finalize dev"),
        ("GET", "/api/v1/namespaces/dev/pods", "list core/v1 dev pods -"),
        ("GET", "/api/v1/namespaces/dev/pods/p", "get core/v1 dev pods p"),
        ("HEAD", "/api/v1/namespaces/dev/pods/p", "get core/v1 dev pods p"),
        ("HEAD", "/api/v1/pods", "list core/v1 - pods -"),
        ("GET", "/api/v1/pods", "list core/v1 - pods -"),
        ("GET", "/api/v1/nodes/n/proxy/exec/x", "get core/v1 - nodes/proxy n"),
        ("POST", "/api/v1/namespaces/dev/pods/p/exec", "create core/v1 dev pods/exec p"),
        ("GET", "/api/v1/namespaces/dev/pods/p/log", "get core/v1 dev pods/log p"),
        ("DELETE", "/api/v1/namespaces/dev/pods/p", "delete core/v1 dev pods p"),
        ("DELETE", "/api/v1/namespaces/dev/pods", "deletecollection core/v1 dev pods -"),
        (
            "DELETE",
            "/api/v1/namespaces/dev/pods?fieldSelector=metadata.name%3Dp",
            "deletecollection core/v1 dev pods -",
        ),
        ("PATCH", "/apis/apps/v1/namespaces/dev/deployments/d/scale", "patch apps/v1 dev deployments/scale d"),
        ("GET", "/apis/example.org/v1/things/t", "get example.org/v1 - things t"),
        ("GET", "/apis/example.org/v1/namespaces/dev/things/t", "get example.org/v1 dev things t"),
        ("GET", "/apis/example.org/v1/namespaces/dev", "get example.org/v1 dev namespaces dev"),
        ("GET", "/api/v1/watch/pods", "watch core/v1 - pods -"),
        ("GET", "/api/v1/watch/namespaces/dev/pods/p", "watch core/v1 dev pods p"),
        ("DELETE", "/api/v1/watch/pods", "watch core/v1 - pods -"),
        ("GET", "/api/v1/proxy/namespaces/dev/services/s/x/y", "proxy core/v1 dev services s"),
        ("POST", "/apis/g/v1/proxy/things/t/exec", "proxy g/v1 - things t"),
        ("TRACE", "/api/v1/pods", "- core/v1 - pods -"),
        ("get", "/api/v1/pods", "- core/v1 - pods -"),
        ("GET", "//api/v1/pods/", "list core/v1 - pods -"),
        ("GET", "/api/v1//pods", "get core/v1 - - pods"),
        ("GET", "/api/v1/namespaces//pods", "list core/v1 - pods -"),
        ("GET", "/api/v1/namespaces/dev%2Fpods/p", "get core/v1 dev pods p"),
        ("GET", "/%61pi/v1/pods", "list core/v1 - pods -"),
    ] {
        let info = parse(method, target);
        assert!(info.is_resource_request, "{method} {target}");
        assert_eq!(told(&info), expected, "{method} {target}");
    }
}

#[test]
fn other_paths_are_the_lower_case_method_and_the_path() {
    for (method, target, expected) in [
        ("GET", "/", "get /"),
        ("GET", "/api", "get /api"),
        ("GET", "/api/v1", "get /api/v1"),
        ("GET", "/apis/apps/v1", "get /apis/apps/v1"),
        ("HEAD", "/livez", "head /livez"),
        ("POST", "/apis/apps", "post /apis/apps"),
        ("PROPFIND", "/version", "propfind /version"),
        ("GET", "/API/v1/pods", "get /API/v1/pods"),
        ("GET", "/apisx/apps/v1/pods", "get /apisx/apps/v1/pods"),
    ] {
        let info = parse(method, target);
        assert!(!info.is_resource_request, "{method} {target}");
        assert_eq!(told(&info), expected, "{method} {target}");
    }
}

#[test]
fn the_query_tells_a_watch_from_a_list() {
    for (query, verb) in [
        ("watch=true", "watch"),
        ("watch=1", "watch"),
        ("watch", "watch"),
        ("watch=", "watch"),
        ("watch=no", "watch"),
        ("w%61tch=true", "watch"),
        ("watch=true&watch=false", "watch"),
        ("timeoutSeconds=abc&watch=true", "watch"),
        ("watch=false", "list"),
        ("watch=FALSE", "list"),
        ("watch=0", "list"),
        ("watch=false&watch=true", "list"),
        ("watch=true;x=1", "list"),
        ("watch=%zz", "list"),
        ("Watch=true", "list"),
        ("", "list"),
    ] {
        assert_eq!(parse("GET", &format!("/api/v1/pods?{query}")).verb, verb, "{query}");
    }
    assert_eq!(parse("GET", "/api/v1/namespaces/dev/pods/p?watch=true").verb, "get", "a named object is got");
}

#[test]
fn an_exact_field_selector_is_a_name() {
    for (selector, name) in [
        ("metadata.name=p", "p"),
        ("metadata.name==p", "p"),
        ("metadata.name%3Dp", "p"),
        ("status.phase=Running,metadata.name=p", "p"),
        (",metadata.name=p,", "p"),
        (r"metadata.name=a\,b", "a,b"),
        (r"metadata.name=a\=b", "a=b"),
        ("metadata.name=a+b", "a b"),
        ("metadata.name!=p", ""),
        ("metadata.name=p,broken", ""),
        ("metadata.name=p=q", ""),
        (r"metadata.name=p\", ""),
        (r"metadata.name=\p", ""),
        ("metadata.name=..", ""),
        ("metadata.name=a%2Fb", ""),
        ("metadata.name=a%2525", ""),
        ("metadata.namespace=dev", ""),
        ("metadata.name=", ""),
        ("metadata.name=p&limit=x", ""),
    ] {
        let list = parse("GET", &format!("/api/v1/secrets?fieldSelector={selector}"));
        assert_eq!((list.verb.as_ref(), list.name.as_str()), ("list", name), "{selector}");
        let watch = parse("GET", &format!("/api/v1/secrets?watch=1&fieldSelector={selector}"));
        assert_eq!((watch.verb.as_ref(), watch.name.as_str()), ("watch", name), "{selector}");
    }
}

#[test]
fn a_path_that_the_api_server_cannot_read_is_a_fault() {
    for (path, fault) in [
        ("/api/v1/pods/%", PathFault::BrokenEscape),
        ("/api/v1/pods/%2", PathFault::BrokenEscape),
        ("/api/v1/pods/%g0", PathFault::BrokenEscape),
        ("/api/v1/watch", PathFault::NoResource),
        ("/apis/apps/v1/proxy/", PathFault::NoResource),
    ] {
        assert_eq!(RequestInfo::parse(&Method::GET, path, None), Err(fault), "{path}");
    }
}

#[test]
fn streams_are_long_running_and_short_calls_are_not() {
    for (target, expected) in [
        ("/api/v1/namespaces/dev/pods/p/exec", true),
        ("/api/v1/namespaces/dev/pods/p/attach", true),
        ("/api/v1/namespaces/dev/pods/p/portforward", true),
        ("/api/v1/namespaces/dev/pods/p/log", true),
        ("/api/v1/namespaces/dev/services/s/proxy", true),
        ("/api/v1/namespaces/dev/services/s:80/proxy/x/y", true),
        ("/api/v1/nodes/n/proxy/metrics", true),
        ("/api/v1/proxy/nodes/n", true),
        ("/api/v1/pods?watch=true", true),
        ("/apis/apps/v1/watch/deployments", true),
        ("/debug/pprof/profile", true),
        ("/debug/pprof", false),
        ("/api/v1/pods", false),
        ("/api/v1/namespaces/dev/pods/p", false),
        ("/version", false),
        ("/exec", false),
    ] {
        assert_eq!(parse("GET", target).is_long_running(false), expected, "{target}");
    }
    assert!(parse("GET", "/version").is_long_running(true), "an upgrade ends when its ends say so");
}

#[test]
fn only_what_cannot_change_anything_is_read_only() {
    for (method, target, expected) in [
        ("GET", "/api/v1/pods", true),
        ("GET", "/api/v1/pods?watch=1", true),
        ("HEAD", "/api/v1/namespaces/dev/pods/p", true),
        ("GET", "/api/v1/namespaces/dev/pods/p/log", true),
        ("GET", "/version", true),
        ("OPTIONS", "/version", true),
        ("GET", "/api/v1/namespaces/dev/pods/p/exec", false),
        ("GET", "/api/v1/namespaces/dev/pods/p/attach", false),
        ("GET", "/api/v1/namespaces/dev/pods/p/portforward", false),
        ("GET", "/api/v1/nodes/n/proxy/exec", false),
        ("GET", "/api/v1/proxy/nodes/n", false),
        ("OPTIONS", "/api/v1/pods", false),
        ("DELETE", "/api/v1/watch/pods", true),
        ("POST", "/api/v1/namespaces/dev/pods", false),
        ("DELETE", "/api/v1/namespaces/dev/pods/p", false),
        ("POST", "/version", false),
    ] {
        let info = parse(method, target);
        assert_eq!((info.is_read_only(), info.is_mutating()), (expected, !expected), "{method} {target}");
    }
}

proptest! {
    #[test]
    fn no_target_makes_the_parser_panic(path in "[/%a-z0-9.]{0,64}|.{0,64}", query in proptest::option::of(".{0,64}")) {
        let _ = RequestInfo::parse(&Method::GET, &path, query.as_deref());
    }

    #[test]
    fn a_well_formed_path_is_read_back(
        namespace in "[a-z][a-z0-9-]{0,20}",
        resource in "[a-z]{1,20}",
        name in "[a-z0-9][a-z0-9.-]{0,20}",
        subresource in "[a-z]{1,12}",
    ) {
        prop_assume!(resource != "status" && resource != "finalize");
        let info = parse("GET", &format!("/apis/g.example/v1/namespaces/{namespace}/{resource}/{name}/{subresource}"));
        prop_assert_eq!(told(&info), format!("get g.example/v1 {namespace} {resource}/{subresource} {name}"));
    }
}
