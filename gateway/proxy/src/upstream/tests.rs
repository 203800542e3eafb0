//! What is decided without a server: kinds of requests, answers to faults, sizes.

use std::io;

use kube_wire::Status;

use super::*;
use crate::boundary::{Snapshot, SnapshotConfig};
use crate::refusal::{About, Surface};
use crate::testing;

fn east() -> Arc<Cluster> {
    let config = SnapshotConfig { clusters: vec![testing::cluster("east")], ..SnapshotConfig::default() };
    Arc::clone(Snapshot::build(config).unwrap().cluster("east").unwrap())
}

fn told(fault: &UpstreamFault) -> Status {
    refusal(&east(), fault).status(About { surface: Surface::Cluster, user: None, asked: None, discovers: false })
}

#[test]
fn a_watch_is_known_by_either_of_its_forms() {
    for watch in ["/api/v1/pods?watch=1", "/api/v1/pods?limit=5&watch", "/api/v1/watch/pods"] {
        assert!(is_watch(&PathAndQuery::from_static(watch)), "{watch}");
    }
    for other in ["/api/v1/pods/p/log?follow=true", "/api/v1/pods?watcher=1", "/api/v1/configmaps/watch-me/x"] {
        assert!(!is_watch(&PathAndQuery::from_static(other)), "{other}");
    }
}

#[test]
fn each_fault_has_its_code_and_tells_no_address() {
    let refused = || io::Error::other("connect to 192.0.2.1:6443 refused");
    let resting = UpstreamFault::Resting { retry_after: Duration::from_secs(7) };
    for (fault, code) in [
        (UpstreamFault::Unreachable(Some(refused().into())), 503),
        (resting, 503),
        (UpstreamFault::Credential, 503),
        (UpstreamFault::Tls(refused()), 502),
        (UpstreamFault::Full, 429),
        (UpstreamFault::Timeout, 504),
        (UpstreamFault::Unfit("two hosts"), 500),
    ] {
        let status = told(&fault);
        assert_eq!(status.code().as_u16(), code, "{fault:?}");
        assert!(!String::from_utf8_lossy(&status.to_json()).contains("192.0.2.1"), "{fault:?}");
        let waits = matches!(code, 429 | 503);
        assert_eq!(status.retry_after().is_some(), waits, "{fault:?}");
    }
}

#[test]
fn the_log_gets_the_whole_chain() {
    let fault = UpstreamFault::Unreachable(Some(io::Error::other("refused by 192.0.2.1").into()));
    assert_eq!(fault.chain(), "no endpoint could be reached: refused by 192.0.2.1");
}

#[test]
fn a_connections_window_has_room_for_the_window_of_each_stream() {
    let settings = PoolSettings::default();
    assert_eq!(settings.connection_window(), settings.streams * settings.stream_window);
    let most = PoolSettings { streams: u32::MAX, ..PoolSettings::default() };
    assert_eq!(most.connection_window(), (1 << 31) - 1, "HTTP/2 allows no more");
}
