//! The suites themselves: a provider that obeys every rule passes, and each that breaks one is caught by the facts that
//! say so, and by no other.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod memory;
mod party;
mod slips;

use auth_conformance::{Site, run};

use crate::memory::Memory;

/// The one rule that a provider breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    TrustsTheLogin,
    EverybodyIsOne,
    SpeaksForAnother,
    PeopleAreGroups,
    RemembersTheOldLogin,
    KnowsOneSpelling,
    MixesUpKinds,
    LooksNobodyUp,
    CallsTheDeletedAnOutage,
    RefetchesTheDisabled,
    TakesEmptyPasswords,
    StopsAtNul,
    TakesHugePasswords,
    IgnoresCase,
    TakesAnyPasswordOfAnybody,
    TellsWhoIsThere,
    TellsTheStateToAnybody,
    IgnoresTheState,
    CallsAnOutageAWrongPassword,
    PrintsSecrets,
    ForgetsTheSecondPage,
    TakesNoneForSome,
    SaysGroupsTwice,
    GroupsAreNames,
    ForgetsGroupsOnRefetch,
    AnOutageEndsSessions,
    FindsNoGroups,
    FindsSomebodyAlways,
    FindsTheDeleted,
    FindsEveryKind,
    IgnoresTheLimit,
    HasOnePage,
    StartsOverOnEachPage,
    AnOutageFindsNobody,
    TakesPatterns,
    SearchesPatterns,
    BreaksOnText,
    Panics,
}

/// A flaw, and the facts that catch it.
type Caught = (Flaw, &'static [&'static str]);

const CAUGHT: &[Caught] = &[
    (
        Flaw::TrustsTheLogin,
        &["identity::an_id_outlives_a_rename", "identity::a_login_that_is_given_to_somebody_else_is_another_id"],
    ),
    (
        Flaw::EverybodyIsOne,
        &[
            "identity::different_people_have_different_ids",
            "identity::an_id_outlives_a_rename",
            "identity::a_login_that_is_given_to_somebody_else_is_another_id",
            "identity::an_id_that_nobody_has_is_nobody",
            "identity::whoever_is_deleted_is_gone",
            "identity::whoever_is_disabled_is_said_to_be",
            "groups::one_that_is_joined_is_seen",
            "groups::one_that_is_left_is_gone",
            "search::pages_bring_everybody_once",
        ],
    ),
    (Flaw::SpeaksForAnother, &["identity::an_id_is_of_this_instance_and_of_a_user"]),
    (
        Flaw::PeopleAreGroups,
        &[
            "identity::an_id_is_of_this_instance_and_of_a_user",
            "identity::an_id_outlives_a_rename",
            "identity::a_known_id_is_found_again",
            "identity::a_known_id_is_looked_up",
            "identity::whoever_is_disabled_is_said_to_be",
            "groups::a_refetch_says_what_a_login_says",
            "groups::one_that_is_joined_is_seen",
            "groups::one_that_is_left_is_gone",
            "groups::an_outage_takes_none_away",
            "search::a_person_is_found_by_the_beginning_of_a_name",
            "search::whoever_is_found_has_the_id_of_a_login",
            "search::pages_bring_everybody_once",
        ],
    ),
    (
        Flaw::RemembersTheOldLogin,
        &[
            "identity::an_id_outlives_a_rename",
            "search::a_person_is_found_by_the_beginning_of_a_name",
            "search::pages_bring_everybody_once",
        ],
    ),
    (Flaw::KnowsOneSpelling, &["identity::every_spelling_of_a_login_is_the_same_person"]),
    (Flaw::MixesUpKinds, &["identity::an_id_of_a_user_is_no_group"]),
    (Flaw::LooksNobodyUp, &["identity::a_known_id_is_looked_up", "groups::each_can_be_looked_up"]),
    (
        Flaw::CallsTheDeletedAnOutage,
        &["identity::a_login_that_is_given_to_somebody_else_is_another_id", "identity::whoever_is_deleted_is_gone"],
    ),
    (Flaw::RefetchesTheDisabled, &["identity::whoever_is_disabled_is_said_to_be"]),
    (Flaw::TakesEmptyPasswords, &["password::an_empty_one_never_logs_in"]),
    (Flaw::StopsAtNul, &["password::one_with_a_nul_never_logs_in"]),
    (Flaw::TakesHugePasswords, &["password::a_huge_one_never_logs_in"]),
    (Flaw::IgnoresCase, &["password::nearly_the_right_one_does_not"]),
    (Flaw::TakesAnyPasswordOfAnybody, &["password::somebody_elses_does_not"]),
    (Flaw::TellsWhoIsThere, &["password::an_unknown_person_is_told_the_same", "hostile::no_text_is_an_outage"]),
    (Flaw::TellsTheStateToAnybody, &["password::the_state_of_an_account_is_told_after_the_right_one_alone"]),
    (Flaw::IgnoresTheState, &["password::the_state_of_an_account_is_told_after_the_right_one_alone"]),
    (Flaw::CallsAnOutageAWrongPassword, &["password::an_outage_is_no_wrong_password"]),
    (Flaw::PrintsSecrets, &["password::no_secret_is_printed"]),
    (Flaw::ForgetsTheSecondPage, &["groups::all_of_them_come_with_a_login"]),
    (Flaw::TakesNoneForSome, &["groups::whoever_joined_none_is_in_none", "groups::one_that_is_left_is_gone"]),
    (Flaw::SaysGroupsTwice, &["groups::each_is_a_group_of_this_instance_and_comes_once"]),
    (Flaw::GroupsAreNames, &["groups::an_id_of_a_group_rests_on_no_name"]),
    (Flaw::ForgetsGroupsOnRefetch, &["groups::a_refetch_says_what_a_login_says", "groups::one_that_is_joined_is_seen"]),
    (Flaw::AnOutageEndsSessions, &["groups::an_outage_takes_none_away"]),
    (Flaw::FindsNoGroups, &["search::a_group_is_found"]),
    (Flaw::FindsSomebodyAlways, &["search::nobody_is_an_empty_page", "hostile::no_text_finds_everybody"]),
    (Flaw::FindsTheDeleted, &["search::whoever_is_deleted_is_not_found"]),
    (Flaw::FindsEveryKind, &["search::one_kind_is_found_where_one_was_asked_for"]),
    (Flaw::IgnoresTheLimit, &["search::a_page_holds_no_more_than_was_asked_for", "search::pages_bring_everybody_once"]),
    (Flaw::HasOnePage, &["search::pages_bring_everybody_once"]),
    (Flaw::StartsOverOnEachPage, &["search::pages_bring_everybody_once"]),
    (Flaw::AnOutageFindsNobody, &["search::an_outage_is_no_empty_page"]),
    (Flaw::TakesPatterns, &["hostile::no_text_logs_in_as_somebody"]),
    (Flaw::SearchesPatterns, &["hostile::no_text_finds_everybody"]),
    (Flaw::BreaksOnText, &["hostile::no_text_is_an_outage"]),
    (Flaw::Panics, &["hostile::no_text_logs_in_as_somebody", "hostile::no_text_is_an_outage"]),
];

/// Facts that no flaw here breaks: without them whoever refuses or takes everything would pass, and people in memory stand in
/// one list.
const IDLE: &[&str] = &[
    "identity::a_person_has_the_same_id_each_time",
    "identity::an_id_outlives_a_move",
    "password::the_right_one_logs_in",
    "password::a_wrong_one_does_not",
    "hostile::nobody_is_worse_off_afterwards",
];

/// The suites for those who send people to a page.
const TRIPS: [&str; 4] = ["redirect", "state", "token", "refresh"];

/// Two of them panic, and are caught: nobody needs to read of that.
fn hush() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let said = panic.payload().downcast_ref::<&str>().copied().unwrap_or_default();
            if !["a bracket", "an odd memo"].contains(&said) {
                usual(panic);
            }
        }));
    });
}

#[tokio::test]
async fn a_provider_that_obeys_every_rule_passes() {
    let report = run(&Memory::new(None)).await;
    assert!(report.failed().is_empty(), "{report}");
    let skipped: Vec<_> = report.skipped().filter(|(suite, ..)| !TRIPS.contains(suite)).collect();
    assert_eq!(skipped, [("identity", "an_id_outlives_a_move", "people stand in one list")]);
}

#[tokio::test]
async fn each_broken_rule_is_caught_by_the_facts_that_say_it() {
    hush();
    for (flaw, facts) in CAUGHT {
        let report = run(&Memory::new(Some(*flaw))).await;
        assert_eq!(report.failed(), *facts, "{flaw:?}\n{report}");
    }
}

#[tokio::test]
async fn a_client_that_obeys_every_rule_passes() {
    let report = run(&Site::start("party", party::party(None)).await.unwrap()).await;
    assert!(report.failed().is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_slip_of_a_client_is_caught_by_the_facts_that_say_it() {
    hush();
    let mut runs = tokio::task::JoinSet::new();
    for (slip, facts) in slips::CAUGHT {
        runs.spawn(async move {
            let report = run(&Site::start(format!("{slip:?}"), party::party(Some(*slip))).await.unwrap()).await;
            assert_eq!(report.failed(), *facts, "{slip:?}\n{report}");
        });
    }
    while let Some(found) = runs.join_next().await {
        found.unwrap();
    }
}

#[test]
fn each_fact_catches_something() {
    let all = auth_conformance::all();
    let facts =
        all.iter().flat_map(|suite| suite.facts.iter().map(move |fact| format!("{}::{}", suite.name, fact.name)));
    let catches = |fact: &String| {
        let flaws = CAUGHT.iter().flat_map(|(_, facts)| facts.iter());
        let slips = slips::CAUGHT.iter().flat_map(|(_, facts)| facts.iter());
        flaws.chain(slips).any(|caught| caught == fact)
    };
    let idle: Vec<String> = facts.filter(|fact| !catches(fact)).collect();
    assert_eq!(idle, IDLE);
}
