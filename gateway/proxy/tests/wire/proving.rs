//! No request reaches a cluster whose impersonator has not been proven harmless.

use std::sync::atomic::Ordering;

use gatewarden_proxy::{Account, Carrier, Check, ClusterConfig, Mode, State, probe};
use http::StatusCode;

use crate::client::{self, Client, Protocol};
use crate::gateway::{Gateway, Settings, until};
use crate::upstream::{H2, Pki, Upstream, cluster, echo};

const NODES: &str = "/k8s/clusters/east/api/v1/nodes";

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_a_privileged_account_stays_closed_alone() {
    let east = Upstream::start(H2, echo()).await;
    let west = Upstream::start(H2, echo()).await;
    east.seen.privileged.store(true, Ordering::SeqCst);
    let gateway = Gateway::start_with(vec![east.cluster("east"), west.cluster("west")], Settings::default());
    until("one is closed and the other open", || {
        let states = gateway.states();
        states.iter().any(|state| matches!(state, State::Closed(_))) && states.contains(&State::Open)
    })
    .await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let response = client.get(NODES).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client::json(response).await["kind"], "Status");
    assert_eq!(east.seen.requests.load(Ordering::SeqCst), 0, "nothing reached it");
    assert_eq!(client.get("/k8s/clusters/west/api/v1/nodes").await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dangerous_setting_opens_it_and_the_report_still_tells() {
    let upstream = Upstream::start(H2, echo()).await;
    upstream.seen.privileged.store(true, Ordering::SeqCst);
    let mut config = upstream.cluster("east");
    config.dangerous_privileged_account = true;
    let gateway = Gateway::start(vec![config.clone()]).await;
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    assert_eq!(client.get(NODES).await.status(), StatusCode::OK);
    let report = probe(config).await.unwrap();
    assert!(report.checks.iter().any(|check| !check.ok && check.name == "impersonator may not get secrets"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_right_in_one_namespace_closes_the_cluster_whichever_account_has_it() {
    for account in ["Bearer impersonator", "Bearer reviewer"] {
        let upstream = Upstream::start(H2, echo()).await;
        *upstream.seen.namespaced.lock().unwrap() = Some(account);
        let gateway = Gateway::start_with(vec![upstream.cluster("east")], Settings::default());
        until("the cluster is closed", || {
            gateway.states().iter().any(|state| matches!(state, State::Closed(why) if why.contains("get secrets")))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_well_kept_cluster_passes_every_check_in_both_modes() {
    let upstream = Upstream::start(H2, echo()).await;
    for (minor, mode) in [(36, Mode::Constrained), (35, Mode::Legacy)] {
        upstream.seen.minor.store(minor, Ordering::SeqCst);
        let report = probe(upstream.cluster("east")).await.unwrap();
        assert!(report.is_good(), "{report:#?}");
        assert_eq!(report.mode, Some(mode));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_lies_about_its_version_is_not_opened_and_the_report_says_what_does_not_fit() {
    let cases = [
        (36, 35, Mode::Legacy, "missing: impersonator may impersonate users", "manifest legacy"),
        (
            35,
            36,
            Mode::Constrained,
            "too much: impersonator may not impersonate users",
            "kubectl get clusterrolebindings",
        ),
        (35, 36, Mode::Constrained, "missing: impersonator may impersonate:user-info users", "manifest constrained"),
    ];
    for (is, told, mode, found, command) in cases {
        let upstream = Upstream::start(H2, echo()).await;
        upstream.seen.minor.store(is, Ordering::SeqCst);
        upstream.seen.told.store(told, Ordering::SeqCst);
        let report = probe(upstream.cluster("east")).await.unwrap();
        assert_eq!(report.mode, Some(mode));
        let said = |check: &Check| !check.ok && format!("{}: {}", check.kind(), check.name).starts_with(found);
        assert!(report.checks.iter().any(said), "{found}: {report:#?}");
        assert!(report.commands().iter().any(|line| line.contains(command)), "{:?}", report.commands());
        let gateway = Gateway::start_with(vec![upstream.cluster("east")], Settings::default());
        let tells = |state: &State| match state {
            State::Closed(why) | State::Unproven(why) => why.contains("impersonat"),
            State::Open => panic!("it is open"),
        };
        until("it is told why", || gateway.states().iter().all(tells)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_was_down_at_the_start_opens_when_it_comes() {
    let upstream = Upstream::start(H2, echo()).await;
    let (pki, address) = (upstream.pki(), upstream.address);
    drop(upstream);
    let gateway = Gateway::start_with(vec![cluster("east", &pki, &[address])], Settings::default());
    let mut client = Client::connect(&gateway, Protocol::H2).await;
    let response = client.get(NODES).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    let _upstream = Upstream::start_at(address, pki, H2, echo()).await;
    gateway.opened().await;
    assert_eq!(client.get(NODES).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_speaks_for_an_account_without_a_token() {
    let account = rcgen::generate_simple_self_signed(["gatewarden".to_owned()]).unwrap();
    let upstream = Upstream::start_with(Pki::new().for_client(&account.cert.pem()), H2, echo()).await;
    let certificate = || Account::ClientCertificate {
        cert_pem: account.cert.pem().into_bytes(),
        key_pem: account.signing_key.serialize_pem().into(),
    };
    let by_token = probe(upstream.cluster("east")).await.unwrap();
    assert!(by_token.unanswered.is_some(), "the server asks for a certificate");
    // One certificate speaks for both accounts here, so the reviewer may impersonate.
    let (impersonator, reviewer) = (certificate(), certificate());
    let cluster = upstream.cluster("east");
    let carrier = Carrier::Impersonation { impersonator, reviewer };
    let config = ClusterConfig { carrier, dangerous_privileged_account: true, ..cluster };
    let gateway = Gateway::start(vec![config]).await;
    let mut client = Client::connect(&gateway, Protocol::H1).await;
    let seen = client::json(client.get(NODES).await).await;
    assert!(!seen.to_string().contains("authorization"), "{seen}");
}
