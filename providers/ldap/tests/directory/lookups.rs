use auth_core::{AuthError, PrincipalPage, PrincipalType, Search};
use serde_json::json;

use crate::support::{Client, Directory, context, sorted};

async fn search(client: &Client, search: Search) -> PrincipalPage {
    client.provider.search_principals(&context(), search).await.unwrap()
}

async fn all(client: &Client, text: &str, limit: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = Search::new(text, limit);
    for _ in 0..50 {
        let page = search(client, next).await;
        assert!(page.principals.len() <= limit);
        names.extend(page.principals.into_iter().map(|principal| principal.name));
        let Some(cursor) = page.next else { return names };
        next = Search::new(text, limit).after(cursor);
    }
    unreachable!("pages without end: {names:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_groups_are_found_by_how_their_names_begin() {
    let directory = Directory::start();
    let client = directory.provider();
    // By uid, cn and sn: Ann and Star Asterisk begin with "a" too.
    let expected = ["admins", "admins", "alice", "aplus", "star*"];
    for limit in [1, 2, 3, 100] {
        let found = all(&client, "a", limit).await;
        assert_eq!(sorted(found.iter().map(String::as_str)), expected, "limit {limit}");
    }
    assert_eq!(all(&client, "김", 10).await, ["kim"]);
    assert_eq!(all(&client, "개발", 10).await, ["개발팀"]);
    let groups = search(&client, Search::new("", 100).of_kind(PrincipalType::Group)).await;
    assert_eq!(groups.principals.len(), 10);
    assert!(groups.principals.iter().all(|group| group.id.kind() == PrincipalType::Group));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_searched_for_is_only_ever_a_value() {
    let directory = Directory::start();
    let client = directory.provider();
    for text in ["*", "a*", "a)(uid=*", "\\", "alice)(|(cn=*"] {
        assert!(all(&client, text, 10).await.is_empty(), "{text}");
    }
    assert_eq!(all(&client, "star*", 10).await, ["star*"]);
    assert_eq!(all(&client, "paul (", 10).await, ["paul(seoul)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_somebody_else_is_refused() {
    let directory = Directory::start();
    let client = directory.provider();
    for cursor in ["", "x1", "u-1", "u99999999", "u1 "] {
        let search = Search::new("a", 10).after(cursor);
        assert!(client.provider.search_principals(&context(), search).await.is_err(), "{cursor:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_is_found_again_by_its_id() {
    let directory = Directory::start();
    let client = directory.provider();
    let login = client.login("alice", "alice-secret").await.unwrap();
    for principal in [&login.user, &login.groups[0]] {
        let again = client.provider.get_principal(&context(), &principal.id).await.unwrap().unwrap();
        assert_eq!(&again, principal);
    }
    let absent = "corp_user://00000000-0000-0000-0000-000000000000";
    let elsewhere = login.user.id.to_string().replace("corp", "other");
    let not_a_group = login.user.id.to_string().replace("corp_user", "corp_group");
    for id in [absent, "corp_user://*", "corp_user://*)(uid=alice", &elsewhere, &not_a_group] {
        assert_eq!(client.provider.get_principal(&context(), &id.parse().unwrap()).await.unwrap(), None, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_account_a_search_says_what_it_needs() {
    let directory = Directory::start();
    let config = directory.config_with(|config| {
        config.as_object_mut().unwrap().remove("bind");
        config["directBind"] = json!("uid={input},ou=people,dc=example,dc=org");
    });
    let client = Client::new(config);
    let error = client.provider.search_principals(&context(), Search::new("a", 10)).await.unwrap_err();
    assert!(matches!(error, AuthError::Misconfigured { ref field, .. } if field == "bind"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_public_holds_a_secret_or_an_address() {
    let directory = Directory::start();
    let client = directory.provider();
    client.login("alice", "alice-secret").await.unwrap();
    let public = serde_json::to_string(&client.provider.transform_to_auth_provider()).unwrap();
    for part in ["secret", "example", "ldap:", "127.0.0.1", "localhost", "ca.crt"] {
        assert!(!public.contains(part), "{public}");
    }
    assert!(!format!("{:?}", client.provider).contains("gatewarden-secret"));
}
