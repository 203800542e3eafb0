use auth_core::PrincipalType;
use serde_json::json;

use crate::support::{Client, Directory, group_names};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_and_is_known_by_an_id_that_does_not_change() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| config["groups"]["strategy"] = json!("memberOf"));
    let login = client.login("alice", "alice-secret").await.unwrap();
    assert_eq!(login.user.id.instance().as_str(), "corp");
    assert_eq!(login.user.id.kind(), PrincipalType::User);
    let entry = directory.slapd.search("(uid=alice)", &["entryUUID"]).unwrap();
    assert!(entry.contains(login.user.id.external_id()), "{entry}");
    assert_eq!(login.user.name, "alice");
    assert_eq!(login.user.display_name.as_deref(), Some("Alice Archer"));
    assert_eq!(login.user.attributes["mail"], ["alice@example.org"]);
    assert_eq!(login.user.attributes["dn"], ["uid=alice,ou=people,dc=example,dc=org"]);
    assert_eq!(group_names(&login), ["payments"]);
    assert_eq!(login.groups[0].attributes["dn"], ["cn=payments,ou=groups,dc=example,dc=org"]);
    assert_eq!(login.groups[0].id.kind(), PrincipalType::Group);
    assert_eq!(login.amr, ["pwd"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_name_are_the_same_refusal() {
    let directory = Directory::start();
    let client = directory.provider();
    assert_eq!(client.refusal("alice", "bob-secret").await, "bad-credentials");
    assert_eq!(client.refusal("nobody", "alice-secret").await, "bad-credentials");
    // Both cost one bind besides the service account's, so that the time does not tell them apart.
    let log = directory.slapd.log().unwrap();
    assert!(log.contains("BIND dn=\"cn=nobody-has-this-name,ou=people,dc=example,dc=org\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_never_widens_the_search() {
    let directory = Directory::start();
    let client = directory.provider();
    for login in
        ["*", "a*", "al*ce", "alice)(uid=*", "*)(objectClass=*", "alice\\2a", "\\2a", "alice)(|(uid=*", "(", ")"]
    {
        assert_eq!(client.refusal(login, "alice-secret").await, "bad-credentials", "{login}");
    }
    for login in ["alice\0", "\0", "", "alice\n", &"a".repeat(300)] {
        let before = directory.slapd.log().unwrap().matches("SRCH").count();
        assert_eq!(client.refusal(login, "alice-secret").await, "bad-credentials", "{login:?}");
        assert_eq!(directory.slapd.log().unwrap().matches("SRCH").count(), before, "{login:?} reached the directory");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_password_never_reaches_the_directory() {
    let directory = Directory::start();
    let client = directory.provider();
    for password in ["", "\0", "alice-secret\0", "\0alice-secret"] {
        assert_eq!(client.refusal("alice", password).await, "bad-credentials", "{password:?}");
    }
    assert!(!directory.slapd.log().unwrap().contains("BIND dn=\"uid=alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_all_sorts_log_in() {
    let directory = Directory::start();
    let client = directory.provider();
    for (login, password) in [
        ("kim", "kim-secret"),
        ("이영희", "younghee-secret"),
        ("jsmith", "jsmith-secret"),
        ("aplus", "aplus-secret"),
        ("paul(seoul)", "paul-secret"),
        ("star*", "star-secret"),
        ("hash", "hash-secret"),
    ] {
        let found = client.login(login, password).await.unwrap_or_else(|error| panic!("{login}: {error:?}"));
        assert_eq!(found.user.name, login);
        let expected: &[&str] = match login {
            "kim" => &["dev", "개발팀"],
            "이영희" => &["개발팀"],
            _ => &["R&D (C++, Rust)"],
        };
        assert_eq!(group_names(&found), expected, "{login}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_fits_two_people_is_refused() {
    let directory = Directory::start();
    let filter = "(&(objectClass=inetOrgPerson)(|(uid={input})(mail={input})))";
    let client = directory.provider_with(|config| config["users"]["filter"] = json!(filter));
    assert_eq!(client.refusal("alice@example.org", "alice-secret").await, "logged in");
    directory.modify(
        "dn: uid=bob,ou=people,dc=example,dc=org\nchangetype: modify\nreplace: mail\nmail: alice@example.org\n",
    );
    assert_eq!(client.refusal("alice@example.org", "alice-secret").await, "ambiguous");
    assert_eq!(client.refusal("alice", "alice-secret").await, "logged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_an_account_is_told_only_after_the_right_password() {
    let directory = Directory::start();
    let client = directory.provider();
    assert_eq!(client.refusal("newcomer", "newcomer-secret").await, "must-change-password");
    assert_eq!(client.refusal("newcomer", "wrong").await, "bad-credentials");
    // slapd tells of a lock before it looks at the password, so nobody is told.
    assert_eq!(client.refusal("locked", "locked-secret").await, "bad-credentials");
    assert_eq!(client.refusal("locked", "wrong").await, "bad-credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_password_is_told_after_it_was_right() {
    let directory = Directory::start();
    directory.modify(
        "dn: cn=short,ou=policies,dc=example,dc=org\nobjectClass: pwdPolicy\nobjectClass: organizationalRole\n\
         cn: short\npwdAttribute: userPassword\npwdMaxAge: 1\n\n\
         dn: uid=dave,ou=people,dc=example,dc=org\nchangetype: modify\nadd: pwdPolicySubentry\n\
         pwdPolicySubentry: cn=short,ou=policies,dc=example,dc=org\n\n\
         dn: uid=dave,ou=people,dc=example,dc=org\nchangetype: modify\nreplace: userPassword\nuserPassword: dave-secret\n",
    );
    let client = directory.provider();
    let mut seen = "logged in";
    for _ in 0..150 {
        seen = client.refusal("dave", "dave-secret").await;
        if seen != "logged in" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(seen, "password-expired");
    assert_eq!(client.refusal("dave", "wrong").await, "bad-credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_the_id_attribute_is_refused_never_named_by_dn() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| config["users"]["id"] = json!("employeeNumber"));
    let error = client.login("alice", "alice-secret").await.unwrap_err();
    assert!(error.to_string().contains("users.id"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_account_people_bind_for_themselves() {
    let directory = Directory::start();
    let config = directory.config_with(|config| {
        config.as_object_mut().unwrap().remove("bind");
        config.as_object_mut().unwrap().remove("groups");
        config["directBind"] = json!("uid={input},ou=people,dc=example,dc=org");
    });
    let client = Client::new(config);
    let login = client.login("alice", "alice-secret").await.unwrap();
    assert_eq!(login.user.name, "alice");
    assert_eq!(client.refusal("alice", "wrong").await, "bad-credentials");
    assert_eq!(client.refusal("nobody", "wrong").await, "bad-credentials");
    assert_eq!(client.refusal("alice,ou=people,dc=example,dc=org", "alice-secret").await, "bad-credentials");
    assert_eq!(client.refusal("newcomer", "newcomer-secret").await, "must-change-password");
    assert!(matches!(client.refetch(&login.user.id).await, auth_core::Refetch::NeedsLogin));
}
