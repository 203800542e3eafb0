//! Which runtimes stay over a reload.

use super::*;
use crate::boundary::{ClusterConfig, SnapshotConfig};
use crate::testing;

fn cluster(id: &str) -> ClusterConfig {
    let ca_pem = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap().cert.pem().into_bytes();
    ClusterConfig { ca_pem, ..testing::cluster(id) }
}

fn snapshot(clusters: &[ClusterConfig]) -> Snapshot {
    Snapshot::build(SnapshotConfig { clusters: clusters.to_vec(), ..SnapshotConfig::default() }).unwrap()
}

fn runtime(clusters: &Clusters, snapshot: &Snapshot, id: &str) -> u64 {
    clusters.of(snapshot.cluster(id).unwrap()).unwrap().id()
}

#[test]
fn an_unchanged_cluster_keeps_its_runtime_and_a_changed_one_does_not() {
    let (east, west) = (cluster("east"), cluster("west"));
    let clusters = Clusters::default();
    let before = snapshot(&[east.clone(), west.clone()]);
    let (old_east, old_west) = (runtime(&clusters, &before, "east"), runtime(&clusters, &before, "west"));
    let moved = ClusterConfig { tls_server_name: Some("west.example.org".into()), ..west };
    let after = snapshot(&[east, moved]);
    clusters.adopt(&after);
    assert_eq!(runtime(&clusters, &after, "east"), old_east);
    assert_ne!(runtime(&clusters, &after, "west"), old_west);
    // A request that began before the reload ends on what it began on.
    assert_eq!(runtime(&clusters, &before, "west"), old_west);
}

#[test]
fn a_cluster_that_is_gone_is_forgotten_when_no_request_holds_it() {
    let clusters = Clusters::default();
    let before = snapshot(&[cluster("east")]);
    let held = Arc::downgrade(&clusters.of(before.cluster("east").unwrap()).unwrap());
    drop(before);
    clusters.adopt(&snapshot(&[]));
    assert!(held.upgrade().is_none());
}

#[test]
fn a_cluster_that_cannot_be_served_says_why_and_is_tried_anew_after_a_reload() {
    let clusters = Clusters::default();
    let broken = snapshot(&[ClusterConfig { ca_pem: b"no PEM".to_vec(), ..cluster("east") }]);
    let why = clusters.of(broken.cluster("east").unwrap()).unwrap_err();
    assert!(why.contains("certificate"), "{why}");
    let states = clusters.status(&broken);
    assert!(matches!(&states[..], [ClusterStatus { state: State::Unproven(_), .. }]));
    let mended = snapshot(&[cluster("east")]);
    assert!(clusters.of(mended.cluster("east").unwrap()).is_ok());
}
