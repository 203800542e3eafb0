//! Groups that are too many for a token of Entra. There is no Graph to be had for a test: what is answered here follows its
//! documentation (list a user's transitive memberships, paging by `@odata.nextLink`).

use auth_core::testing::block_on;
use auth_core::{AuthError, BearerVerdict, Completeness, Login, ProviderSecret, Refetch};
use serde_json::{Value, json};

use super::bed::*;
use super::hostile::set;

const OID: &str = "7a9e4c10-0000-4000-8000-1b2c3d4e5f60";
const FIRST: &str =
    "/v1.0/users/7a9e4c10-0000-4000-8000-1b2c3d4e5f60/transitiveMemberOf/microsoft.graph.group?%24select=id&%24top=999";
const SECOND: &str =
    "/v1.0/users/7a9e4c10-0000-4000-8000-1b2c3d4e5f60/transitiveMemberOf/microsoft.graph.group?$skiptoken=x";

fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

fn page(ids: std::ops::Range<u32>, next: Option<&str>) -> (u16, Value) {
    let value: Vec<_> = ids.map(|n| json!({"id": id(n)})).collect();
    let mut page = json!({"@odata.context": "x", "value": value});
    if let Some(next) = next {
        page["@odata.nextLink"] = json!(next);
    }
    (200, page)
}

/// Entra, whose token of this person has too many groups.
fn entra() -> Bed {
    entra_with(json!({"directory": {"graph": {}}}))
}

fn entra_with(changes: Value) -> Bed {
    let mut config = json!({"preset": "entra", "bearer": {}});
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let bed = bed_with(config);
    let mut world = bed.world();
    world.claims.as_object_mut().unwrap().remove("groups");
    world.claims["oid"] = json!(OID);
    world.claims["_claim_names"] = json!({"groups": "src1"});
    world.claims["_claim_sources"] = json!({"src1": {"endpoint": "https://evil.example.org/groups"}});
    let next = format!("https://{GRAPH}{SECOND}");
    world.graph = [(FIRST.to_owned(), page(0..999, Some(&next))), (SECOND.to_owned(), page(999..1_200, None))].into();
    drop(world);
    bed
}

fn names(login: &Login) -> usize {
    assert_eq!(login.completeness, Completeness::Complete);
    login.groups.len()
}

#[test]
fn all_pages_of_graph_are_the_groups_of_somebody_who_has_too_many() {
    let bed = entra();
    let login = bed.log_in().unwrap();
    assert_eq!(names(&login), 1_200);
    assert_eq!(login.groups[7].id.to_string(), format!("sso_group://{}", id(7)));
    assert_eq!(bed.world().form["scope"], "https://graph.microsoft.com/.default");
    assert_eq!(bed.world().graph_asked, ["Bearer graph-1", "Bearer graph-1"]);
    // A refresh asks anew, with the token that it has.
    bed.world().graph.insert(FIRST.to_owned(), page(0..3, None));
    let Ok(Refetch::Current(current)) = bed.refetch(&login) else { panic!("not there") };
    assert!(current.groups.len() == 3 && current.completeness.is_complete(), "{:?}", current.completeness);
    assert_eq!(bed.world().graph_asked.len(), 3);
    assert_eq!(bed.world().form["grant_type"], "refresh_token", "no other token was asked for");
}

#[test]
fn the_other_sign_of_too_many_groups_asks_graph_too_and_a_token_that_tells_them_does_not() {
    let bed = entra();
    bed.world().change = Box::new(|forge| {
        forge.claims.as_object_mut().unwrap().remove("_claim_names");
        set(forge, "hasgroups", json!("true"));
    });
    assert_eq!(names(&bed.log_in().unwrap()), 1_200);
    let told = entra();
    told.world().change = Box::new(|forge| {
        forge.claims.as_object_mut().unwrap().remove("_claim_names");
        set(forge, "groups", json!([id(1), id(2)]));
    });
    assert_eq!(names(&told.log_in().unwrap()), 2);
    assert!(told.world().graph_asked.is_empty());
}

#[test]
fn a_bearer_of_too_many_groups_is_known_by_graph_and_an_outage_is_no_fault_of_the_token() {
    let bed = entra();
    let judge = || {
        let token = ProviderSecret::new(bed.world().mint());
        block_on(bed.provider.bearer().unwrap().authenticate_bearer(&bed.ctx(), &token))
    };
    match judge() {
        Ok(BearerVerdict::Proven(proof)) => assert_eq!(names(&proof.login), 1_200),
        other => panic!("{other:?}"),
    }
    bed.world().graph.insert(FIRST.to_owned(), (503, json!({})));
    assert!(matches!(judge(), Err(AuthError::Unavailable { .. })));
    bed.world().graph.insert(FIRST.to_owned(), (404, json!({})));
    assert!(matches!(judge(), Ok(BearerVerdict::Refused(why)) if why.contains("no such person")));
}

/// What Graph answers first, and what is said of it.
type Row = (&'static str, &'static str, (u16, Value));

fn hostile() -> Vec<Row> {
    let next = |next: &str| page(0..1, Some(next));
    vec![
        ("an outage", "answered 503", (503, json!({}))),
        ("a flood", "answered 429", (429, json!({}))),
        ("a token that is refused", "refuses the token", (401, json!({}))),
        ("no right", "GroupMember.Read.All", (403, json!({}))),
        ("nobody", "no such person", (404, json!({}))),
        ("another answer", "answered 302", (302, json!({}))),
        ("no list", "value is missing", (200, json!({}))),
        ("a list that is none", "value is missing", (200, json!({"value": {"id": id(1)}}))),
        ("a group without an id", "has no id", (200, json!({"value": [{"id": id(1)}, {"displayName": "x"}]}))),
        ("a group by name", "has no id", (200, json!({"value": [{"id": "admins"}]}))),
        ("an id as a number", "has no id", (200, json!({"value": [{"id": 7}]}))),
        ("a page elsewhere", "elsewhere", next("https://evil.example.org/v1.0/groups")),
        ("a page on another port", "elsewhere", next("https://graph.microsoft.com:444/v1.0/groups")),
        ("a page in plain text", "elsewhere", next("http://graph.microsoft.com/v1.0/groups")),
        ("a page of another service", "elsewhere", next("https://graph.microsoft.com/beta/groups")),
        ("a page with a name", "elsewhere", next("https://me:x@graph.microsoft.com/v1.0/groups")),
        ("a page that is no address", "no address", next("/v1.0/groups")),
        ("a page that is a list", "no address", (200, json!({"value": [], "@odata.nextLink": ["x"]}))),
        ("pages without end", "no end", next(&format!("https://{GRAPH}{FIRST}"))),
    ]
}

#[test]
fn whatever_graph_answers_nobody_logs_in_with_a_part_of_their_groups() {
    for (name, words, answer) in hostile() {
        let bed = entra();
        bed.world().graph.insert(FIRST.to_owned(), answer);
        let text = bed.log_in().unwrap_err().audit_text();
        assert!(text.contains(words), "{name}: {text}");
        assert!(bed.world().graph_asked.len() <= 21, "{name}");
    }
}

#[test]
fn a_lost_answer_in_between_takes_nothing_away_at_a_refresh() {
    let bed = entra();
    let login = bed.log_in().unwrap();
    bed.world().graph.insert(SECOND.to_owned(), (500, json!({})));
    let Ok(Refetch::Current(current)) = bed.refetch(&login) else { panic!("not there") };
    assert!(!current.completeness.is_complete(), "the rotated token is kept, and the groups are");
}

#[test]
fn without_a_directory_too_many_groups_are_incomplete_and_nobody_else_is_asked() {
    let bed = entra_with(json!({}));
    assert!(!bed.log_in().unwrap().completeness.is_complete());
    assert!(bed.http.asked().iter().all(|asked| asked.contains(ISSUER)), "{:?}", bed.http.asked());
}

#[test]
fn groups_by_name_beside_those_by_id_are_refused_and_so_is_an_id_that_is_none_of_entras() {
    let bed = entra();
    bed.world().change = Box::new(|forge| {
        forge.claims.as_object_mut().unwrap().remove("_claim_names");
        set(forge, "groups", json!([id(1), "admins"]));
    });
    let text = bed.log_in().unwrap_err().audit_text();
    assert!(text.contains("put group ids into them"), "{text}");
    let odd = entra();
    odd.world().claims["oid"] = json!("../../me/memberOf?x=aaaaaaaaaaaaaaaaa");
    let text = odd.log_in().unwrap_err().audit_text();
    assert!(text.contains("object id"), "{text}");
    assert!(odd.world().graph_asked.is_empty());
}
