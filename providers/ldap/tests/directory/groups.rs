use std::fmt::Write as _;

use auth_core::Completeness;
use serde_json::json;

use crate::support::{Client, Directory, group_names, sorted};

fn with_strategy(directory: &Directory, strategy: &str) -> Client {
    directory.provider_with(|config| config["groups"]["strategy"] = json!(strategy))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_strategy_finds_the_groups_that_it_promises() {
    let directory = Directory::start();
    for (strategy, expected) in
        [("memberOf", &["payments"][..]), ("search", &["payments"]), ("nested", &["backend", "dev", "payments"])]
    {
        let login = with_strategy(&directory, strategy).login("alice", "alice-secret").await.unwrap();
        assert_eq!(group_names(&login), expected, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_of_groups_ends() {
    let directory = Directory::start();
    let login = directory.provider().login("carol", "carol-secret").await.unwrap();
    assert_eq!(group_names(&login), ["night", "oncall", "ops"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_the_same_name_have_ids_of_their_own() {
    let directory = Directory::start();
    let client = directory.provider();
    let erin = client.login("erin", "erin-secret").await.unwrap();
    let frank = client.login("frank", "frank-secret").await.unwrap();
    assert_eq!(group_names(&erin), group_names(&frank));
    assert_ne!(erin.groups[0].id, frank.groups[0].id);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_in_no_group_is_known_to_be_in_none() {
    let directory = Directory::start();
    for strategy in ["memberOf", "search", "nested"] {
        let login = with_strategy(&directory, strategy).login("dave", "dave-secret").await.unwrap();
        assert!(group_names(&login).is_empty(), "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_elsewhere_do_not_count() {
    let directory = Directory::start();
    for strategy in ["memberOf", "search", "nested"] {
        let client = directory.provider_with(|config| {
            config["groups"] = json!({ "base": "ou=platform,ou=groups,dc=example,dc=org", "strategy": strategy });
        });
        assert_eq!(group_names(&client.login("erin", "erin-secret").await.unwrap()), ["admins"], "{strategy}");
        assert!(group_names(&client.login("frank", "frank-secret").await.unwrap()).is_empty(), "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_list_login_names_are_found_by_them() {
    let directory = Directory::start();
    directory.modify(
        "dn: cn=unix,ou=groups,dc=example,dc=org\nobjectClass: organizationalRole\ncn: unix\ndescription: star*\n",
    );
    let client = directory.provider_with(|config| {
        config["groups"] = json!({
            "base": "ou=groups,dc=example,dc=org", "filter": "(objectClass=organizationalRole)",
            "strategy": "search", "member": "description", "memberValue": "login",
        });
    });
    assert_eq!(group_names(&client.login("star*", "star-secret").await.unwrap()), ["unix"]);
    assert!(group_names(&client.login("alice", "alice-secret").await.unwrap()).is_empty());
}

/// Sixty groups with alice, and one group of those sixty.
fn crowd() -> String {
    let mut ldif = String::new();
    let mut top = "dn: cn=top,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: top\n".to_owned();
    for number in 0..60 {
        let dn = format!("cn=g{number},ou=groups,dc=example,dc=org");
        let member = "uid=alice,ou=people,dc=example,dc=org";
        write!(ldif, "dn: {dn}\nobjectClass: groupOfNames\ncn: g{number}\nmember: {member}\n\n").unwrap();
        writeln!(top, "member: {dn}").unwrap();
    }
    ldif + &top
}

#[tokio::test(flavor = "multi_thread")]
async fn many_groups_come_in_pages_and_batches_and_none_is_lost() {
    let directory = Directory::start();
    directory.modify(&crowd());
    for (strategy, count) in [("memberOf", 61), ("search", 61), ("nested", 64)] {
        let client = directory.provider_with(|config| {
            config["groups"]["strategy"] = json!(strategy);
            config["pageSize"] = json!(7);
        });
        assert_eq!(group_names(&client.login("alice", "alice-secret").await.unwrap()).len(), count, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_reached_makes_the_groups_incomplete() {
    let directory = Directory::start();
    directory.modify(&crowd());
    for (setting, value, strategy) in [
        ("maxGroups", 10, "memberOf"),
        ("maxGroups", 10, "search"),
        ("maxGroups", 10, "nested"),
        ("maxGroups", 62, "nested"),
        ("maxDepth", 2, "nested"),
    ] {
        let client = directory.provider_with(|config| {
            config["groups"]["strategy"] = json!(strategy);
            config["groups"][setting] = json!(value);
        });
        let login = client.login("alice", "alice-secret").await.unwrap();
        let Completeness::Incomplete(why) = &login.completeness else {
            unreachable!("{setting} {strategy}: {:?}", sorted(login.groups.iter().map(|group| group.name.as_str())));
        };
        assert!(why.contains(setting), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_named_makes_the_groups_incomplete() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| config["groups"]["id"] = json!("description"));
    let login = client.login("alice", "alice-secret").await.unwrap();
    assert!(matches!(&login.completeness, Completeness::Incomplete(why) if why.contains("description")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_not_there_is_a_misconfiguration_not_an_absence_of_groups() {
    let directory = Directory::start();
    for strategy in ["search", "nested"] {
        let client = directory.provider_with(|config| {
            config["groups"] = json!({ "base": "ou=nowhere,dc=example,dc=org", "strategy": strategy });
        });
        let error = client.login("alice", "alice-secret").await.unwrap_err();
        assert!(error.to_string().contains("groups.base"), "{error}");
    }
}
