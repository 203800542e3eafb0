//! What a refetch does, and what it must never do.

use std::pin::pin;
use std::time::Duration;

use auth_core::{AccessMode, AccessPolicy, Clock as _};

use super::*;
use crate::testing::bears::{claims, token};
use crate::testing::{Mood, Person as Scripted, Site};
use crate::{ChangeEvent, LoginDone, RefreshAnswer};

/// Asks the running server, as the command does, and waits for its answer.
async fn refresh(site: &Site, user: &str) -> Outcome {
    let admin = site.admin();
    let id = admin.request_refresh(user).await.expect("requested");
    let answer = async {
        loop {
            if let Some(answer) = admin.refresh_answer(&id).await.expect("read") {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let RefreshAnswer { mut principals, .. } =
        tokio::time::timeout(Duration::from_secs(30), answer).await.expect("the server answers");
    assert_eq!(principals.len(), 1);
    principals.remove(0).outcome
}

async fn groups(site: &Site, login: &LoginDone) -> Vec<String> {
    site.control.resolve_token(login.token.expose()).await.expect("valid").identity.user.groups
}

async fn is_over(site: &Site, login: &LoginDone) -> bool {
    site.control.resolve_token(login.token.expose()).await.is_err()
}

fn person(groups: &[(&'static str, &'static str)]) -> Scripted {
    Scripted { groups: groups.to_vec(), ..Scripted::default() }
}

#[tokio::test]
async fn a_lost_group_changes_every_session_and_says_that_something_is_gone() {
    let site = Site::open().await;
    let (a, b) = (site.login("alice").await.expect("in"), site.login("alice").await.expect("in"));
    let mut events = site.control.events();
    site.corp.set("alice", person(&[("1", "dev")]));
    assert_eq!(refresh(&site, "alice").await, Outcome::Current { groups: 1 });
    for login in [&a, &b] {
        assert_eq!(groups(&site, login).await, ["corp:dev"]);
        let lost = ChangeEvent::SessionChanged { session: login.session.clone(), lost: true };
        site.until(&mut events, &lost).await;
    }
}

#[tokio::test]
async fn a_gained_group_costs_nobody_a_stream() {
    let site = Site::open().await;
    let login = site.login("bob").await.expect("logged in");
    let mut events = site.control.events();
    site.corp.set("bob", person(&[("3", "qa")]));
    refresh(&site, "bob").await;
    assert_eq!(groups(&site, &login).await, ["corp:qa"]);
    site.until(&mut events, &ChangeEvent::SessionChanged { session: login.session, lost: false }).await;
}

#[tokio::test]
async fn an_unchanged_identity_makes_no_noise() {
    let site = Site::open().await;
    let login = site.login("alice").await.expect("logged in");
    let mut events = site.control.events();
    refresh(&site, "alice").await;
    site.admin().end_session(login.session.as_str()).await.expect("ended");
    let seen = site.until(&mut events, &ChangeEvent::SessionEnded(login.session)).await;
    assert!(!seen.iter().any(|event| matches!(event, ChangeEvent::SessionChanged { .. })), "{seen:?}");
}

#[tokio::test]
async fn incomplete_groups_never_replace_complete_ones() {
    let site = Site::open().await;
    let login = site.login("alice").await.expect("logged in");
    site.corp.set("alice", Scripted { incomplete: true, ..person(&[("1", "dev"), ("66", "root")]) });
    assert!(matches!(refresh(&site, "alice").await, Outcome::Incomplete { .. }));
    assert_eq!(groups(&site, &login).await, ["corp:dev", "corp:ops"], "nothing taken, nothing given");
    let noted = site.admin().sessions(None).await.expect("listed").remove(0);
    assert_eq!(noted.incomplete.as_deref(), Some("the page limit was reached"));
    site.corp.set("alice", person(&[("1", "dev")]));
    refresh(&site, "alice").await;
    assert_eq!(site.admin().sessions(None).await.expect("listed").remove(0).incomplete, None);
}

#[tokio::test]
async fn an_outage_changes_nothing() {
    let site = Site::open().await;
    let login = site.login("alice").await.expect("logged in");
    *site.corp.mood() = Mood::Down;
    assert!(matches!(refresh(&site, "alice").await, Outcome::Unavailable { .. }));
    assert_eq!(groups(&site, &login).await, ["corp:dev", "corp:ops"]);
}

#[tokio::test]
async fn who_is_gone_disabled_or_has_to_log_in_again_loses_their_sessions() {
    for (mood, expected) in
        [(Mood::Gone, Outcome::Gone), (Mood::Disabled, Outcome::Disabled), (Mood::NeedsLogin, Outcome::NeedsLogin)]
    {
        let site = Site::open().await;
        let login = site.login("alice").await.expect("logged in");
        let other = site.login("bob").await.expect("logged in");
        *site.corp.mood() = mood;
        assert_eq!(refresh(&site, "alice").await, expected);
        assert!(is_over(&site, &login).await, "{mood:?}");
        assert!(!is_over(&site, &other).await, "nobody asked about bob");
    }
}

#[tokio::test]
async fn what_a_login_would_refuse_ends_the_session() {
    let policy = AccessPolicy::new(AccessMode::Required, ["corp_group://1".parse().expect("an id")]);
    let site = Site::with(policy, crate::Settings::default()).await;
    let login = site.login("alice").await.expect("logged in");
    site.corp.set("alice", person(&[("2", "ops")]));
    assert!(matches!(refresh(&site, "alice").await, Outcome::Refused { .. }));
    assert!(is_over(&site, &login).await);

    for mood in [Mood::Narrow, Mood::Refuses] {
        let site = Site::open().await;
        let login = site.login("alice").await.expect("logged in");
        *site.corp.mood() = mood;
        let outcome = refresh(&site, "alice").await;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{mood:?}: {outcome:?}");
        assert!(is_over(&site, &login).await, "{mood:?}");
    }
}

#[tokio::test]
async fn a_new_name_that_is_anothers_ends_the_session() {
    let site = Site::open().await;
    let login = site.login("alice").await.expect("logged in");
    site.login("bob").await.expect("logged in");
    site.corp.set("alice", Scripted { name: Some("bob"), ..Scripted::default() });
    assert!(matches!(refresh(&site, "corp_user://alice").await, Outcome::Refused { .. }));
    assert!(is_over(&site, &login).await);
}

#[tokio::test]
async fn a_user_whose_provider_is_not_configured_is_left_alone() {
    let site = Site::open().await;
    site.login("alice").await.expect("logged in");
    site.control.replace_providers(Registry::default()).await.expect("replaced");
    assert_eq!(refresh(&site, "alice").await, Outcome::NotConfigured);
}

#[tokio::test]
async fn the_timer_reads_everybody_anew_without_being_asked() {
    let site = Site::open().await;
    let login = site.login("alice").await.expect("logged in");
    let mut events = site.control.events();
    site.corp.set("alice", person(&[]));
    site.clock.advance(Duration::from_secs(17 * 60));
    site.until(&mut events, &ChangeEvent::SessionChanged { session: login.session.clone(), lost: true }).await;
    assert!(groups(&site, &login).await.is_empty());
}

#[tokio::test]
async fn a_directory_is_asked_about_few_at_a_time_however_many_are_due() {
    let site = Site::open().await;
    let mut events = site.control.events();
    let mut sessions = Vec::new();
    for name in ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10", "u11"] {
        site.corp.set(name, person(&[("1", "dev")]));
        sessions.push(site.login(name).await.expect("logged in").session);
        site.corp.set(name, person(&[]));
    }
    site.clock.advance(Duration::from_secs(17 * 60));
    let mut told = std::collections::BTreeSet::new();
    while told.len() < sessions.len() {
        let next = ChangeEvent::Heartbeat;
        for event in site.until(&mut events, &next).await {
            if let ChangeEvent::SessionChanged { session, lost: true } = event {
                told.insert(session);
            }
        }
    }
    assert_eq!(site.corp.most_at_once(), 4);
}

#[tokio::test]
async fn a_login_after_the_question_knows_better_than_its_answer() {
    let site = Site::open().await;
    let asked_at = site.control.store().now();
    site.clock.advance(Duration::from_secs(1));
    let login = site.login("alice").await.expect("logged in");
    let (user, extra) = (principal(&login), std::collections::BTreeMap::new());
    let stale =
        Person { user, groups: Vec::new(), extra, secret: None, amr: Vec::new(), auth_time: None, upstream: None };
    let registry = site.control.registry();
    let entry = registry.entry("corp").expect("configured");
    let ctx = site.control.context(String::new());
    let proven = Proven { ctx: &ctx, uid: &login.user, person: &stale, store: site.control.store() };
    let identity = registry.admit(entry, proven).await.expect("admitted");
    apply::renew(&site.control, identity, &stale, asked_at).await.expect("applied");
    assert_eq!(groups(&site, &login).await, ["corp:dev", "corp:ops"]);
}

#[tokio::test]
async fn who_has_to_log_in_again_keeps_a_newer_login_and_what_rests_on_outside_tokens() {
    let site = Site::open().await;
    let old = site.login("alice").await.expect("logged in");
    let token = token(&claims(&site, "alice"));
    site.control.resolve_signed(&token).await.expect("good");
    let asked_at = site.control.store().now();
    site.clock.advance(Duration::from_secs(1));
    let new = site.login("alice").await.expect("logged in");
    apply::end(&site.control, (&principal(&new).id, asked_at), Outcome::NeedsLogin).await.expect("applied");
    assert!(is_over(&site, &old).await);
    assert!(!is_over(&site, &new).await, "it began during the question");
    site.control.resolve_signed(&token).await.expect("nobody asks about it again");
}

#[tokio::test]
async fn to_ask_about_somebody_who_only_bears_tokens_ends_nothing() {
    let site = Site::open().await;
    let token = token(&claims(&site, "alice"));
    site.control.resolve_signed(&token).await.expect("good");
    *site.corp.mood() = Mood::NeedsLogin;
    assert_eq!(refresh(&site, "alice").await, Outcome::NeedsLogin);
    site.control.resolve_signed(&token).await.expect("as good as before");
}

#[tokio::test]
async fn a_question_that_waited_for_another_has_its_whole_time() {
    let site = Site::open().await;
    let away = site.add_away().await;
    let login = site.login_away().await;
    let id = principal(&login).id;
    let turn = site.control.turns().of(&id);
    let held = turn.lock().await;
    let registry = site.control.registry();
    let mut asking = pin!(site.control.read_anew(&registry, &login.user, &id));
    for _ in 0..9 {
        assert!(tokio::time::timeout(Duration::from_millis(10), &mut asking).await.is_err(), "it is not its turn");
        site.clock.advance(Duration::from_secs(1));
    }
    drop(held);
    assert_eq!(asking.await, Outcome::Current { groups: 1 });
    assert_eq!(away.asked_until(), Some(site.clock.monotonic() + Duration::from_secs(10)));
}

#[tokio::test]
async fn a_question_waits_for_another_as_long_as_one_may_take_and_no_longer() {
    let site = Site::open().await;
    let away = site.add_away().await;
    let login = site.login_away().await;
    let id = principal(&login).id;
    let turn = site.control.turns().of(&id);
    let _held = turn.lock().await;
    let registry = site.control.registry();
    let mut asking = pin!(site.control.read_anew(&registry, &login.user, &id));
    let mut answer = None;
    for _ in 0..1_000 {
        answer = tokio::time::timeout(Duration::from_millis(10), &mut asking).await.ok();
        if answer.is_some() {
            break;
        }
        site.clock.advance(Duration::from_secs(1));
    }
    assert!(matches!(answer, Some(Outcome::Unavailable { .. })), "{answer:?}");
    assert_eq!(away.asked_until(), None, "its secret is not sent");
    assert!(!is_over(&site, &login).await);
}

fn principal(login: &LoginDone) -> auth_core::Principal {
    let id = login.identity.subjects.first().expect("the user").parse().expect("an id");
    auth_core::Principal::new(id, "alice")
}

/// From here on no session can be written, as on a full disk.
async fn fill(site: &Site) {
    let full = "CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT RAISE(FAIL, 'the disk is full'); END";
    change_the_store(site, full).await;
}

async fn make_room(site: &Site) {
    change_the_store(site, "DROP TRIGGER full").await;
}

async fn change_the_store(site: &Site, sql: &'static str) {
    let mut write = site.control.store().write().await.expect("a write");
    sqlx::query(sql).execute(write.connection()).await.expect("done");
    write.commit(crate::store::Change::Swept).await.expect("kept");
}

#[tokio::test]
async fn a_store_that_cannot_be_written_keeps_nobody_in() {
    let site = Site::open().await;
    let (login, other) = (site.login("alice").await.expect("in"), site.login("bob").await.expect("in"));
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    fill(&site).await;
    *site.corp.mood() = Mood::Gone;
    let (registry, principal) = (site.control.registry(), principal(&login).id);
    let outcome = site.control.read_anew(&registry, &login.user, &principal).await;
    assert!(matches!(outcome, Outcome::Unavailable { .. }), "{outcome:?}");
    site.until(&mut events, &ChangeEvent::SessionChanged { session: login.session.clone(), lost: true }).await;
    let refused = site.control.resolve_token(login.token.expose()).await;
    assert!(matches!(refused, Err(crate::ResolveError::Unavailable { .. })), "{refused:?}");
    site.control.resolve_token(other.token.expose()).await.expect("nobody else waits");
    make_room(&site).await;
    assert_eq!(site.control.read_anew(&registry, &login.user, &principal).await, Outcome::Gone);
    assert!(is_over(&site, &login).await);
}

/// Lets `minutes` go by, and everything happen that is due meanwhile.
async fn pass(site: &Site, events: &mut crate::Events, minutes: u64) {
    for _ in 0..minutes * 2 {
        // A question whose time is over is one that is asked again.
        while !site.corp.is_idle() {
            tokio::task::yield_now().await;
        }
        site.clock.advance(Duration::from_secs(30));
        // The clock stands while the machine is busy: it must not run ahead of those who are to do something by it.
        let next = async { while events.next().await.expect("the gateway runs") != ChangeEvent::Heartbeat {} };
        tokio::time::timeout(Duration::from_secs(60), next).await.expect("the changes are read");
        for _ in 0..20_000 {
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until so many questions were asked.
async fn asked(site: &Site, events: &mut crate::Events, questions: usize) {
    let all = async {
        for tries in 0_u32.. {
            if site.corp.questions() >= questions {
                return;
            }
            // They are due, and on their way: the clock moves only for what waits for it.
            tokio::time::sleep(Duration::from_millis(50)).await;
            if tries > 100 {
                site.until(events, &ChangeEvent::Heartbeat).await;
            }
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), all).await;
    assert!(done.is_ok(), "{} questions of {questions}", site.corp.questions());
}

#[tokio::test]
async fn a_directory_that_is_down_is_asked_less_and_less_and_everybody_is_read_when_it_is_back() {
    // The clock moves faster here than the directory answers.
    let settings = crate::Settings { provider_deadline: Duration::from_hours(1), ..crate::Settings::default() };
    let site = Site::with(AccessPolicy::default(), settings).await;
    let mut events = site.control.events();
    let names: Vec<&'static str> = (0..40).map(|n| &*Box::leak(format!("u{n}").into_boxed_str())).collect();
    let mut open = std::collections::BTreeSet::new();
    for name in names {
        site.corp.set(name, person(&[("1", "dev")]));
        open.insert(site.login(name).await.expect("logged in").session);
        site.corp.set(name, person(&[]));
    }
    *site.corp.mood() = Mood::Down;
    pass(&site, &mut events, 90).await;
    let asked = site.corp.questions();
    assert!((5..45).contains(&asked), "{asked} questions about forty people in an hour and a half");
    *site.corp.mood() = Mood::Well;
    // Longer than the longest pause; from then on as slowly as calls take.
    site.clock.advance(Duration::from_mins(6));
    let all = async {
        while !open.is_empty() {
            for event in site.until(&mut events, &ChangeEvent::Heartbeat).await {
                if let ChangeEvent::SessionChanged { session, lost: true } = event {
                    open.remove(&session);
                }
            }
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(60), all).await;
    assert!(done.is_ok(), "{} are not read; {} questions, {asked} before", open.len(), site.corp.questions());
}

#[tokio::test]
async fn two_servers_on_one_store_ask_about_nobody_twice() {
    // The clock moves faster here than the directory answers, and a claim lasts as long as a question may.
    let settings = crate::Settings { provider_deadline: Duration::from_hours(1), ..crate::Settings::default() };
    let site = Site::with(AccessPolicy::default(), settings).await;
    let _other = site.another().await;
    let mut events = site.control.events();
    eight_log_in(&site).await;
    for round in 1..=2 {
        pass(&site, &mut events, 17).await;
        asked(&site, &mut events, 8 * round).await;
        assert_eq!(site.corp.questions(), 8 * round, "in round {round}");
    }
}

#[tokio::test]
async fn a_server_that_is_left_alone_asks_about_everybody() {
    let site = Site::open().await;
    let other = site.another().await;
    let mut events = site.control.events();
    eight_log_in(&site).await;
    pass(&site, &mut events, 17).await;
    let before = site.corp.questions();
    other.shutdown().await;
    pass(&site, &mut events, 17).await;
    asked(&site, &mut events, before + 8).await;
}

async fn eight_log_in(site: &Site) {
    for name in ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"] {
        site.corp.set(name, person(&[("1", "dev")]));
        site.login(name).await.expect("logged in");
    }
}

#[tokio::test]
async fn a_person_whose_groups_were_read_on_a_refresh_is_not_asked_about_again() {
    let site = Site::open().await;
    let mut events = site.control.events();
    site.login("alice").await.expect("logged in");
    pass(&site, &mut events, 10).await;
    refresh(&site, "alice").await;
    assert_eq!(site.corp.questions(), 1);
    pass(&site, &mut events, 13).await;
    assert_eq!(site.corp.questions(), 1, "the first due time is over, and she was read meanwhile");
    pass(&site, &mut events, 5).await;
    asked(&site, &mut events, 2).await;
}

#[tokio::test]
async fn a_store_that_takes_no_claim_keeps_nobody_from_being_asked_about() {
    let site = Site::open().await;
    let login = site.login("alice").await.expect("in");
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    let mut write = site.control.store().write().await.expect("a write");
    let full = "CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT RAISE(FAIL, 'the disk is full'); END";
    sqlx::query(full).execute(write.connection()).await.expect("made");
    write.commit(crate::store::Change::Swept).await.expect("kept");
    *site.corp.mood() = Mood::Gone;
    site.clock.advance(Duration::from_secs(17 * 60));
    site.until(&mut events, &ChangeEvent::SessionChanged { session: login.session.clone(), lost: true }).await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_written_keeps_nobody_in() {
    let site = Site::open().await;
    site.add_away().await;
    let (login, other) = (site.login_away().await, site.login("bob").await.expect("in"));
    let mut events = site.control.events();
    site.until(&mut events, &ChangeEvent::Heartbeat).await;
    fill(&site).await;
    let (registry, principal) = (site.control.registry(), principal(&login).id);
    let outcome = site.control.read_anew(&registry, &login.user, &principal).await;
    assert!(matches!(outcome, Outcome::Unavailable { .. }), "{outcome:?}");
    site.until(&mut events, &ChangeEvent::SessionChanged { session: login.session.clone(), lost: true }).await;
    let refused = site.control.resolve_token(login.token.expose()).await;
    assert!(matches!(refused, Err(crate::ResolveError::Unavailable { .. })), "{refused:?}");
    site.control.resolve_token(other.token.expose()).await.expect("nobody else waits");
    // The secret is spent, and the next one was lost.
    make_room(&site).await;
    assert_eq!(site.control.read_anew(&registry, &login.user, &principal).await, Outcome::NeedsLogin);
    assert!(is_over(&site, &login).await);
}

#[tokio::test]
async fn a_session_of_many_that_cannot_be_ended_keeps_nobody_in() {
    let site = Site::open().await;
    site.add_away().await;
    let old = site.login_away().await;
    let (registry, principal) = (site.control.registry(), principal(&old).id);
    let ask = || site.control.read_anew(&registry, &old.user, &principal);
    assert_eq!(ask().await, Outcome::Current { groups: 1 });
    // Its secret is the first again, which is spent: only its person can renew it.
    let new = site.login_away().await;
    fill(&site).await;
    assert!(matches!(ask().await, Outcome::Unavailable { .. }));
    for login in [&old, &new] {
        let refused = site.control.resolve_token(login.token.expose()).await;
        assert!(matches!(refused, Err(crate::ResolveError::Unavailable { .. })), "{refused:?}");
    }
    make_room(&site).await;
    assert_eq!(ask().await, Outcome::Current { groups: 1 });
    assert!(is_over(&site, &new).await);
    site.control.resolve_token(old.token.expose()).await.expect("the other one is good again");
}

#[tokio::test]
async fn a_secret_that_is_written_restores_no_trust_yet() {
    let site = Site::open().await;
    site.add_away().await;
    let login = site.login_away().await;
    let (registry, principal) = (site.control.registry(), principal(&login).id);
    site.control.distrust(&principal).await;
    let entry = registry.entry("away").expect("configured");
    let answer = site.control.refetch(entry, "test", &principal).await.expect("the next secret is written");
    assert!(matches!(answer, Ok(Refetch::Current(_))), "{answer:?}");
    assert!(site.control.is_outdated(&principal.to_string()), "nothing of the answer itself is written yet");
    assert_eq!(site.control.read_anew(&registry, &login.user, &principal).await, Outcome::Current { groups: 1 });
    assert!(!site.control.is_outdated(&principal.to_string()));
}

#[tokio::test]
async fn what_cannot_be_written_ends_what_runs_by_outside_tokens_too() {
    let site = Site::open().await;
    let login = site.login("alice").await.expect("logged in");
    let token = token(&claims(&site, "alice"));
    let borne = site.control.resolve_signed(&token).await.expect("good").session;
    let mut events = site.control.events();
    site.until(&mut events, &crate::ChangeEvent::Heartbeat).await;
    site.control.distrust(&principal(&login).id).await;
    let ended = |session| crate::ChangeEvent::SessionChanged { session, lost: true };
    let mut seen = site.until(&mut events, &ended(borne)).await;
    seen.retain(|event| *event == ended(login.session.clone()));
    assert_eq!(seen.len(), 1);
    let refused = site.control.resolve_signed(&token).await;
    assert!(matches!(refused, Err(crate::ResolveError::Unavailable { .. })), "{refused:?}");
}
