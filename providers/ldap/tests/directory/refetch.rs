use auth_core::{Current, PrincipalId, Refetch, Search};
use serde_json::json;

use crate::support::{Client, Directory, context, sorted};

const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";

async fn alice(client: &Client) -> PrincipalId {
    client.login("alice", "alice-secret").await.unwrap().user.id
}

fn current(refetch: Refetch) -> Box<Current> {
    match refetch {
        Refetch::Current(current) => current,
        other => unreachable!("{other:?}"),
    }
}

fn names(current: &Current) -> Vec<&str> {
    sorted(current.groups.iter().map(|group| group.name.as_str()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_groups_is_seen_without_the_password() {
    let directory = Directory::start();
    let client = directory.provider();
    let id = alice(&client).await;
    assert_eq!(names(&current(client.refetch(&id).await)), ["backend", "dev", "payments"]);
    directory.modify(&format!(
        "dn: cn=ops,ou=groups,dc=example,dc=org\nchangetype: modify\nadd: member\nmember: {ALICE}\n\n\
         dn: cn=backend,ou=groups,dc=example,dc=org\nchangetype: modify\ndelete: member\n\
         member: cn=payments,ou=groups,dc=example,dc=org\n"
    ));
    assert_eq!(names(&current(client.refetch(&id).await)), ["ops", "payments"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_was_renamed_and_moved_is_still_the_same() {
    let directory = Directory::start();
    let client = directory.provider();
    let id = alice(&client).await;
    directory.modify(&format!(
        "dn: ou=far,ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: far\n\n\
         dn: {ALICE}\nchangetype: modrdn\nnewrdn: uid=alicia\ndeleteoldrdn: 1\n\
         newsuperior: ou=far,ou=people,dc=example,dc=org\n"
    ));
    let current = current(client.refetch(&id).await);
    assert_eq!(current.user.id, id);
    assert_eq!(current.user.name, "alicia");
    assert_eq!(names(&current), ["backend", "dev", "payments"], "groups follow the new DN");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_deleted_is_gone_even_when_the_name_is_given_to_another() {
    let directory = Directory::start();
    let client = directory.provider();
    let id = alice(&client).await;
    directory.modify(&format!("dn: {ALICE}\nchangetype: delete\n"));
    assert!(matches!(client.refetch(&id).await, Refetch::UserGone));
    directory.modify(&format!(
        "dn: {ALICE}\nobjectClass: inetOrgPerson\nuid: alice\ncn: A\nsn: A\nuserPassword: alice-secret\n"
    ));
    assert!(matches!(client.refetch(&id).await, Refetch::UserGone));
    assert_ne!(alice(&client).await, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_the_account_is_read_from_the_entry() {
    let directory = Directory::start();
    let client = directory.provider();
    let id = alice(&client).await;
    directory.modify(&format!("dn: {ALICE}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n"));
    assert!(matches!(client.refetch(&id).await, Refetch::NeedsLogin));
    directory.modify(&format!(
        "dn: {ALICE}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
    ));
    assert!(matches!(client.refetch(&id).await, Refetch::UserDisabled));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_anybody_can_cause_ends_no_session() {
    let directory = Directory::start();
    let client = directory.provider();
    let id = alice(&client).await;
    for _ in 0..21 {
        assert_eq!(client.refusal("alice", "wrong").await, "bad-credentials");
    }
    assert_eq!(client.refusal("alice", "alice-secret").await, "bad-credentials", "the directory locked it");
    current(client.refetch(&id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_whom_the_filter_no_longer_lets_in_is_gone() {
    let directory = Directory::start();
    let filter = "(&(uid={input})(memberOf=cn=payments,ou=groups,dc=example,dc=org))";
    let client = directory.provider_with(|config| config["users"]["filter"] = json!(filter));
    let id = alice(&client).await;
    assert_eq!(client.refusal("bob", "bob-secret").await, "bad-credentials");
    directory.modify(&format!(
        "dn: cn=payments,ou=groups,dc=example,dc=org\nchangetype: modify\nreplace: member\nmember: {}\n",
        "uid=dave,ou=people,dc=example,dc=org"
    ));
    assert!(matches!(client.refetch(&id).await, Refetch::UserGone));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_an_error_and_nobody_is_gone() {
    let mut directory = Directory::start();
    let client = directory.provider();
    let id = alice(&client).await;
    directory.slapd.stop().unwrap();
    let error = client.provider.refetch_group_principals(&context(), &id, None).await.unwrap_err();
    assert_eq!(error.http_status(), 503);
    assert!(error.retry_after().is_some());
    assert_eq!(client.provider.get_principal(&context(), &id).await.unwrap_err().http_status(), 503);
    let search = client.provider.search_principals(&context(), Search::new("a", 10)).await;
    assert_eq!(search.unwrap_err().http_status(), 503);
    assert_eq!(client.login("alice", "alice-secret").await.unwrap_err().http_status(), 503);
    assert_eq!(client.login("nobody", "alice-secret").await.unwrap_err().http_status(), 503);
}
