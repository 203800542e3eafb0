//! Whatever a client writes on a connection, a cluster sees alice as she is, or nothing: header rules and routing.
#![no_main]

use gatewarden_proxy::fuzzing::{ALICE, HOST_OF_EAST, Seen, connection};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for Seen { target, headers } in connection(bytes) {
        let identity: Vec<(&str, &[u8])> = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("impersonate"))
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        assert_eq!(identity, ALICE, "another identity");
        assert!(!headers.contains_key("authorization") && !headers.contains_key("cookie"), "a credential of the client's");
        // Ours, when a terminal is asked for; one that named a header would take it away.
        let connection: Vec<_> = headers.get_all("connection").iter().collect();
        let switches = headers.contains_key("upgrade") && connection == ["Upgrade"];
        assert!(connection.is_empty() || switches, "a header that takes others away: {connection:?}");
        let folded = |name: &str| name.starts_with("x-remote-") || name.contains(['_', '.']);
        assert!(!headers.keys().any(|name| folded(name.as_str()) && !name.as_str().starts_with("impersonate-")));
        for once in ["x-forwarded-for", "audit-id"] {
            assert_eq!(headers.get_all(once).iter().count(), 1, "{once}");
        }
        // Byte for byte what stood behind the cluster's prefix, or all of it on the cluster's own host.
        let written = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
        // Nothing stands there as `/`, also before a query.
        let query = target.strip_prefix('/').filter(|rest| rest.starts_with('?'));
        let sent = written(&target) || target == "/" || query.is_some_and(written);
        assert!(sent, "a target that the client did not write: {target} ({HOST_OF_EAST})");
        assert!(!target.split(['/', '?']).any(|part| part == ".." || part == "."), "dot segments: {target}");
    }
});
