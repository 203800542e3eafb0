use std::time::Duration;

use kube_wire::UserInfo;

use super::*;
use crate::boundary::{ClusterConfig, GrantConfig, Session, SessionParts, SnapshotConfig};
use crate::testing::{TestTime, alice, cluster};

fn feed() -> (RevokedSender, Revoked, Arc<TestTime>) {
    let time = Arc::new(TestTime::new());
    let (sender, revoked) = Revoked::new(time.clone());
    (sender, revoked, time)
}

fn life(revoked: &Revoked, token: &str) -> Life {
    revoked.enroll(&alice(token), revoked.sequence()).unwrap()
}

#[test]
fn a_gate_without_a_recent_heartbeat_is_not_fresh() {
    let (sender, revoked, time) = feed();
    assert!(!revoked.is_fresh(time.monotonic()), "before the first");
    sender.heartbeat();
    time.pass(Duration::from_secs(60));
    assert!(revoked.is_fresh(time.monotonic()));
    time.pass(Duration::from_secs(1));
    assert!(!revoked.is_fresh(time.monotonic()));
    sender.heartbeat();
    assert!(revoked.is_fresh(time.monotonic()));
}

#[test]
fn each_kind_of_revocation_ends_what_it_names_and_nothing_else() {
    for (revocation, ends) in [
        (Revocation::Token("gwt-a".into()), true),
        (Revocation::Token("gwt-b".into()), false),
        (Revocation::Session("s-1".into()), true),
        (Revocation::Session("s-2".into()), false),
        (Revocation::User("u-alice".into()), true),
        (Revocation::User("u-bob".into()), false),
        (Revocation::Everything, true),
        (Revocation::SessionChanged { session: "s-1".into(), lost: true }, true),
        (Revocation::SessionChanged { session: "s-2".into(), lost: true }, false),
    ] {
        let (sender, revoked, _) = feed();
        let life = life(&revoked, "gwt-a");
        sender.send(&revocation);
        assert_eq!(
            (life.is_over(), life.is_stale(), life.ended().is_cancelled()),
            (ends, ends, ends),
            "{revocation:?}"
        );
    }
}

#[test]
fn a_change_without_loss_asks_again_and_lets_streams_run() {
    let (sender, revoked, _) = feed();
    let old = life(&revoked, "gwt-a");
    sender.send(&Revocation::SessionChanged { session: "s-1".into(), lost: false });
    assert!(old.is_stale() && !old.is_over());
    let new = life(&revoked, "gwt-a");
    assert!(old.is_stale(), "an answer that was replaced never comes back");
    assert!(!new.is_stale());
    sender.send(&Revocation::Token("gwt-a".into()));
    assert!(old.is_over() && new.is_over(), "streams of the old answer end with the token");
}

#[test]
fn an_answer_that_raced_a_revocation_is_not_used() {
    let (sender, revoked, _) = feed();
    let since = revoked.sequence();
    sender.send(&Revocation::User("u-bob".into()));
    assert!(revoked.enroll(&alice("gwt-a"), since).is_ok(), "somebody else's");
    sender.send(&Revocation::User("u-alice".into()));
    assert_eq!(revoked.enroll(&alice("gwt-a"), since).unwrap_err(), Raced);
    assert!(revoked.enroll(&alice("gwt-a"), revoked.sequence()).is_ok(), "asked again after it");
}

#[test]
fn an_answer_older_than_what_is_remembered_is_not_used() {
    let (sender, revoked, _) = feed();
    let since = revoked.sequence();
    for _ in 0..=REMEMBERED {
        sender.send(&Revocation::User("u-bob".into()));
    }
    assert_eq!(revoked.enroll(&alice("gwt-a"), since).unwrap_err(), Raced);
}

#[test]
fn a_token_that_ended_and_is_resolved_again_gets_a_new_life() {
    let (sender, revoked, _) = feed();
    let old = life(&revoked, "gwt-a");
    sender.send(&Revocation::Session("s-1".into()));
    let new = life(&revoked, "gwt-a");
    assert!(old.is_over() && !new.is_over());
}

#[test]
fn lives_that_nobody_holds_are_forgotten() {
    let (_sender, revoked, _) = feed();
    for number in 0..5_000 {
        life(&revoked, &format!("gwt-{number}"));
    }
    assert!(revoked.0.lock().tokens.len() <= 1_024);
}

#[test]
fn a_token_ends_at_its_time_and_one_that_was_prolonged_later() {
    let (_sender, revoked, time) = feed();
    let (short, prolonged) = (life(&revoked, "gwt-a"), life(&revoked, "gwt-b"));
    let more = Resolved { expires_at: alice("gwt-b").expires_at + Duration::from_secs(60), ..alice("gwt-b") };
    revoked.enroll(&more, revoked.sequence()).unwrap();
    time.pass(Duration::from_secs(3_599));
    revoked.end_expired();
    assert!(!short.is_over() && !prolonged.is_over());
    time.pass(Duration::from_secs(1));
    revoked.end_expired();
    assert!(short.is_over() && short.ended().is_cancelled());
    assert!(!prolonged.is_over());
}

#[test]
fn a_reload_ends_those_who_may_enter_less_and_nobody_else() {
    let whole = || vec![grant("corp:dev", "east", false), grant("corp:ops", "*", false)];
    let reserving = ClusterConfig { reserved: vec!["corp:a*".to_owned()], ..cluster("east") };
    let both = || vec![cluster("east"), cluster("west")];
    for (what, clusters, grants, ended) in [
        ("nothing changed", both(), whole(), [false, false]),
        ("a grant more", both(), [whole(), vec![grant("corp:dev", "west", true)]].concat(), [false, false]),
        ("a grant taken over by another", both(), vec![grant("corp:dev", "*", false)], [false, true]),
        ("a cluster more", vec![cluster("east"), cluster("west"), cluster("new")], whole(), [false, false]),
        ("a grant gone", both(), vec![grant("corp:ops", "*", false)], [true, false]),
        ("only to read", both(), vec![grant("corp:dev", "east", true), grant("corp:ops", "*", false)], [true, false]),
        ("a cluster of one gone", vec![cluster("east")], whole(), [false, true]),
        ("a name newly kept", vec![reserving, cluster("west")], whole(), [true, false]),
    ] {
        let (sender, revoked, _) = feed();
        let dev = life(&revoked, "gwt-dev");
        let ops = revoked.enroll(&bob(), revoked.sequence()).unwrap();
        sender.reloaded(&snapshot(both(), whole()), &snapshot(clusters, grants));
        assert_eq!([dev.is_over(), ops.is_over()], ended, "{what}");
    }
}

fn snapshot(clusters: Vec<ClusterConfig>, grants: Vec<GrantConfig>) -> Snapshot {
    Snapshot::build(SnapshotConfig { clusters, grants, ..SnapshotConfig::default() }).unwrap()
}

fn grant(subject: &str, cluster: &str, read_only: bool) -> GrantConfig {
    GrantConfig { subjects: vec![subject.to_owned()], clusters: vec![cluster.to_owned()], read_only }
}

fn bob() -> Resolved {
    let parts = SessionParts {
        id: "s-2".to_owned(),
        user: "u-bob".to_owned(),
        provider: "corp".to_owned(),
        principal: "corp_user://43".to_owned(),
        identity: UserInfo::named("corp:bob"),
        subjects: vec!["corp:ops".to_owned()],
    };
    Resolved { session: Arc::new(Session::new(parts).unwrap()), ..alice("gwt-bob") }
}
