use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth_core::testing::{ManualClock, MemoryUsers};
use auth_core::{Clock, Context, LoginInput, Password, Ports};
use serde_json::json;
use testbed::pki::Ca;
use tokio::sync::Notify;

use crate::fake::{Answer, Fake, SEARCH, obliging};
use crate::hostile::config;
use crate::support::{Client, Directory, RealClock, RuntimeTasks};

#[tokio::test(flavor = "multi_thread")]
async fn starttls_with_a_private_authority_logs_people_in() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| {
        config["servers"] = json!([directory.slapd.ldap_url()]);
        config["tls"]["mode"] = json!("startTls");
    });
    assert_eq!(client.refusal("alice", "alice-secret").await, "logged in");
    let log = directory.slapd.log().unwrap();
    let bind = log.lines().position(|line| line.contains("BIND dn=\"cn=gatewarden")).unwrap();
    assert!(log.lines().take(bind).any(|line| line.contains("TLS established")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_somebody_else_signed_is_not_spoken_to() {
    let directory = Directory::start();
    let other = tempfile::tempdir().unwrap();
    let stranger = Ca::open(other.path()).unwrap().certificate();
    let modes = [("ldaps", directory.slapd.ldaps_url()), ("startTls", directory.slapd.ldap_url())];
    for (mode, url) in modes {
        for wrong in [json!({ "mode": mode, "caFile": stranger }), {
            json!({ "mode": mode, "caFile": directory.slapd.ca_file(), "serverName": "ldap.elsewhere.org" })
        }] {
            let client = directory.provider_with(|config| {
                config["servers"] = json!([url]);
                config["tls"] = wrong.clone();
            });
            assert_eq!(client.refusal("alice", "alice-secret").await, "unavailable", "{wrong}");
        }
    }
    assert!(!directory.slapd.log().unwrap().contains("BIND dn=\"cn=gatewarden"), "a password left the house");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_first_server_is_passed_over() {
    let directory = Directory::start();
    let dead = testbed::ports::free().unwrap();
    let client = directory.provider_with(|config| {
        config["servers"] = json!([format!("ldaps://localhost:{dead}"), directory.slapd.ldaps_url()]);
    });
    for _ in 0..3 {
        assert_eq!(client.refusal("alice", "alice-secret").await, "logged in");
    }
    assert_eq!(client.refusal("alice", "wrong").await, "bad-credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_a_restart_cut_are_replaced() {
    let mut directory = Directory::start();
    let client = directory.provider();
    assert_eq!(client.refusal("alice", "alice-secret").await, "logged in");
    directory.slapd.stop().unwrap();
    assert_eq!(client.refusal("alice", "alice-secret").await, "unavailable");
    directory.slapd.resume().unwrap();
    let mut seen = "";
    for _ in 0..150 {
        seen = client.refusal("alice", "alice-secret").await;
        if seen == "logged in" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(seen, "logged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_share_connections_and_passwords_never_do() {
    let directory = Directory::start();
    let client = directory.provider();
    for _ in 0..5 {
        assert_eq!(client.refusal("alice", "alice-secret").await, "logged in");
        assert_eq!(client.refusal("alice", "wrong").await, "bad-credentials");
    }
    let log = directory.slapd.log().unwrap();
    let count = |what: &str| log.matches(what).count();
    assert_eq!(count("BIND dn=\"cn=gatewarden,ou=services,dc=example,dc=org\" method=128"), 1, "{log}");
    assert_eq!(count("BIND dn=\"uid=alice,ou=people,dc=example,dc=org\" method=128"), 10);
    for line in log.lines().filter(|line| line.contains("BIND dn=\"uid=alice")) {
        let connection = line.split_whitespace().find(|word| word.starts_with("conn=")).unwrap();
        let searched = format!("{connection} ");
        assert!(
            !log.lines().any(|line| line.contains(&searched) && line.contains("SRCH")),
            "{connection} searched too"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_replaced_after_so_many_operations() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| config["pool"] = json!({ "maxOperations": 4 }));
    for _ in 0..8 {
        assert_eq!(client.refusal("alice", "alice-secret").await, "logged in");
    }
    let log = directory.slapd.log().unwrap();
    assert!(log.matches("BIND dn=\"cn=gatewarden,ou=services,dc=example,dc=org\" method=128").count() >= 4, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_rested_for_long_is_tried_before_it_is_used() {
    let fake = Fake::start(obliging(|_| None)).await;
    let clock = Arc::new(ManualClock::new());
    let ports = Ports::new(clock.clone(), Arc::new(RuntimeTasks::default()), Arc::new(MemoryUsers::default()));
    let client = Client::with_ports(config(&[fake.port]), &ports);
    let login = async || {
        let before = (fake.connections(), fake.requests());
        let input = LoginInput::Password { login: "alice".to_owned(), password: Password::new("alice-secret") };
        let ctx = Context::new(clock.monotonic() + Duration::from_secs(30), "test");
        client.provider.authenticate_user(&ctx, input).await.unwrap();
        (fake.connections() - before.0, fake.requests() - before.1)
    };
    assert_eq!(login().await, (2, 4), "sign in, find, check the password, groups");
    assert_eq!(login().await, (1, 3), "the search connection is used again");
    clock.advance(Duration::from_secs(31));
    assert_eq!(login().await, (1, 4), "it is asked something first");
    clock.advance(Duration::from_secs(601));
    assert_eq!(login().await, (2, 4), "it is too old");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_people_log_in_at_once() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| config["pool"] = json!({ "searches": 2, "binds": 2 }));
    let logins = (0..40).map(|number| {
        let client = &client;
        let (password, expected) =
            if number % 2 == 0 { ("alice-secret", "logged in") } else { ("wrong", "bad-credentials") };
        let name = if number % 2 == 0 { "alice" } else { "bob" };
        async move { assert_eq!(client.refusal(name, password).await, expected) }
    });
    futures_util::future::join_all(logins.take(36)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_service_account_is_a_misconfiguration_and_is_not_locked_by_retries() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| {
        config["servers"] = json!([directory.slapd.ldaps_url(), directory.slapd.ldaps_url()]);
        config["bind"]["password"] = json!("wrong");
    });
    for _ in 0..5 {
        assert_eq!(client.refusal("alice", "alice-secret").await, "misconfigured");
    }
    let log = directory.slapd.log().unwrap();
    assert_eq!(log.matches("BIND dn=\"cn=gatewarden,ou=services,dc=example,dc=org\" method=128").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_service_account_is_tried_once_by_many_logins_at_once() {
    let directory = Directory::start();
    let client = directory.provider_with(|config| config["bind"]["password"] = json!("wrong"));
    let logins = (0..20).map(|_| client.refusal("alice", "alice-secret"));
    let seen = futures_util::future::join_all(logins).await;
    assert!(seen.iter().all(|refusal| *refusal == "misconfigured"), "{seen:?}");
    let log = directory.slapd.log().unwrap();
    assert_eq!(log.matches("BIND dn=\"cn=gatewarden,ou=services,dc=example,dc=org\" method=128").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_ends_with_its_provider() {
    let directory = Directory::start();
    let tasks = Arc::new(RuntimeTasks::default());
    let ports = Ports::new(Arc::new(RealClock), tasks.clone(), Arc::new(MemoryUsers::default()));
    let client = Client::with_ports(directory.config(), &ports);
    assert_eq!(client.refusal("alice", "alice-secret").await, "logged in");
    tasks.settle(1).await; // the search connection rests; the one of the password is gone
    drop(client);
    tasks.settle(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_waited_for_is_not_left_to_the_next() {
    let (asked, first) = (Arc::new(Notify::new()), AtomicBool::new(true));
    let notify = Arc::clone(&asked);
    let fake = Fake::start(obliging(move |request| {
        let silent = request.operation == SEARCH && first.swap(false, Ordering::SeqCst);
        silent.then(|| {
            notify.notify_one();
            Answer::Silence
        })
    }))
    .await;
    let tasks = Arc::new(RuntimeTasks::default());
    let ports = Ports::new(Arc::new(RealClock), tasks.clone(), Arc::new(MemoryUsers::default()));
    let client = Client::with_ports(config(&[fake.port]), &ports);
    tokio::select! {
        outcome = client.login("alice", "alice-secret") => unreachable!("nobody answered, but {outcome:?}"),
        () = asked.notified() => {} // and here the login is dropped
    }
    tasks.settle(0).await;
    assert_eq!(client.refusal("alice", "alice-secret").await, "logged in");
    assert_eq!(fake.connections(), 3, "one given up, one that searches, one for the password");
}
