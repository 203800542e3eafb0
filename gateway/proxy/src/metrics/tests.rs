use std::sync::Arc;

use http::StatusCode;

use super::*;
use crate::boundary::{Snapshot, SnapshotConfig};
use crate::testing::World;

fn closed<'a>(cluster: &'a str, verb: &'a str, code: u16) -> Closed<'a> {
    Closed {
        cluster,
        verb,
        class: crate::audit::ResourceClass::Resource,
        code: StatusCode::from_u16(code).unwrap(),
        took: Duration::from_millis(30),
        waited: Duration::from_millis(10),
        long_running: Some(false),
    }
}

#[test]
fn a_request_counts_by_cluster_verb_and_code() {
    let metrics = Metrics::new();
    metrics.closed(&closed("east", "list", 200));
    metrics.closed(&closed("east", "list", 200));
    let text = metrics.encode();
    assert!(
        text.contains(r#"gatewarden_requests_total{cluster="east",verb="LIST",class="resource",code="200"} 2"#),
        "{text}"
    );
    let bucket =
        r#"gatewarden_request_duration_seconds_bucket{le="0.05",cluster="east",verb="LIST",class="resource"} 2"#;
    assert!(text.contains(bucket), "{text}");
}

#[test]
fn what_a_client_invents_makes_no_label() {
    let metrics = Metrics::new();
    for number in 0..100 {
        metrics.closed(&closed("east", &format!("verb{number}"), 600 + number));
    }
    let series = metrics.encode().lines().filter(|line| line.starts_with("gatewarden_requests_total{")).count();
    assert_eq!(series, 1);
}

#[test]
fn what_begins_and_ends_leaves_the_gauges_as_they_were() {
    let metrics = Metrics::new();
    metrics.opened();
    metrics.started(false);
    assert!(metrics.encode().contains(r#"gatewarden_requests_running{kind="short"} 1"#));
    metrics.closed(&closed("east", "get", 200));
    let text = metrics.encode();
    assert!(text.contains(r#"gatewarden_requests_running{kind="short"} 0"#) && text.contains("requests_open 0"));
}

#[test]
fn a_cluster_that_is_gone_is_shown_no_longer() {
    let common = World::new().gate.common;
    let shown = || {
        let mut text = String::new();
        common.metrics.append_to(&mut text, &common, 1_234);
        text
    };
    let text = shown();
    for line in [
        r#"gatewarden_cluster_open{cluster="west"} 0"#,
        r#"gatewarden_cluster_state{cluster="west",state="unproven"} 1"#,
        r#"gatewarden_cluster_state{cluster="west",state="open"} 0"#,
        r#"gatewarden_certificate_end_seconds{cluster="",account="serving"} 1234"#,
        "gatewarden_audit_queue 0",
        "gatewarden_audit_queue_room 16384",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
    common.snapshot.store(Arc::new(Snapshot::build(SnapshotConfig::default()).unwrap()));
    assert!(!shown().contains("west"));
}
