//! What a kubeconfig file may say, and what it may not.

use std::fs;

use super::*;

const FILE: &str = "\
apiVersion: v1
kind: Config
current-context: one
contexts:
- { name: one, context: { cluster: c, user: u, namespace: ignored } }
clusters:
- name: c
  cluster: { server: \"https://10.0.0.1:6443\", certificate-authority-data: UEVN }
users:
- name: u
  user: { token: hunter2 }
";

fn open(text: &str, context: Option<&str>) -> Result<Kubeconfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    fs::write(&file, text).unwrap();
    let reference = KubeconfigRef { file, context: context.map(str::to_owned) };
    Kubeconfig::open(&reference, &mut Sources::default())
}

fn place(text: &str) -> Result<Place, Vec<String>> {
    open(text, None).unwrap().place(&mut Sources::default())
}

fn account(user: &str) -> Result<Account, Vec<String>> {
    open(&FILE.replace("{ token: hunter2 }", user), None).unwrap().account(&mut Sources::default())
}

#[test]
fn place_and_account_are_read_and_the_token_stays_unseen() {
    let file = open(FILE, None).unwrap();
    let found = file.place(&mut Sources::default()).unwrap();
    assert_eq!(found.endpoints[0], "https://10.0.0.1:6443/");
    assert_eq!(found.ca_pem, b"PEM");
    assert_eq!(file.account(&mut Sources::default()).unwrap(), Account::Token("hunter2".to_owned().into()));
    assert!(!format!("{file:?}").contains("hunter2"));
}

#[test]
fn an_unknown_context_names_the_known_ones() {
    let fault = open(FILE, Some("two")).unwrap_err();
    assert!(fault.ends_with("has no context `two`; it has: one"), "{fault}");
    assert!(open(&FILE.replace("current-context: one", ""), None).unwrap_err().contains("has no current-context"));
    assert!(open("nonsense: [", None).unwrap_err().contains("this is no kubeconfig"));
}

#[test]
fn what_would_weaken_the_connection_is_refused() {
    let text = FILE
        .replace("server: ", "insecure-skip-tls-verify: true, proxy-url: \"http://p\", server: ")
        .replace("https://", "http://")
        .replace(", certificate-authority-data: UEVN", "");
    let faults = place(&text).unwrap_err();
    for (fault, wanted) in
        faults.iter().zip(["insecure-skip-tls-verify", "proxy-url", "must read https://", "no certificate-authority"])
    {
        assert!(fault.contains(wanted), "{fault}");
    }
    assert_eq!(faults.len(), 4);
    assert!(place(&FILE.replace("UEVN", "\"%\"")).unwrap_err()[0].contains("not base64"));
}

#[test]
fn a_credential_that_runs_a_program_is_refused() {
    for (user, wanted) in [
        ("{ exec: { command: steal } }", "exec plugin"),
        ("{ auth-provider: { name: gcp } }", "auth-provider"),
        ("{ username: a, password: hunter2 }", "has a password"),
        ("{ token: hunter2, as: admin }", "sets `as`"),
        ("{}", "no token and no client certificate"),
        ("{ client-certificate-data: UEVN }", "without its key"),
        ("{ client-key-data: UEVN }", "without its certificate"),
    ] {
        let faults = account(user).unwrap_err();
        assert!(faults[0].contains(wanted), "{user}: {faults:?}");
        assert!(!faults.concat().contains("hunter2"));
    }
}

#[test]
fn files_start_from_the_folder_of_the_kubeconfig() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cert"), "CERT").unwrap();
    fs::write(folder.path().join("key"), "KEY").unwrap();
    let file = folder.path().join("kubeconfig");
    fs::write(&file, FILE.replace("{ token: hunter2 }", "{ client-certificate: cert, client-key: key }")).unwrap();
    let opened = Kubeconfig::open(&KubeconfigRef { file, context: None }, &mut Sources::default()).unwrap();
    let account = opened.account(&mut Sources::default()).unwrap();
    assert_eq!(account, Account::ClientCertificate { cert_pem: b"CERT".to_vec(), key_pem: "KEY".to_owned().into() });
    let Ok(Account::TokenFile(path)) = account_of(&folder, "{ tokenFile: t }") else { panic!() };
    assert_eq!(path, folder.path().join("t"));
}

fn account_of(folder: &tempfile::TempDir, user: &str) -> Result<Account, Vec<String>> {
    let file = folder.path().join("other");
    fs::write(&file, FILE.replace("{ token: hunter2 }", user)).unwrap();
    Kubeconfig::open(&KubeconfigRef { file, context: None }, &mut Sources::default())
        .unwrap()
        .account(&mut Sources::default())
}
