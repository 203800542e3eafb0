use std::fs;
use std::path::Path;
use std::sync::Arc;

use http_body_util::BodyExt;
use kube_wire::audit::Event;

use super::*;
use crate::admit;
use crate::body::{Body, BoxError};
use crate::boundary::{Revocation, Revoked};
use crate::gate::{Common, Gate};
use crate::testing::{TestTime, World, alice, request};
use crate::{authenticate, pipeline};

/// A gate that keeps its audit events in a file.
fn world_with(config: &AuditConfig) -> World {
    let World { gate, time, resolve, revoke } = World::new();
    let Ok(common) = Arc::try_unwrap(gate.common) else { panic!("shared") };
    let audit = Sink::start(config, Arc::clone(&common.metrics)).unwrap();
    World { gate: Gate { common: Arc::new(Common { audit, ..common }), pool: gate.pool }, time, resolve, revoke }
}

fn config(path: &Path, when_full: WhenFull) -> AuditConfig {
    AuditConfig { file: Some(path.to_owned()), when_full, rotation: None }
}

async fn answered(world: &World, request: http::request::Builder) -> (http::StatusCode, String) {
    let incoming = world.incoming(request.body(Body::empty()).unwrap());
    let response = pipeline::answer(&world.gate, incoming).await;
    let id = response.headers().get("audit-id").map(|id| id.to_str().unwrap().to_owned());
    let status = response.status();
    response.into_body().collect().await.unwrap();
    (status, id.unwrap_or_default())
}

async fn events(world: &World, path: &Path) -> Vec<Event<'static>> {
    world.gate.common.audit.flush().await;
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_outcome_leaves_one_closing_event_with_the_id_that_the_client_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let (shape, shape_id) = answered(&world, request("/api/../x")).await;
    let bare = http::Request::builder().uri("/k8s/clusters/east/api").header("host", "gw");
    let (login, login_id) = answered(&world, bare).await;
    let (grant, grant_id) = answered(&world, request("/k8s/clusters/west/api/v1/namespaces/x/pods/y")).await;
    let (me, me_id) = answered(&world, request("/api/v1/me").header("audit-id", "proposed-1")).await;
    assert_eq!([shape, login, grant, me].map(|status| status.as_u16()), [404, 401, 403, 200]);
    let events = events(&world, &path).await;
    let ids: Vec<&str> = events.iter().map(|event| event.audit_id.as_ref()).collect();
    assert_eq!(ids, [&shape_id, &login_id, &grant_id, &me_id]);
    let denied = &events[2];
    assert_eq!(denied.request_uri, "/api/v1/namespaces/x/pods/y");
    assert_eq!(denied.user.username, "corp:alice");
    assert_eq!(denied.response_status.as_ref().unwrap().code, 403);
    assert_eq!(denied.annotations["gatewarden/cluster"], "west");
    assert!(denied.annotations["gatewarden/deny-reason"].starts_with("no-grant"));
    let decisions = events.iter().map(|event| event.annotations.get("authorization.k8s.io/decision"));
    // Who is not known, or asks for nothing, was not judged.
    assert_eq!(decisions.collect::<Vec<_>>(), [None, None, Some(&"forbid".into()), None]);
    assert_eq!(denied.source_ips, ["192.0.2.7"]);
    assert_eq!(events[3].object_ref.as_ref().unwrap().api_group, "gatewarden");
    assert_eq!(events[3].annotations["gatewarden/client-audit-id"], "proposed-1");
}

#[tokio::test]
async fn no_secret_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let names = [
        "access_token",
        "Token",
        "id_token",
        "id_token_hint",
        "refresh_token",
        "CODE",
        "user_code",
        "device_code",
        "code_verifier",
        "ticket",
        "password",
        "client_secret",
    ];
    for name in names {
        answered(&world, request(&format!("/k8s/clusters/west/api?x=1&{name}=hunter2&y=2"))).await;
    }
    answered(&world, request("/api/v1/me").header("cookie", "hunter2")).await;
    let events = events(&world, &path).await;
    let targets = events.iter().map(|event| event.request_uri.as_ref());
    let hidden = names.iter().map(|name| format!("/api?x=1&{name}=hidden&y=2"));
    assert!(targets.eq(hidden.chain(["/api/v1/me".to_owned()])), "{events:?}");
    let text = fs::read_to_string(&path).unwrap().replace("client_secret=hidden", "");
    assert!(!text.contains("hunter2") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn what_changes_something_is_on_disk_before_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let incoming = world.incoming(request("/api/v1/tokens/x").method("DELETE").body(Body::empty()).unwrap());
    let mut record = world.record(&incoming);
    let admit::Entry::Private(admitted) = admit::run(&world.gate, incoming, &mut record).unwrap() else { panic!() };
    authenticate::run(&world.gate, admitted, &mut record).await.unwrap();
    before_sending(&world.gate, &mut record).await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let event: Event<'_> = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((event.stage, event.verb.as_ref()), (Stage::RequestReceived, "delete"));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_or_counted_as_the_operator_chose() {
    for (when_full, status, lost) in [(WhenFull::Refuse, 503, 2), (WhenFull::Drop, 200, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub").join("audit.log");
        fs::create_dir(path.parent().unwrap()).unwrap();
        let world = world_with(&config(&path, when_full));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        let (answer, _) = answered(&world, request("/api/v1/tokens/x").method("DELETE")).await;
        assert_eq!(answer.as_u16(), status);
        world.gate.common.audit.flush().await;
        let text = world.gate.common.metrics.encode();
        assert!(text.contains(&format!("gatewarden_audit_lost_total {lost}")), "{when_full:?}: {text}");
    }
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("audit.log"), folder.path().join("audit.log.1"));
    let world = world_with(&config(&path, WhenFull::Refuse));
    answered(&world, request("/api/v1/me")).await;
    world.gate.common.audit.flush().await;
    fs::rename(&path, &old).unwrap();
    world.gate.common.audit.reopen();
    answered(&world, request("/api/v1/me")).await;
    assert_eq!(events(&world, &path).await.len(), 1);
    assert_eq!(fs::read_to_string(&old).unwrap().lines().count(), 1);
}

/// Every line of the log and of what it was rotated to.
fn all_lines(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    files.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_line_of_many_writers_is_lost_or_torn_while_files_move_away_under_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let rotation = Some(Rotation { max_bytes: 4_096, keep: 1_000 });
    let world = world_with(&AuditConfig { rotation, ..config(&path, WhenFull::Refuse) });
    let sink = &world.gate.common.audit;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let sink = sink.clone();
        writers.spawn(async move {
            for number in 0..200 {
                let line = format!("{writer:03} {number:03} {}", "x".repeat(number % 90)).into_bytes();
                match number % 2 {
                    0 => sink.write_through(line).await.unwrap(),
                    _ => sink.put(sink::Message::Line(line), None),
                }
            }
        });
    }
    // What logrotate does, at the same time.
    for number in 0..20 {
        sink.flush().await;
        if fs::rename(&path, folder.path().join(format!("audit.log-{number}"))).is_ok() {
            sink.reopen();
        }
    }
    writers.join_all().await;
    sink.flush().await;
    let mut lines = all_lines(folder.path());
    lines.sort();
    let whole = |(index, line): (usize, &String)| {
        let (writer, number) = (index / 200, index % 200);
        *line == format!("{writer:03} {number:03} {}", "x".repeat(number % 90))
    };
    assert!(lines.len() == 1_600 && lines.iter().enumerate().all(whole), "{} lines", lines.len());
    let sizes = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(sizes.max().unwrap() <= 4_096);
    assert!(world.gate.common.metrics.encode().lines().any(|line| {
        line.strip_prefix("gatewarden_audit_rotations_total ").is_some_and(|times| times.parse::<u64>().unwrap() > 5)
    }));
}

#[tokio::test]
async fn a_request_that_ends_in_a_panic_says_so_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let (status, id) = answered(&world, request("/api/v1/panic")).await;
    assert_eq!(status.as_u16(), 500);
    let events = events(&world, &path).await;
    let last = events.last().unwrap();
    assert_eq!((last.stage, last.audit_id.as_ref()), (Stage::Panic, id.as_str()));
    assert_eq!(last.user.username, "corp:alice");
}

#[tokio::test]
async fn a_stream_is_on_record_when_it_arrives_when_its_answer_begins_and_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let incoming = world.incoming(request("/k8s/clusters/east/x").body(Body::empty()).unwrap());
    let mut record = world.record(&incoming);
    record.understood(&Arc::default(), true);
    before_sending(&world.gate, &mut record).await.unwrap();
    record.answered(http::Response::new(Body::empty())).into_body().collect().await.unwrap();
    let stages: Vec<Stage> = events(&world, &path).await.iter().map(|event| event.stage).collect();
    assert_eq!(stages, [Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete]);
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let _world = world_with(&config(&path, WhenFull::Refuse));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_a_record_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let incoming = world.incoming(request("/api/v1/me").body(Body::empty()).unwrap());
    drop(world.record(&incoming));
    assert_eq!(events(&world, &path).await[0].response_status.as_ref().unwrap().code, 499);
}

#[tokio::test]
async fn a_tunnel_is_on_record_until_its_last_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let switched = || {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        response
    };
    let open = || {
        let incoming = world.incoming(request("/k8s/clusters/east/x").body(Body::empty()).unwrap());
        let mut record = world.record(&incoming);
        record.understood(&Arc::default(), true);
        record
    };
    let running = open();
    let hold = running.hold();
    assert!(!running.answered(switched()).headers().contains_key("audit-id"), "as the API server does");
    assert_eq!(events(&world, &path).await.len(), 1, "the start");
    drop(hold);
    let closed = events(&world, &path).await;
    assert_eq!((closed.len(), closed[1].stage), (2, Stage::ResponseComplete));
    let brief = open();
    drop(brief.hold());
    brief.answered(switched());
    assert_eq!(events(&world, &path).await.len(), 4, "over before the answer was out");
}

#[tokio::test]
async fn a_cluster_name_that_a_client_invents_makes_no_label() {
    let world = World::new();
    answered(&world, request("/k8s/clusters/invented/api")).await;
    answered(&world, request("/k8s/clusters/west/api")).await;
    let text = world.gate.common.metrics.encode();
    assert!(text.contains(r#"cluster="west""#) && !text.contains("invented"), "{text}");
}

#[tokio::test]
async fn how_an_answer_ended_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let watch = || {
        let incoming = world.incoming(request("/api/v1/me").body(Body::empty()).unwrap());
        let silent = futures_util::stream::pending::<Result<http_body::Frame<bytes::Bytes>, BoxError>>();
        let (revoke, revoked) = Revoked::new(Arc::new(TestTime::new()));
        let life = revoked.enroll(&alice("gwt-alice"), 0).unwrap();
        let body = Body::boxed(http_body_util::StreamBody::new(silent)).until(life);
        (world.record(&incoming).answered(http::Response::new(body)).into_body(), revoke)
    };
    let (gone, _revoke) = watch();
    drop(gone);
    let (cut, revoke) = watch();
    revoke.send(&Revocation::Everything);
    assert!(cut.collect().await.is_err());
    let ends: Vec<String> =
        events(&world, &path).await.iter().map(|event| event.annotations["gatewarden/end"].to_string()).collect();
    assert_eq!(ends, ["abandoned", "broken"]);
}

const TOKEN: &str = "gwt-abcdefghijk2:0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123";

#[tokio::test]
async fn a_pasted_token_is_refused_and_its_secret_is_nowhere_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let escaped = TOKEN.replace(':', "%3A");
    for target in [format!("/k8s/clusters/west/api/{TOKEN}"), format!("/api/v1/me?x={escaped}"), format!("/x/{TOKEN}")]
    {
        let (status, _) = answered(&world, request(&target)).await;
        assert!(matches!(status.as_u16(), 400 | 404), "{target}: {status}");
    }
    let (told, _) = answered(&world, request("/k8s/clusters/east/api").header("x-mine", format!("a {TOKEN}"))).await;
    assert_eq!(told.as_u16(), 400);
    answered(&world, request("/api/v1/me").header("user-agent", TOKEN)).await;
    assert_eq!(events(&world, &path).await.len(), 5);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("0123456789abcdef"), "{text}");
    assert!(text.contains("gwt-abcdefghijk2:hidden"), "the name tells what to revoke");
}

#[tokio::test]
async fn a_record_is_not_as_long_as_the_client_likes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let part = "x".repeat(7_000);
    let target = format!("/k8s/clusters/west/api/v1/namespaces/{part}/pods/{part}");
    answered(&world, request(&target).header("user-agent", "y".repeat(16_000))).await;
    assert_eq!(events(&world, &path).await[0].verb, "get");
    let length = fs::metadata(&path).unwrap().len();
    assert!(length < 6_000, "{length}");
}

#[tokio::test]
async fn a_login_that_its_client_gave_up_is_always_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let login = || http::Request::builder().method("POST").uri("/api/v1/providers/corp/login").header("host", "gw");
    for _ in 0..300 {
        let incoming = world.incoming(login().body(Body::empty()).unwrap());
        let mut record = world.record(&incoming);
        record.asks();
        drop(record); // the API was called, and the client hung up
    }
    assert_eq!(events(&world, &path).await.len(), 300);
}

#[tokio::test]
async fn who_asks_too_much_unknown_leaves_one_record_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let bare = || http::Request::builder().uri("/k8s/clusters/east/api").header("host", "gw");
    answered(&world, request("/api/v1/me")).await;
    // As many as the source may fail; from then on it is told to wait.
    for _ in 0..1_000 {
        answered(&world, bare()).await;
    }
    let (me, id) = answered(&world, request("/api/v1/me")).await;
    assert_eq!(me.as_u16(), 200);
    let first = events(&world, &path).await;
    assert_eq!(first.len(), 203, "200 refused, one told to wait, and the two that we know");
    assert_eq!(first.last().unwrap().audit_id, id);
    world.time.pass(std::time::Duration::from_secs(61));
    world.revoke.heartbeat();
    for _ in 0..1_000 {
        answered(&world, bare()).await;
    }
    let later = events(&world, &path).await;
    assert!(later[203..].iter().any(|event| event.annotations.get("gatewarden/left-out").is_some_and(|n| n == "799")));
}

#[tokio::test]
async fn what_the_api_notes_is_on_record_and_never_in_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = world_with(&config(&path, WhenFull::Refuse));
    let incoming = world.incoming(request("/api/v1/noted").body(Body::empty()).unwrap());
    let response = pipeline::answer(&world.gate, incoming).await;
    assert!(response.extensions().get::<crate::boundary::Noted>().is_none(), "it goes no further");
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&text).contains("locked"));
    answered(&world, http::Request::post("/api/v1/providers/noted/login").header("host", "gw")).await;
    let events = events(&world, &path).await;
    let closing: Vec<_> = events.iter().filter(|event| event.response_status.is_some()).collect();
    let [by_alice, login] = closing.as_slice() else { panic!("{closing:?}") };
    assert_eq!(by_alice.annotations["gatewarden/session-id"], "s-1", "the caller's own stays");
    for event in [by_alice, login] {
        assert_eq!(event.annotations["gatewarden/deny-reason"], "login-locked: corp: the account is locked");
    }
    let noted =
        ["gatewarden/session-id", "gatewarden/provider", "gatewarden/principal"].map(|key| &*login.annotations[key]);
    assert_eq!(noted, ["s-2", "corp", "corp_user://7"]);
}
