//! What a server leaves out, and says so in passing.

use auth_core::{Completeness, Login, Search};

use crate::fake::{Answer, Fake, Request, SEARCH, alice, element, entry, group, message, number, obliging, result};
use crate::hostile::config;
use crate::support::{Client, context};

fn asks_for_groups(request: &Request) -> bool {
    request.operation == SEARCH && request.mentions("groupOfNames")
}

async fn login_with(answer: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) -> Login {
    let fake = Fake::start(obliging(answer)).await;
    let mut config = config(&[fake.port]);
    config["groups"]["strategy"] = "search".into();
    Client::new(config).login("alice", "alice-secret").await.unwrap()
}

fn why(login: &Login) -> &str {
    match &login.completeness {
        Completeness::Incomplete(why) => why,
        Completeness::Complete => "complete",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn part_of_the_groups_is_never_taken_for_all_of_them() {
    for (code, word) in [(3, "time limit"), (4, "size limit"), (11, "administrative limit")] {
        let login = login_with(move |request| {
            asks_for_groups(request).then(|| {
                let parts = [group(1), group(2), result(0x65, code)].map(|part| message(request.id, &part));
                Answer::Send(parts.concat())
            })
        })
        .await;
        assert!(why(&login).contains(word), "{code}: {}", why(&login));
        assert_eq!(login.groups.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_groups_stops_at_the_limit() {
    let login =
        login_with(|request| asks_for_groups(request).then(|| Answer::Flood(message(request.id, &group(1))))).await;
    assert!(why(&login).contains("maxGroups"), "{}", why(&login));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_end_end() {
    let login = login_with(|request| {
        asks_for_groups(request).then(|| {
            let value = element(0x30, &[&[2, 1, 0], &element(4, &[b"again"])]);
            let control = element(0x30, &[&element(4, &[b"1.2.840.113556.1.4.319"]), &element(4, &[&value])]);
            let done = element(0x30, &[&number(request.id), &result(0x65, 0), &element(0xa0, &[&control])]);
            Answer::Send(done)
        })
    })
    .await;
    assert!(why(&login).contains("do not end"), "{}", why(&login));
}

#[tokio::test(flavor = "multi_thread")]
async fn references_to_other_servers_are_passed_over() {
    let login = login_with(|request| {
        (request.operation == SEARCH).then(|| {
            let reference = element(0x73, &[&element(4, &[b"ldap://evil.example.org/dc=x"])]);
            let found = if asks_for_groups(request) { group(1) } else { alice() };
            let parts = [reference.clone(), found, reference, result(0x65, 0)];
            Answer::Send(parts.map(|part| message(request.id, &part)).concat())
        })
    })
    .await;
    assert_eq!(why(&login), "complete");
    assert_eq!(login.groups.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_the_directory_cut_is_an_error_not_fewer_people() {
    let fake = Fake::start(obliging(|request| {
        (request.operation == SEARCH)
            .then(|| Answer::Send([message(request.id, &alice()), message(request.id, &result(0x65, 4))].concat()))
    }))
    .await;
    let client = Client::new(config(&[fake.port]));
    let error = client.provider.search_principals(&context(), Search::new("a", 10)).await.unwrap_err();
    assert!(error.to_string().contains("cut"), "{error}");
    let page = client.provider.search_principals(&context(), Search::new("a", 1)).await.unwrap();
    assert_eq!(page.principals.len(), 1, "what was asked for is there");
    assert!(page.next.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_question_brings_so_much_and_no_more() {
    let fake = Fake::start(obliging(|request| {
        let reference = element(0x73, &[&element(4, &[b"ldap://evil.example.org/dc=x"])]);
        (request.operation == SEARCH).then(|| Answer::Flood(message(request.id, &reference)))
    }))
    .await;
    assert_eq!(Client::new(config(&[fake.port])).refusal("alice", "alice-secret").await, "protocol");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_comes_in_ranges_is_known_to_be_cut() {
    let fake = Fake::start(obliging(|request| {
        let people = request.operation == SEARCH && request.mentions("inetOrgPerson");
        people.then(|| {
            let cut = entry(
                "uid=alice,ou=people",
                &[("entryUUID", "a-1"), ("uid", "alice"), ("memberOf;range=0-0", "cn=g1,ou=groups")],
            );
            Answer::Send([message(request.id, &cut), message(request.id, &result(0x65, 0))].concat())
        })
    }))
    .await;
    let mut config = config(&[fake.port]);
    config["groups"]["strategy"] = "memberOf".into();
    let login = Client::new(config).login("alice", "alice-secret").await.unwrap();
    assert!(why(&login).contains("only part"), "{}", why(&login));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_and_a_limit_is_not_one_person() {
    for code in [4, 3, 11, 80] {
        let fake = Fake::start(obliging(move |request| {
            let people = request.operation == SEARCH && request.mentions("inetOrgPerson");
            people.then(|| {
                Answer::Send([message(request.id, &alice()), message(request.id, &result(0x65, code))].concat())
            })
        }))
        .await;
        let refusal = Client::new(config(&[fake.port])).refusal("alice", "alice-secret").await;
        assert_eq!(refusal, if code == 4 { "ambiguous" } else { "unavailable" }, "{code}");
    }
}
