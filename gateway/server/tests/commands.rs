//! The built program as an operator types it: exit codes, what goes to which stream, and no secret in either.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

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
    child.wait_with_output().unwrap()
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
    assert!(told.contains("gw.yaml:14:45: grants[0].clusters[0]: there is no cluster `west`"), "{told}");
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

#[test]
fn a_start_that_cannot_be_is_one_line() {
    let folder = site();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let operations =
        format!("operations: {{ address: {} }}, main: {{ address: 127.0.0.1:0 }}", taken.local_addr().unwrap());
    fs::write(folder.path().join("gw.yaml"), CONFIG.replace("main: { address: 127.0.0.1:7443 }", &operations)).unwrap();
    let output = run(&folder, &["serve", "--log", "off"], "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.starts_with("gatewarden: cannot listen on 127.0.0.1:") && told.contains("in use"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}
