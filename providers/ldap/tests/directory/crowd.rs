//! A directory of 50,000 people and 5,000 groups: what a login costs is counted in the server's own log.

use auth_core::{Completeness, Login, Refetch, Search};
use serde_json::json;
use testbed::{Crowd, Slapd};

use crate::support::{Client, context};

const CROWD: Crowd = Crowd::LARGE;

/// Groups that one question names.
const BATCH: usize = 200;

struct Large {
    slapd: Slapd,
    _dir: tempfile::TempDir,
}

impl Large {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let slapd = Slapd::start_crowded(dir.path(), &CROWD).unwrap();
        Self { slapd, _dir: dir }
    }

    /// The service account, whom no limit holds, and groups as given.
    fn client(&self, groups: serde_json::Value) -> Client {
        let mut all = json!({ "base": "ou=groups,dc=example,dc=org" });
        all.as_object_mut().unwrap().extend(groups.as_object().cloned().unwrap());
        Client::new(json!({
            "servers": [self.slapd.ldaps_url()],
            "tls": { "mode": "ldaps", "caFile": self.slapd.ca_file() },
            "bind": { "dn": Slapd::SERVICE_DN, "password": Slapd::SERVICE_PASSWORD },
            "users": { "base": "ou=people,dc=example,dc=org" },
            "groups": all,
        }))
    }

    /// Questions and binds that the server has answered so far.
    fn trips(&self) -> usize {
        let log = self.slapd.log().unwrap();
        log.lines()
            .filter(|line| line.contains(" SRCH base=") || (line.contains(" BIND dn=") && line.contains("method=")))
            .count()
    }

    async fn login(&self, client: &Client, person: usize) -> (Login, usize) {
        let before = self.trips();
        let login = client.login(&format!("u{person}"), &format!("u{person}-secret")).await.unwrap();
        (login, self.trips() - before)
    }
}

/// What a login may cost while nothing is known of its groups: find, bind, the service account's own bind, the groups of
/// the person; and then a question for each generation and for each batch of groups.
const fn most(depth: usize, groups: usize) -> usize {
    4 + depth + groups / BATCH
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_login_costs_is_bounded_by_depth_and_groups() {
    let large = Large::start();
    let client = large.client(json!({ "cacheSeconds": 300 }));
    // Who is asked about: somebody usual, the deepest, the widest, and one in a cycle.
    for (person, depth, groups) in [(40_000, 3, 9), (0, 10, 16), (1, 3, 900), (2, 3, 8)] {
        let (login, cold) = large.login(&client, person).await;
        assert_eq!(login.completeness, Completeness::Complete, "u{person}");
        assert!(login.groups.len() >= groups, "u{person} is in {} groups", login.groups.len());
        let (again, warm) = large.login(&client, person).await;
        assert_eq!(again.groups.len(), login.groups.len());
        println!("u{person}, in {} groups: {cold} round trips, then {warm}", login.groups.len());
        assert!(cold <= most(depth, login.groups.len()), "u{person}: {cold} round trips, cold");
        assert!(warm <= 4, "u{person}: {warm} round trips once the groups are known");
    }
    // A colleague in the same teams finds everything known.
    let (_, colleague) = large.login(&client, 40_001).await;
    println!("a colleague: {colleague} round trips");
    assert!(colleague <= 4, "{colleague}");
    // A refetch asks the directory itself.
    let before = large.trips();
    let refetched = client.refetch(&large.login(&client, 0).await.0.user.id).await;
    assert!(matches!(refetched, Refetch::Current(_)), "{refetched:?}");
    assert!(large.trips() - before > 10, "a refetch takes a remembered answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_refuse_and_pages_end_in_a_large_directory() {
    let large = Large::start();
    // Pages: 50,000 people answer to this, and the first page is all that was asked for.
    let client = large.client(json!({}));
    let page = client.provider.search_principals(&context(), Search::new("u", 20)).await.unwrap();
    assert_eq!(page.principals.len(), 20);
    // Depth: one generation fewer than there are.
    let client = large.client(json!({ "maxDepth": 10 }));
    let (login, _) = large.login(&client, 0).await;
    assert!(why(&login).contains("maxDepth"), "{}", why(&login));
    // Width: one group fewer.
    let client = large.client(json!({ "maxGroups": 900 }));
    let (login, _) = large.login(&client, 1).await;
    assert!(why(&login).contains("maxGroups"), "{}", why(&login));
    // The server's own limit, for an account that it holds.
    large.slapd.modify(LIMITED).unwrap();
    let mut config = json!({
        "servers": [large.slapd.ldaps_url()],
        "tls": { "mode": "ldaps", "caFile": large.slapd.ca_file() },
        "bind": { "dn": "cn=limited,ou=services,dc=example,dc=org", "password": "limited-secret" },
        "users": { "base": "ou=people,dc=example,dc=org" },
        "groups": { "base": "ou=groups,dc=example,dc=org" },
    });
    let limited = Client::new(config.clone());
    let (login, _) = large.login(&limited, 1).await;
    assert!(why(&login).contains("limit"), "{}", why(&login));
    // Pages smaller than the limit do not get around it.
    config["pageSize"] = json!(50);
    let (login, _) = large.login(&Client::new(config), 1).await;
    assert!(why(&login).contains("limit"), "{}", why(&login));
}

const LIMITED: &str = "dn: cn=limited,ou=services,dc=example,dc=org\nobjectClass: organizationalRole\n\
    objectClass: simpleSecurityObject\ncn: limited\nuserPassword: limited-secret\n";

fn why(login: &Login) -> &str {
    match &login.completeness {
        Completeness::Complete => "complete",
        Completeness::Incomplete(why) => why,
    }
}
