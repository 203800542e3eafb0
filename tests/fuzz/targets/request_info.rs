//! What a path means to RBAC: the verb is never empty, and a change is never taken for a reading.
#![no_main]

use http::Method;
use kube_wire::RequestInfo;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (method, target) = input;
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];
    let method = &methods[usize::from(method) % methods.len()];
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let Ok(info) = RequestInfo::parse(method, path, query) else { return };
    assert!(!info.verb.is_empty(), "no verb: {target}");
    assert!(info.is_resource_request || info.subresource.is_empty(), "a part of nothing: {target}");
    // `/api/v1/watch/…` is a watch to an API server, whatever the method; it then finds no handler.
    if *method != Method::GET && *method != Method::HEAD && info.verb != "watch" {
        assert!(info.is_mutating() || !info.is_resource_request, "a change that is taken for a reading: {target}");
    }
});
