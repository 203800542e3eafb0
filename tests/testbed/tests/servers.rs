//! The servers themselves: they start, do their work, and leave nothing behind.

use testbed::{Cluster, ClusterOptions, Slapd};

/// A pod of our image on our node; there is no scheduler.
const POD: &str = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shell", "namespace": "default"},
    "spec": {"nodeName": "localhost", "terminationGracePeriodSeconds": 1, "containers": [
        {"name": "c", "image": "docker.io/testbed/busybox:1", "imagePullPolicy": "Never"}]}}"#;

#[test]
fn two_clusters_stand_side_by_side_and_know_their_users_apart() {
    let dir = tempfile::tempdir().unwrap();
    let one = Cluster::start(&dir.path().join("one"), ClusterOptions::default()).unwrap();
    let two = Cluster::start(&dir.path().join("two"), ClusterOptions::default()).unwrap();
    assert_ne!(one.url(), two.url());

    let alice = one.kubectl_as("alice", Some("dev")).unwrap();
    let me = alice.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]).unwrap();
    assert_eq!(me, "alice");
    let event = one.await_audit("alice's review", |event| event["user"]["username"] == "alice").unwrap();
    assert_eq!(event["user"]["groups"][0], "dev");

    let refused = two.admin().ok(&["--server", &one.url(), "get", "namespaces"]);
    assert!(refused.is_err(), "a certificate of one cluster was good for the other");
}

#[test]
fn a_pod_runs_and_nothing_of_it_stays() {
    if let Some(reason) = testbed::nodes_unsupported() {
        skipped("a_pod_runs_and_nothing_of_it_stays", &reason);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let options = ClusterOptions { node: true, ..ClusterOptions::default() };
    let cluster = Cluster::start(&root.join("one"), options).unwrap();
    cluster.admin().apply(POD).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"]).unwrap();
    let echo = cluster.kubectl(&["exec", "shell", "--", "echo", "from the pod"]).unwrap();
    assert_eq!(echo, "from the pod\n");

    drop(cluster);
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(root.to_str().unwrap()), "{mounts}");
}

#[test]
fn the_directory_holds_nested_groups_a_cycle_and_odd_names() {
    let dir = tempfile::tempdir().unwrap();
    let slapd = Slapd::start(&dir.path().join("slapd")).unwrap();
    let alice = slapd.search("(uid=alice)", &["memberOf"]).unwrap();
    assert!(alice.contains("memberOf: cn=payments,ou=groups"), "{alice}");
    let night = slapd.search("(cn=night)", &["memberOf"]).unwrap();
    assert!(night.contains("memberOf: cn=oncall,ou=groups"), "{night}");
    let admins = slapd.search("(cn=admins)", &["dn"]).unwrap();
    assert_eq!(admins.matches("dn: ").count(), 2, "{admins}");
    let odd = slapd.search(r"(uid=paul\28seoul\29)", &["cn"]).unwrap();
    assert!(odd.contains("cn: Paul (Seoul)"), "{odd}");
}

#[test]
fn a_directory_comes_back_with_what_it_knew() {
    let dir = tempfile::tempdir().unwrap();
    let mut slapd = Slapd::start(&dir.path().join("slapd")).unwrap();
    slapd.stop().unwrap();
    assert!(slapd.search("(uid=alice)", &[]).is_err());
    slapd.resume().unwrap();
    assert!(slapd.search("(uid=alice)", &[]).unwrap().contains("dn: uid=alice"));
}

#[test]
fn what_was_detached_is_found_and_stopped_by_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let slapd = Slapd::start(&dir.path().join("slapd")).unwrap();
    let port = slapd.ldap_url().rsplit_once(':').unwrap().1.parse().unwrap();
    slapd.detach();
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(listens());
    testbed::down(dir.path()).unwrap();
    assert!(!listens());
}

/// Says so past the harness, which keeps what a passing test prints to itself: nobody takes the run for a full one.
fn skipped(test: &str, reason: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "test {test} ... SKIPPED: {reason}"); // a closed stream reads nothing
}
