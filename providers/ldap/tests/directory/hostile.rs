use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::testing::{ManualClock, MemoryUsers};
use auth_core::{Context, LoginInput, Password, Ports};
use serde_json::{Value, json};

use crate::fake::{Answer, BIND, EXTENDED, Fake, SEARCH, alice, element, message, obliging, result};
use crate::support::{Client, RuntimeTasks};

pub(crate) fn config(ports: &[u16]) -> Value {
    let servers: Vec<String> = ports.iter().map(|port| format!("ldap://127.0.0.1:{port}")).collect();
    json!({
        "servers": servers,
        "tls": { "mode": "dangerousNone" },
        "bind": { "dn": "cn=svc", "password": "service-secret" },
        "users": { "base": "ou=people" },
        "groups": { "base": "ou=groups" },
    })
}

fn deep(levels: usize) -> Vec<u8> {
    (0..levels).fold(vec![4, 0], |inner, _| element(0x30, &[&inner]))
}

async fn refusal_of(answer: impl Fn(&crate::fake::Request) -> Answer + Send + Sync + 'static) -> &'static str {
    let fake = Fake::start(answer).await;
    Client::new(config(&[fake.port])).refusal("alice", "alice-secret").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_lets_people_in_when_it_is_asked_properly() {
    assert_eq!(refusal_of(obliging(|_| None)).await, "logged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_nested_without_end_does_not_take_the_process_down() {
    assert_eq!(refusal_of(|request| Answer::Send(message(request.id, &deep(60_000)))).await, "protocol");
    let in_a_search = obliging(|request| {
        (request.operation == SEARCH).then(|| Answer::Send(message(request.id, &element(0x64, &[&deep(20_000)]))))
    });
    assert_eq!(refusal_of(in_a_search).await, "protocol");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_of_endless_length_is_refused_from_its_header() {
    let endless = |_: &crate::fake::Request| Answer::Flood(vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]);
    assert_eq!(refusal_of(endless).await, "protocol");
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_make_no_sense_are_refused() {
    assert_eq!(refusal_of(|_| Answer::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await, "protocol");
    assert_eq!(refusal_of(|request| Answer::Send(message(request.id, &result(0x65, 0)))).await, "protocol");
    assert_eq!(refusal_of(|request| Answer::Send(message(request.id, &[0x61, 0]))).await, "protocol");
    assert_eq!(refusal_of(|request| Answer::Send(message(request.id, &result(0x78, 0)))).await, "protocol");
    let bind_for_search =
        obliging(|request| (request.operation == SEARCH).then(|| Answer::Send(message(request.id, &result(0x61, 0)))));
    assert_eq!(refusal_of(bind_for_search).await, "protocol");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_is_an_outage() {
    assert_eq!(refusal_of(|_| Answer::Close).await, "unavailable");
    let at_the_password = obliging(|request| request.mentions("alice-secret").then_some(Answer::Close));
    assert_eq!(refusal_of(at_the_password).await, "unavailable");
    let notice = |_: &crate::fake::Request| Answer::Send(message(0, &result(0x78, 52)));
    assert_eq!(refusal_of(notice).await, "unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_is_given_up_at_the_deadline() {
    let fake = Fake::start(|_| Answer::Silence).await;
    let clock = Arc::new(ManualClock::new());
    let ports = Ports::new(clock.clone(), Arc::new(RuntimeTasks::default()), Arc::new(MemoryUsers::default()));
    let client = Client::with_ports(config(&[fake.port]), &ports);
    let ctx = Context::new(ports.clock.monotonic() + Duration::from_secs(3600), "test");
    let input = LoginInput::Password { login: "alice".to_owned(), password: Password::new("alice-secret") };
    let mut login = client.provider.authenticate_user(&ctx, input);
    let mut advanced = 0;
    let error = loop {
        match tokio::time::timeout(Duration::from_millis(20), &mut login).await {
            Ok(outcome) => break outcome.unwrap_err(),
            Err(_) => clock.advance(Duration::from_secs(1)),
        }
        advanced += 1;
        assert!(advanced < 1_000, "waits for ever");
    };
    assert_eq!(error.http_status(), 503);
    assert!(advanced < 60, "operationSeconds is 5; gave up after {advanced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_obliging_server_is_not_even_asked_about_an_empty_password() {
    let fake = Fake::start(obliging(|_| None)).await;
    let client = Client::new(config(&[fake.port]));
    for password in ["", "\0", "\0\0"] {
        assert_eq!(client.refusal("alice", password).await, "bad-credentials", "{password:?}");
    }
    assert_eq!(fake.connections(), 0);
}

fn starttls(fake: &Fake) -> Client {
    let pki = tempfile::tempdir().unwrap();
    let ca = std::fs::read_to_string(testbed::pki::Ca::open(pki.path()).unwrap().certificate()).unwrap();
    let mut config = config(&[fake.port]);
    config["tls"] = json!({ "mode": "startTls", "caPem": ca });
    Client::new(config)
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_behind_the_answer_to_starttls_is_refused() {
    let fake = Fake::start(|request| match request.operation {
        // The bind response that the client will wait for, sent ahead of TLS by somebody on the way.
        EXTENDED => Answer::Send([message(1, &result(0x78, 0)), message(1, &result(0x61, 0))].concat()),
        _ => Answer::Close,
    })
    .await;
    assert_eq!(starttls(&fake).refusal("alice", "alice-secret").await, "unavailable");
    assert_eq!(fake.requests(), 1, "nothing but StartTLS was said");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_starttls_gets_no_password() {
    let fake = Fake::start(|request| Answer::Send(message(request.id, &result(0x78, 2)))).await;
    assert_eq!(starttls(&fake).refusal("alice", "alice-secret").await, "unavailable");
    assert_eq!(fake.requests(), 1);
    let other_answer = Fake::start(|request| Answer::Send(message(request.id, &result(0x61, 0)))).await;
    assert_eq!(starttls(&other_answer).refusal("alice", "alice-secret").await, "unavailable");
    assert_eq!(other_answer.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_tried_on_one_server_only() {
    let tries = Arc::new(AtomicUsize::new(0));
    let server = |tries: Arc<AtomicUsize>| {
        obliging(move |request| {
            let tried = request.operation == BIND && request.mentions("alice-secret");
            tried.then(|| {
                tries.fetch_add(1, Ordering::SeqCst);
                Answer::Close
            })
        })
    };
    let (one, two) = (Fake::start(server(tries.clone())).await, Fake::start(server(tries.clone())).await);
    let client = Client::new(config(&[one.port, two.port]));
    assert_eq!(client.refusal("alice", "alice-secret").await, "unavailable");
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_people_is_two_people_and_nobody_is_let_in() {
    let flood = obliging(|request| {
        let people = request.operation == SEARCH && request.mentions("inetOrgPerson");
        people.then(|| Answer::Flood(message(request.id, &alice())))
    });
    assert_eq!(refusal_of(flood).await, "ambiguous");
}
