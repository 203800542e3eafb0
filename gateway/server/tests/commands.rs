//! The built program as an operator types it: exit codes, what goes to which stream, and no secret in either.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "\
apiVersion: gatewarden/v1
hosts: { clusters: [gw.test] }
listeners: { main: { address: 127.0.0.1:7443 } }
stateDir: state
providers:
  - { id: local, kind: local }
clusters:
  - id: east
    server: https://10.0.0.1:6443
    caFile: ca.crt
    impersonator: { tokenFile: token }
    reviewer: { tokenFile: token }
grants:
  - { subjects: [\"user:local:alice\"], clusters: [east] }
";

/// A folder with a good configuration.
fn site() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("state")).unwrap();
    let ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, text) in [("gw.yaml", CONFIG), ("ca.crt", ca), ("state/ca.crt", ca), ("token", "t")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn run(folder: &TempDir, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatewarden"))
        .env_clear()
        .env("GATEWARDEN_CONFIG", folder.path().join("gw.yaml"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ended(child)
}

/// No command of these tests takes longer; a server that starts in spite of a fault would run for ever.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for the end of a process, and kills one that does not come to it.
#[track_caller]
fn ended(mut child: Child) -> Output {
    let streams = (collected(child.stdout.take()), collected(child.stderr.take()));
    let (Ok(stdout), Ok(stderr)) = (streams.0.recv_timeout(DEADLINE), streams.1.recv_timeout(DEADLINE)) else {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("the process ran on");
    };
    Output { status: child.wait().unwrap(), stdout, stderr }
}

/// All of a stream, when it ends.
fn collected(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let mut stream = stream.unwrap();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        // Nobody waits for it any more when the deadline has passed.
        let _ = sender.send(bytes);
    });
    receiver
}

#[track_caller]
fn json(folder: &TempDir, arguments: &[&str], input: &str) -> Value {
    let output = run(folder, &[arguments, &["--output", "json"]].concat(), input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Expects exit code 1, nothing on standard output, and one line on standard error.
#[track_caller]
fn refused(folder: &TempDir, arguments: &[&str], input: &str) -> String {
    let output = run(folder, arguments, input);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}

#[test]
fn check_reports_every_fault_with_file_and_line_and_fails() {
    let folder = site();
    assert_eq!(json(&folder, &["check"], "")["ok"], true);
    fs::write(folder.path().join("gw.yaml"), CONFIG.replace("caFile", "cafile").replace("[east]", "[west]")).unwrap();
    let output = run(&folder, &["check"], "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("gw.yaml:10:5: clusters[0].cafile: unknown key; did you mean `caFile`?"), "{told}");
    assert!(told.contains("gw.yaml:14:50: grants[0].clusters[0]: there is no cluster `west`"), "{told}");
    let output = run(&folder, &["check", "-o", "json"], "");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &result["ok"]), (Some(1), &Value::Bool(false)));
    assert_eq!(result["faults"][1]["path"], "clusters[0].cafile");
}

#[test]
fn the_first_command_on_a_fresh_machine_makes_the_state_folder() {
    let folder = site();
    fs::remove_dir_all(folder.path().join("state")).unwrap();
    assert_eq!(json(&folder, &["user", "list"], ""), Value::Array(Vec::new()));
}

#[test]
fn people_are_added_listed_switched_off_and_on_again() {
    let folder = site();
    let password = "correct horse battery";
    let added = json(&folder, &["user", "add", "alice", "--group", "dev", "--password-stdin"], password);
    let again = refused(&folder, &["user", "add", "alice", "--password-stdin"], password);
    assert!(again.contains("the login name \"alice\" is taken"), "{again}");
    let known = json(&folder, &["user", "list"], "");
    assert_eq!((&known[0]["id"], &known[0]["login"]), (&added["id"], &Value::from("alice")));
    json(&folder, &["user", "disable", "alice"], "");
    assert!(json(&folder, &["user", "list"], "")[0]["disabledAt"].is_string());
    json(&folder, &["user", "enable", "alice"], "");
    assert!(json(&folder, &["user", "list"], "")[0]["disabledAt"].is_null());
    json(&folder, &["user", "passwd", "alice", "--password-stdin"], "another horse battery");
    let unknown = refused(&folder, &["user", "disable", "bob"], "");
    assert!(unknown.contains("there is no user \"bob\""), "{unknown}");
}

#[test]
fn a_cost_that_serve_refuses_hashes_no_password() {
    let folder = site();
    let weak = CONFIG.replace("kind: local }", "kind: local, config: { argon2: { memoryKib: 8 } } }");
    fs::write(folder.path().join("gw.yaml"), weak).unwrap();
    let told = refused(&folder, &["user", "add", "alice", "--password-stdin"], "correct horse battery");
    assert!(told.contains("argon2.memoryKib"), "{told}");
}

#[test]
fn a_password_is_never_repeated() {
    let folder = site();
    for bad in ["hunter2", "", "hunter2\0hunter2hunter2"] {
        let told = refused(&folder, &["user", "add", "alice", "--password-stdin"], bad);
        assert!(told.contains("password") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_token_that_is_pasted_whole_does_not_come_back() {
    let told = refused(&site(), &["token", "revoke", "gwt-aaaaaaaaaaaa:hunter2"], "");
    assert!(told.contains("there is no token \"gwt-aaaaaaaaaaaa\"") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_kubeconfig_leads_through_the_gateway() {
    let folder = site();
    let output = run(&folder, &["cluster", "kubeconfig", "--all", "--token-stdin"], "gwt-a:b\n");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("https://gw.test:7443/k8s/clusters/east"), "{text}");
    assert!(text.contains("\"gwt-a:b\"") && text.contains("certificate-authority-data"), "{text}");
    let told = refused(&folder, &["cluster", "kubeconfig", "west"], "");
    assert!(told.contains("there is no cluster `west`; there are: east"), "{told}");
}

#[test]
fn a_wrong_command_line_exits_with_two() {
    assert_eq!(run(&site(), &["cluster", "kubeconfig"], "").status.code(), Some(2));
}

/// Writes the good configuration with these listeners and `more`, and expects `serve` to refuse it in one line.
#[track_caller]
fn no_start(folder: &TempDir, listeners: &str, more: &str) -> String {
    let text = CONFIG.replace("main: { address: 127.0.0.1:7443 }", listeners);
    fs::write(folder.path().join("gw.yaml"), format!("{text}{more}")).unwrap();
    refused(folder, &["serve", "--log", "off"], "")
}

/// Listeners that no other process holds.
const FREE: &str = "main: { address: 127.0.0.1:0 }, operations: { address: 127.0.0.1:0 }";

fn taken() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_taken_port_is_named_with_its_key() {
    let (_held, address) = taken();
    for (key, other) in [("main", "operations"), ("operations", "main")] {
        let listeners = format!("{key}: {{ address: {address} }}, {other}: {{ address: 127.0.0.1:0 }}");
        let told = no_start(&site(), &listeners, "");
        assert!(told.starts_with(&format!("gatewarden: cannot listen on {address}; ")), "{told}");
        assert!(told.contains(&format!("`listeners.{key}.address`")) && told.contains("in use"), "{told}");
    }
}

#[test]
fn a_key_file_that_others_read_is_named_with_the_command_that_mends_it() {
    let folder = site();
    let key = folder.path().join("state/key");
    fs::write(&key, "whatever").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let told = no_start(&folder, FREE, "");
    assert!(told.contains("state/key has mode 0644") && told.contains("chmod 600"), "{told}");
}

#[test]
fn a_certificate_that_cannot_serve_is_one_line_for_check_and_serve() {
    let folder = site();
    let key = KeyPair::generate().unwrap();
    let mut old = CertificateParams::new(vec!["gw.test".to_owned()]).unwrap();
    (old.not_before, old.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let good = CertificateParams::new(vec!["gw.test".to_owned()]).unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("old.crt", old.self_signed(&key).unwrap().pem());
    write("good.crt", good.self_signed(&key).unwrap().pem());
    write("good.key", key.serialize_pem());
    write("other.key", KeyPair::generate().unwrap().serialize_pem());
    write("no.key", "nonsense".to_owned());
    for (certificate, key, wanted) in [
        ("old.crt", "good.key", "the certificate expired at "),
        ("good.crt", "no.key", "private key: "),
        ("good.crt", "other.key", "do not fit together"),
    ] {
        let listeners =
            FREE.replacen(" }", &format!(", tls: {{ certificateFile: {certificate}, keyFile: {key} }} }}"), 1);
        let told = no_start(&folder, &listeners, "");
        assert!(told.contains("gw.yaml:3:") && told.contains("listeners.main.tls: "), "{told}");
        assert!(told.contains(wanted), "{told}");
        assert_eq!(refused(&folder, &["check"], ""), told);
    }
}

#[test]
fn an_audit_file_that_cannot_be_written_is_known_to_check() {
    let folder = site();
    let told = no_start(&folder, FREE, "audit: { file: no/such/folder/audit.log }\n");
    assert!(told.contains("audit.file: cannot write `") && told.contains("no/such/folder/audit.log`"), "{told}");
    assert_eq!(refused(&folder, &["check"], ""), told);
}

#[test]
fn completions_are_printed_for_every_shell() {
    let folder = site();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&folder, &["completion", shell], "");
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(["serve", "check", "kubeconfig"].iter().all(|word| script.contains(word)), "{shell}: {script}");
    }
}

#[test]
fn sessions_are_listed_and_one_that_is_not_there_cannot_be_ended() {
    let folder = site();
    assert_eq!(json(&folder, &["session", "list", "--all"], ""), Value::Array(Vec::new()));
    let table = run(&folder, &["session", "list"], "");
    assert!(String::from_utf8_lossy(&table.stdout).trim_start().starts_with("SESSION"), "{table:?}");
    let id = "s-0199f0c2-7d3a-7c11-9a52-6d1f5e0b8a77";
    let told = refused(&folder, &["session", "revoke", id], "");
    assert!(told.contains(&format!("there is no session \"{id}\"")), "{told}");
    let told = refused(&folder, &["session", "revoke", "--user", "nobody"], "");
    assert!(told.contains("there is no user"), "{told}");
}

/// Two clusters, so that neither is asked anything unless it is named.
const EXPLAINED: &str = "\
clusters:
  - id: west
    server: https://10.0.0.2:6443
    caFile: ca.crt
    impersonator: { tokenFile: token }
    reviewer: { tokenFile: token }
";

#[test]
fn explain_tells_how_long_a_login_lasts_and_by_which_rule() {
    let folder = site();
    let rules = "issuer: { sessions: [{ groups: [\"local:none\"], maxAge: 1h }, { groups: [\"local:ops\"], maxAge: 4h }, \
                 { groups: [\"local:dev\"], maxIdle: 30m }] }\n";
    let config = CONFIG.replace("[gw.test] }", "[gw.test], console: login.test }").replace("clusters:\n", EXPLAINED);
    fs::write(folder.path().join("gw.yaml"), format!("{config}{rules}sessions: {{ refreshInterval: 5m }}\n")).unwrap();
    let password = "correct horse battery staple";
    for (login, groups) in [("alice", &["--group", "ops", "--group", "dev"][..]), ("bob", &[])] {
        json(&folder, &[&["user", "add", login, "--password-stdin"], groups].concat(), password);
    }
    let explained = |who: &str| -> Value {
        // Whom no grant names is refused, and explained all the same.
        serde_json::from_slice(&run(&folder, &["explain", who, "-o", "json"], "").stdout).unwrap()
    };
    let told = explained("alice");
    let by =
        |rule: u64, group: &str, seconds: u64| serde_json::json!({ "seconds": seconds, "rule": rule, "group": group });
    assert_eq!(told["session"]["maxAge"], by(1, "local:ops", 4 * 3_600), "{told}");
    assert_eq!(told["session"]["maxIdle"], by(2, "local:dev", 30 * 60), "{told}");
    assert_eq!(told["session"]["refreshIntervalSeconds"], 300, "{told}");
    let output = run(&folder, &["explain", "alice"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "a login ends after 4h by issuer.sessions[1], for local:ops",
        "one at the issuer ends after 30m unused, by issuer.sessions[2], for local:dev",
        "groups are read anew every 5m",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let told = explained("bob");
    let usual = |seconds: u64| serde_json::json!({ "seconds": seconds, "rule": null, "group": null });
    assert_eq!((&told["session"]["maxAge"], &told["session"]["maxIdle"]), (&usual(12 * 3_600), &usual(8 * 3_600)));
}

#[test]
fn the_description_of_the_api_is_printed_without_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&folder, &["openapi"], "");
    let described: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &described["openapi"]), (Some(0), &Value::from("3.1.0")));
    assert_eq!(described, gatewarden_control::openapi());
}
