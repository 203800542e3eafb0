//! What the answers of a probe mean.

use super::report::{Account, Check, Mend, ProbeReport, Weight};
use super::*;

fn report(failed: &[Weight]) -> ProbeReport {
    let check = |weight: &Weight| Check {
        name: format!("{weight:?}"),
        expected: "one".into(),
        found: "the other".into(),
        ok: false,
        mend: Mend::Apply("constrained"),
        weight: *weight,
    };
    ProbeReport {
        cluster: "east".into(),
        version: None,
        impersonator: Some("system:serviceaccount:gatewarden:gatewarden-impersonator".into()),
        reviewer: Some("it's me".into()),
        mode: Some(Mode::Constrained),
        checks: failed.iter().map(check).collect(),
        unanswered: None,
    }
}

#[test]
fn a_right_too_many_closes_and_a_right_too_few_does_not_open() {
    assert_eq!(report(&[]).state(false), State::Open);
    assert!(matches!(report(&[Weight::Needed]).state(false), State::Unproven(_)));
    assert!(matches!(report(&[Weight::Needed, Weight::Forbidden]).state(false), State::Closed(_)));
}

#[test]
fn only_the_dangerous_setting_opens_a_cluster_with_a_right_too_many() {
    assert_eq!(report(&[Weight::Forbidden]).state(true), State::Open);
    assert!(matches!(report(&[Weight::Needed]).state(true), State::Unproven(_)));
}

#[test]
fn a_reviewer_that_lacks_rights_keeps_nobody_out() {
    let report = report(&[Weight::Reviewer]);
    assert_eq!(report.state(false), State::Open);
    assert!(!report.is_good(), "but the operator is told");
}

#[test]
fn a_reviewer_that_may_do_too_much_is_as_dangerous_as_the_other_account() {
    let config = crate::testing::cluster("east");
    let rights = super::table::rights(&config, Mode::Constrained);
    let reviewers = || rights.iter().filter(|right| right.role == super::super::Role::Reviewer);
    assert!(reviewers().any(|right| !right.allowed && right.resource == "secrets"));
    assert!(reviewers().all(|right| right.allowed || right.weight == Weight::Forbidden));
}

#[test]
fn a_cluster_that_cannot_be_asked_about_its_own_tokens_is_open_to_everybody_else() {
    let report = report(&[Weight::OwnTokens]);
    assert_eq!(report.state(false), State::Open);
    assert!(!report.is_good() && report.effect(false).contains("its own service accounts"));
    let asked = |config| {
        let rights = super::table::rights(&config, Mode::Constrained);
        rights.iter().filter(|right| right.resource == "tokenreviews").map(|right| right.name()).collect::<Vec<_>>()
    };
    let config = crate::testing::cluster("east");
    assert_eq!(asked(config.clone()), [""; 0], "not where none come in");
    let on = crate::boundary::ServiceAccountTokens { issuer: "https://east".into(), audiences: vec!["east".into()] };
    let config = crate::boundary::ClusterConfig { service_accounts: Some(on), ..config };
    assert_eq!(asked(config), ["reviewer may create tokenreviews.authentication.k8s.io"]);
}

#[test]
fn a_right_too_many_closes_although_another_question_went_unanswered() {
    let partial = |failed| ProbeReport { unanswered: Some("the API server answered 500".into()), ..report(failed) };
    let open = || State::Open;
    assert!(matches!(verdict(&open(), &partial(&[Weight::Forbidden]), false), State::Closed(_)));
    assert_eq!(verdict(&open(), &partial(&[Weight::Forbidden]), true), State::Open, "as its operator wants it");
    assert_eq!(verdict(&open(), &partial(&[Weight::Needed]), false), State::Open, "silence closes nothing");
    let unproven = State::Unproven("not asked yet".into());
    assert!(matches!(verdict(&unproven, &partial(&[]), true), State::Unproven(_)), "and opens nothing");
    assert!(matches!(verdict(&unproven, &partial(&[Weight::Forbidden]), false), State::Closed(_)));
}

#[test]
fn a_cluster_that_is_silent_keeps_the_mode_that_it_told() {
    let mut config = crate::testing::snapshot_config();
    let authority = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    config.clusters.iter_mut().for_each(|cluster| cluster.ca_pem = authority.cert.pem().into_bytes());
    let snapshot = crate::boundary::Snapshot::build(config).unwrap();
    let runtime = Runtime::new(Arc::clone(snapshot.cluster("east").unwrap())).unwrap();
    settle(&runtime, &report(&[]));
    assert!(runtime.is_constrained());
    settle(&runtime, &ProbeReport { mode: None, unanswered: Some("no answer".into()), ..report(&[]) });
    assert!(runtime.is_constrained() && *runtime.state() == State::Open);
    settle(&runtime, &ProbeReport { mode: Some(Mode::Legacy), ..report(&[]) });
    assert!(!runtime.is_constrained());
}

#[test]
fn each_command_stands_once_and_names_the_account_as_kubectl_does() {
    let mut report = report(&[Weight::Needed, Weight::Needed, Weight::Forbidden, Weight::Forbidden]);
    report.checks[2].mend = Mend::Unbind(Account::Impersonator);
    report.checks[3].mend = Mend::Unbind(Account::Reviewer);
    let list = "kubectl get clusterrolebindings,rolebindings --all-namespaces -o wide | grep -F";
    assert_eq!(
        report.commands(),
        [
            "gatewarden cluster manifest constrained --cluster east | kubectl apply -f -".to_owned(),
            format!("{list} 'gatewarden/gatewarden-impersonator'"),
            format!(r"{list} 'it'\''s me'"),
        ]
    );
}

#[test]
fn the_effect_is_what_the_state_does_to_requests() {
    let effect = |failed: &[Weight], dangerous| report(failed).effect(dangerous);
    assert!(effect(&[], false).contains("is open"));
    assert!(effect(&[Weight::Reviewer], false).contains("--as"));
    assert!(effect(&[Weight::Needed], true).contains("503"));
    assert!(effect(&[Weight::Forbidden], false).contains("closed"));
    assert!(effect(&[Weight::Forbidden], true).contains("dangerousPrivilegedAccount"));
}
