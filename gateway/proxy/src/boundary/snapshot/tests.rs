use kube_wire::UserInfo;

use super::*;
use crate::boundary::{Home, ServiceAccount, ServiceAccountTokens, SessionParts};
use crate::testing::{cluster, snapshot_config};

fn grant(subject: &str, cluster: &str, read_only: bool) -> GrantConfig {
    GrantConfig { subjects: vec![subject.to_owned()], clusters: vec![cluster.to_owned()], read_only }
}

fn access(grants: Vec<GrantConfig>, subjects: &[&str]) -> [Option<bool>; 2] {
    let snapshot = Snapshot::build(SnapshotConfig { grants, ..snapshot_config() }).unwrap();
    let granted = snapshot.granted(&session(subjects));
    ["east", "west"].map(|cluster| granted.on(cluster).map(|access| access.read_only))
}

fn session(subjects: &[&str]) -> Session {
    let parts = SessionParts {
        id: "s-1".to_owned(),
        user: "u-1".to_owned(),
        provider: "corp".to_owned(),
        principal: "corp_user://1".to_owned(),
        identity: UserInfo::named("corp:alice"),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
    };
    Session::new(parts).unwrap()
}

#[test]
fn without_a_grant_nobody_enters() {
    assert_eq!(access(vec![], &["corp:dev"]), [None, None]);
    assert_eq!(access(vec![grant("corp:dev", "east", false)], &["corp:ops", "corp:de", "corp:devs"]), [None, None]);
}

#[test]
fn a_grant_opens_its_clusters_and_a_star_all() {
    assert_eq!(access(vec![grant("corp:dev", "east", false)], &["corp:dev"]), [Some(false), None]);
    assert_eq!(access(vec![grant("corp:dev", "*", true)], &["corp:dev"]), [Some(true), Some(true)]);
}

#[test]
fn grants_add_up_to_the_wider_one_in_any_order() {
    let mut grants = vec![grant("g", "*", true), grant("g", "east", false), grant("h", "west", true)];
    for _ in 0..grants.len() {
        assert_eq!(access(grants.clone(), &["g", "h"]), [Some(false), Some(true)]);
        grants.rotate_left(1);
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let config = SnapshotConfig {
        clusters: vec![
            cluster("east"),
            cluster("east"),
            ClusterConfig { id: "East".to_owned(), endpoints: vec![], hosts: vec![], ..cluster("x") },
        ],
        grants: vec![grant("g", "nowhere", false)],
        ..SnapshotConfig::default()
    };
    let faults = Snapshot::build(config).unwrap_err();
    assert_eq!(
        faults,
        [
            SnapshotFault::DuplicateHost("east.k8s.example.org".to_owned()),
            SnapshotFault::Duplicate("east".to_owned()),
            SnapshotFault::Cluster("East".to_owned(), ClusterFault::Id("East".to_owned())),
            SnapshotFault::Cluster("East".to_owned(), ClusterFault::NoEndpoint),
            SnapshotFault::UnknownCluster("nowhere".to_owned()),
        ]
    );
}

#[test]
fn an_identity_is_sent_over_verified_tls_only() {
    for endpoint in ["http://192.0.2.1:6443", "/x", "192.0.2.1:6443"] {
        let config = ClusterConfig { endpoints: vec![endpoint.parse().unwrap()], ..cluster("east") };
        assert!(matches!(config.check().unwrap_err().as_slice(), [ClusterFault::Endpoint(_)]), "{endpoint}");
    }
}

#[test]
fn reasons_name_the_callers_own_grants_and_nothing_of_others() {
    let grants = vec![
        grant("group:corp:dev", "east", false),
        grant("group:corp:dev", "*", true),
        grant("user:corp:bob", "east", false),
        grant("group:corp:ops", "west", false),
    ];
    let snapshot = Snapshot::build(SnapshotConfig { grants, ..snapshot_config() }).unwrap();
    let of = |subjects: &[&str]| snapshot.reasons(&session(subjects));
    let why = of(&["user:corp:alice", "group:corp:dev"]);
    let by_dev = vec!["group:corp:dev".to_owned()];
    let both = BTreeMap::from([("east".to_owned(), by_dev.clone()), ("west".to_owned(), by_dev)]);
    assert_eq!((why.granted_to, why.whom_to_ask.as_str()), (both, "Ask the platform team."));
    assert_eq!(why.subjects, ["user:corp:alice", "group:corp:dev"]);
    assert_eq!(why.cluster_hosts["east"], ["east.k8s.example.org"]);
    let why = of(&["user:corp:bob"]);
    assert_eq!(why.cluster_hosts.keys().collect::<Vec<_>>(), ["east"], "nor by its host");
    assert_eq!(why.granted_to.into_keys().collect::<Vec<_>>(), ["east"], "a cluster without a grant is not named");
    assert!(of(&["user:corp:eve"]).granted_to.is_empty());
}

#[test]
fn a_service_account_enters_its_own_cluster_alone_while_its_tokens_come_in() {
    let account = ServiceAccount::parse("system:serviceaccount:ci:deployer").unwrap();
    let home = Home { cluster: "east".to_owned(), issuer: "https://east.test".to_owned() };
    let session = Session::of_account(&account, "u-1", home);
    let open = |issuer: Option<&str>, subject: &str, reserved: &[&str]| {
        let mut config = SnapshotConfig { grants: vec![grant(subject, "*", false)], ..snapshot_config() };
        for cluster in &mut config.clusters {
            cluster.service_accounts = issuer
                .map(|issuer| ServiceAccountTokens { issuer: issuer.to_owned(), audiences: vec!["a".to_owned()] });
            cluster.reserved = reserved.iter().map(|name| (*name).to_owned()).collect();
        }
        let open = Snapshot::build(config).unwrap().open_to(&session);
        open.into_keys().collect::<Vec<_>>().join(" ")
    };
    let on = Some("https://east.test");
    let granted = "user:system:serviceaccount:ci:deployer";
    assert_eq!(open(on, granted, &[]), "east");
    assert_eq!(open(on, "group:system:serviceaccounts:ci", &["root"]), "east", "its names are reserved for such as it");
    assert_eq!(open(on, "group:system:serviceaccounts", &[]), "east");
    for kept in [&["system:serviceaccounts:ci"][..], &["system:serviceaccount:ci:*"]] {
        assert_eq!(open(on, granted, kept), "", "{kept:?}");
    }
    for other in ["group:system:serviceaccounts:c", "group:system:authenticated", "user:deployer"] {
        assert_eq!(open(on, other, &[]), "", "{other}");
    }
    assert_eq!(open(None, granted, &[]), "", "switched off");
    assert_eq!(open(Some("https://other.test"), granted, &[]), "", "another issuer now");
}

#[test]
fn a_cluster_without_a_reviewer_takes_no_tokens_of_its_own() {
    let mint = std::sync::Arc::new(NoMint);
    let tokens = |issuer: &str, audiences: &[&str]| ServiceAccountTokens {
        issuer: issuer.to_owned(),
        audiences: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
    };
    let on = |service_accounts| ClusterConfig { service_accounts: Some(service_accounts), ..cluster("east") };
    let good = on(tokens("https://east.test", &["a"]));
    assert!(good.check().is_ok());
    let bearer = ClusterConfig { carrier: crate::boundary::Carrier::Bearer(mint), ..good };
    assert_eq!(bearer.check(), Err(vec![ClusterFault::NoReviewer]));
    for (issuer, audiences) in [("", &["a"][..]), ("https://east.test", &[]), ("https://east.test", &[""])] {
        assert_eq!(on(tokens(issuer, audiences)).check(), Err(vec![ClusterFault::ServiceAccounts]), "{audiences:?}");
    }
}

#[derive(Debug)]
struct NoMint;

impl crate::boundary::Mint for NoMint {
    fn mint(&self, _: &Session, _: &str) -> Result<crate::boundary::Minted, crate::boundary::MintFault> {
        Err(crate::boundary::MintFault::Unavailable("none".to_owned()))
    }
}
