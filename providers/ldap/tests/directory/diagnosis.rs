//! What an operator is shown of a directory, and of the usual mistakes with one.

use auth_core::{Finding, Password, Report, Step, Trial, Tried};
use serde_json::{Value, json};
use testbed::Slapd;

use crate::support::{Client, Directory, context};

async fn tried(client: &Client, who: Option<&str>, password: Option<&str>) -> Report {
    let report = Report::default();
    let trial = Trial::of(who.map(|login| Tried::Login(login.to_owned())), password.map(Password::new));
    client.provider.diagnose().unwrap().run(&context(), &trial, &report).await;
    report
}

fn step<'a>(steps: &'a [Step], name: &str) -> &'a Step {
    let is = |step: &&Step| step.name == name || step.name.starts_with(&format!("{name} "));
    steps.iter().find(is).ok_or_else(|| format!("{name} in {steps:#?}")).unwrap()
}

fn fact<'a>(step: &'a Step, name: &str) -> &'a str {
    step.facts.iter().find(|(fact, _)| *fact == name).map_or("", |(_, value)| value)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_shown_with_what_it_asked_and_found() {
    let directory = Directory::start();
    let report = tried(&directory.provider(), Some("alice"), Some("alice-secret")).await;
    let steps = report.steps();
    assert!(report.is_good(), "{steps:#?}");
    let tls = step(&steps, "tls");
    assert!(tls.summary.starts_with("TLSv1_3") && fact(tls, "for").contains("localhost"), "{tls:?}");
    assert!(!fact(tls, "issued by").is_empty() && !fact(tls, "valid until").is_empty(), "{tls:?}");
    assert_eq!(fact(step(&steps, "bind"), "dn"), Slapd::SERVICE_DN);
    assert!(fact(step(&steps, "root"), "holds").contains(Slapd::BASE));
    let user = step(&steps, "user");
    assert_eq!(user.summary, "uid=alice,ou=people,dc=example,dc=org");
    assert_eq!(fact(user, "filter"), "(&(objectClass=inetOrgPerson)(uid=alice))");
    assert!(step(&steps, "user id").summary.starts_with("corp_user://"));
    assert_eq!(step(&steps, "password").summary, "right");
    // Each generation of groups is a question; the last finds none.
    let asked: Vec<&Step> = steps.iter().filter(|step| step.name.starts_with("groups query")).collect();
    assert!(asked.len() >= 3 && fact(asked[0], "filter").contains("(member=uid=alice,ou=people"), "{asked:?}");
    assert!(fact(asked[0], "found").starts_with("cn=payments"), "{asked:?}");
    assert_eq!(steps.last().unwrap().summary, "3, and that is all");
    let shown = format!("{steps:?}");
    assert!(!shown.contains("alice-secret") && !shown.contains(Slapd::SERVICE_PASSWORD), "a secret is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_each_group_is_told() {
    let directory = Directory::start();
    let client = directory.provider();
    let login = client.login("alice", "alice-secret").await.unwrap();
    let origins = tried(&client, Some("alice"), None).await.origins();
    let of = |name: &str| &*origins[&login.groups.iter().find(|group| group.name == name).unwrap().id];
    assert_eq!(of("payments"), "its member lists the person");
    assert_eq!(of("backend"), "through payments");
    assert_eq!(of("dev"), "through payments > backend");
    // A cycle ends, and nobody is in a group by way of itself.
    let login = client.login("carol", "carol-secret").await.unwrap();
    let origins = tried(&client, Some("carol"), None).await.origins();
    assert_eq!(origins.len(), login.groups.len(), "{origins:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_mistakes_are_recognized() {
    let directory = Directory::start();
    let other = Directory::start();
    let ldaps = directory.slapd.ldaps_url();
    let plain = directory.slapd.ldap_url().replace("ldap://", "ldaps://");
    let swapped = ldaps.replace("ldaps://", "ldap://");
    // No resolver is asked about a name that is none.
    let nameless = format!("ldaps://{}.invalid", "x".repeat(64));
    type Mistake<'a> = (&'a str, Box<dyn Fn(&mut Value) + 'a>, &'a str);
    let mistakes: [Mistake<'_>; 9] = [
        ("tcp", Box::new(|config| config["servers"] = json!(["ldaps://localhost:1"])), "nothing listens on port 1"),
        ("name", Box::new(|config| config["servers"] = json!([nameless.clone()])), "known to the DNS"),
        ("tls", Box::new(|config| config["servers"] = json!([plain.clone()])), "startTls"),
        ("tls", Box::new(|config| config["tls"]["caFile"] = json!(other.slapd.ca_file())), "tls.caFile holds"),
        ("tls", Box::new(|config| config["tls"]["serverName"] = json!("ldap.example.org")), "it is for localhost"),
        (
            "tls",
            Box::new(|config| {
                config["servers"] = json!([swapped.clone()]);
                config["tls"]["mode"] = json!("startTls");
            }),
            "write ldaps://",
        ),
        ("bind", Box::new(|config| config["bind"]["password"] = json!("old")), "bind.password is wrong"),
        ("users.base", Box::new(|config| config["users"]["base"] = json!("ou=staff,dc=example,dc=org")), Slapd::BASE),
        (
            "user",
            Box::new(|config| config["users"]["filter"] = json!("(&(objectClass=inetOrgPerson)(mail={input}))")),
            "users.filter leaves it out",
        ),
    ];
    for (name, mistake, hint) in mistakes {
        let report = tried(&directory.provider_with(|config| mistake(config)), Some("alice"), None).await;
        let steps = report.steps();
        let found = step(&steps, name);
        assert_eq!(found.finding, Finding::Bad, "{steps:#?}");
        assert!(found.hint.as_ref().unwrap().contains(hint), "{hint}: {found:?}");
        assert!(!report.is_good());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_refused_is_shown_all_the_same() {
    let directory = Directory::start();
    let other = Directory::start();
    let client = directory.provider_with(|config| config["tls"]["caFile"] = json!(other.slapd.ca_file()));
    let steps = tried(&client, None, None).await.steps();
    assert!(fact(step(&steps, "tls"), "for").contains("127.0.0.1"), "{steps:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_that_was_refused_is_not_tried_on_the_next_server() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| {
        config["servers"] = json!([directory.slapd.ldaps_url(), directory.slapd.ldaps_url()]);
        config["bind"]["password"] = json!("old");
    });
    let steps = tried(&client, Some("alice"), None).await.steps();
    let binds: Vec<Finding> =
        steps.iter().filter(|step| step.name.starts_with("bind")).map(|step| step.finding).collect();
    assert_eq!(binds, [Finding::Bad, Finding::Skipped]);
    assert_eq!(step(&steps, "user").finding, Finding::Skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_is_tried_though_the_first_works_and_one_that_is_down_hides_no_other() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| {
        config["servers"] = json!(["ldaps://localhost:1", directory.slapd.ldaps_url()]);
    });
    let report = tried(&client, Some("alice"), Some("wrong")).await;
    let steps = report.steps();
    let found = |name: &str| steps.iter().filter(|step| step.name.starts_with(name)).count();
    assert_eq!((found("tcp"), found("tls"), found("bind")), (2, 1, 1), "{steps:#?}");
    assert_eq!(step(&steps, "user").finding, Finding::Good);
    let password = step(&steps, "password");
    assert_eq!(password.finding, Finding::Bad);
    assert!(password.hint.as_ref().unwrap().contains("wrong"), "{password:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_are_cut_short_say_why() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| config["groups"]["maxGroups"] = json!(2));
    let steps = tried(&client, Some("alice"), None).await.steps();
    let groups = steps.last().unwrap();
    assert!(groups.finding == Finding::Bad && groups.summary.contains("groups.maxGroups"), "{groups:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_bind_shows_what_the_person_may_see() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| {
        config["bind"] = Value::Null;
        config["directBind"] = json!("uid={input},ou=people,dc=example,dc=org");
    });
    let steps = tried(&client, Some("alice"), None).await.steps();
    assert!(step(&steps, "user").hint.as_ref().unwrap().contains("--password-stdin"), "{steps:#?}");
    let report = tried(&client, Some("alice"), Some("alice-secret")).await;
    assert_eq!(step(&report.steps(), "user id").finding, Finding::Good, "{:#?}", report.steps());
    // This directory shows people nothing but themselves.
    let groups = report.steps().pop().unwrap();
    assert!(groups.finding == Finding::Bad && groups.summary.contains("groups.base"), "{groups:?}");
}
