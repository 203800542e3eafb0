//! What a configuration names is read, or every missing piece is named with its line.

use std::fs;

use gatewarden_proxy::Carrier;
use tempfile::TempDir;

use super::*;

const CA: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const GOOD: &str = "\
apiVersion: gatewarden/v1
hosts: { clusters: [gw.test] }
stateDir: state
providers:
  - { id: local, kind: local }
  - id: corp
    kind: ldap
    displayName: Example
    config:
      servers: [\"ldap://127.0.0.1:1\"]
      tls: { mode: dangerousNone }
      bind: { dn: \"cn=reader\", password: { file: password } }
      users: { base: \"ou=people\" }
clusters:
  - id: east
    server: https://10.0.0.1:6443
    caFile: ca.crt
    impersonator: { tokenFile: token }
    reviewer: { tokenFile: token }
grants:
  - { subjects: [\"group:corp:dev\"], clusters: [east] }
";

const JWKS: &str =
    r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A folder with a good configuration and all that it names.
fn site(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("gw.yaml", text), ("ca.crt", CA), ("token", "t\n"), ("password", "hunter2\n")] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn run(folder: &TempDir) -> Result<Loaded, LoadError> {
    load(&folder.path().join("gw.yaml"), &ProviderPorts::default())
}

/// The faults of a folder, with its own name taken out.
fn faults(folder: &TempDir) -> Vec<String> {
    let Err(LoadError::Faults { faults, .. }) = run(folder) else { panic!("no fault") };
    let name = format!("{}/", folder.path().display());
    faults.iter().map(|fault| fault.to_string().replace(&name, "")).collect()
}

#[test]
fn a_good_folder_is_loaded_and_its_secrets_stay_unseen() {
    let folder = site(GOOD);
    let loaded = run(&folder).unwrap();
    assert_eq!(loaded.providers.len(), 2);
    assert_eq!(loaded.providers[1].provider.transform_to_auth_provider().display_name, "Example");
    assert!(loaded.snapshot.cluster("east").is_some());
    let warnings = loaded.config.warnings().join("\n");
    assert!(warnings.contains("provider corp: dangerousNone is set"), "{warnings}");
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn every_missing_file_is_named_with_the_line_that_names_it() {
    let folder = site(GOOD);
    for name in ["ca.crt", "token", "password"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let gone = "No such file or directory (os error 2)";
    assert_eq!(
        faults(&folder),
        [
            format!(
                "12:42: providers[1].config.bind.password: cannot read `password`: {gone}; name a file that the gateway can read, or set the variable"
            ),
            format!(
                "17:13: clusters[0].caFile: cannot read `ca.crt`: {gone}; name a PEM file that the gateway's user can read"
            ),
            format!(
                "18:32: clusters[0].impersonator.tokenFile: cannot read `token`: {gone}; name a file that holds the account's token and that the gateway's user can read"
            ),
            format!(
                "19:28: clusters[0].reviewer.tokenFile: cannot read `token`: {gone}; name a file that holds the account's token and that the gateway's user can read"
            ),
        ]
    );
}

#[test]
fn a_provider_says_what_is_wrong_at_the_line_that_says_it() {
    let folder = site(&GOOD.replace("users: { base:", "users: { bsae:").replace("{ file: password }", "hunter2"));
    let found = faults(&folder).join("\n");
    assert!(
        found.contains("12:42: providers[1].config.bind.password: a secret must not stand in this file"),
        "{found}"
    );
    assert!(found.contains("13:16: providers[1].config.users.bsae: unknown key; did you mean `base`?"), "{found}");
    assert!(!found.contains("hunter2"), "{found}");

    let folder = site(&GOOD.replace("ldap://127", "http://127"));
    let found = faults(&folder).join("\n");
    assert!(found.starts_with("10:17: providers[1].config.servers[0]: "), "{found}");
}

#[test]
fn a_ca_that_is_none_and_an_empty_token_are_faults() {
    let folder = site(GOOD);
    fs::write(folder.path().join("ca.crt"), "nonsense").unwrap();
    fs::write(folder.path().join("token"), "\n").unwrap();
    let found = faults(&folder).join("\n");
    assert!(found.contains("17:13: clusters[0].caFile: the CA holds no PEM certificate"), "{found}");
    assert!(found.contains("clusters[0].reviewer.tokenFile: `token` is empty"), "{found}");
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let folder = site(&GOOD.replace("{ file: password }", "{ env: GATEWARDEN_TEST_NEVER_SET }"));
    let found = faults(&folder).join("\n");
    assert!(found.contains("the environment variable `GATEWARDEN_TEST_NEVER_SET` is not set"), "{found}");
}

#[test]
fn a_mapping_is_checked_with_the_rest() {
    let folder = site(&GOOD.replace("    config:\n", "    mapping: { username: { prefx: \"corp:\" } }\n    config:\n"));
    let found = faults(&folder).join("\n");
    assert!(found.contains("providers[1].mapping.username.prefx: unknown key; did you mean `prefix`?"), "{found}");
}

#[test]
fn a_wrong_expression_and_a_wrong_example_are_faults_with_their_places() {
    let mapped = |mapping: &str| {
        let folder = site(&GOOD.replace("    config:\n", &format!("    mapping: {mapping}\n    config:\n")));
        faults(&folder).join("\n")
    };
    let found = mapped("{ userValidationRules: [{ expression: \"user.name != ''\", message: none }] }");
    let place = "providers[1].mapping.userValidationRules[0].expression: `user` has no `name`; use user.username";
    assert!(found.contains(place), "{found}");
    let found = mapped("{ examples: [{ given: { login: al }, expect: { username: \"corp:bo\" } }] }");
    let told = "expect.username: \"corp:bo\" is expected, and \"corp:al\" comes out";
    assert!(
        found.starts_with("9:71: ") && found.contains(&format!("providers[1].mapping.examples[0].{told}")),
        "{found}"
    );
}

#[test]
fn a_broken_certificate_is_a_fault_of_the_listener() {
    let tls =
        "listeners: { main: { address: 0.0.0.0:8443, tls: { certificateFile: ca.crt, keyFile: token } } }\nstateDir";
    let folder = site(&GOOD.replace("stateDir", tls));
    let found = faults(&folder).join("\n");
    assert!(found.starts_with("3:50: listeners.main.tls: "), "{found}");
}

#[test]
fn any_file_that_changes_is_seen_and_then_known() {
    let folder = site(GOOD);
    let mut sources = run(&folder).unwrap().sources;
    assert!(!sources.changed());
    fs::write(folder.path().join("password"), "other\n").unwrap();
    assert!(sources.changed());
    sources.look_again();
    assert!(!sources.changed());
}

#[test]
fn an_unreadable_file_says_how_to_name_another() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(&folder).unwrap_err().to_string();
    assert!(error.contains("cannot read `") && error.contains("--config or GATEWARDEN_CONFIG"), "{error}");
}

#[test]
fn an_audit_file_that_cannot_be_written_is_a_fault_and_a_good_one_is_left_alone() {
    let folder = site(&GOOD.replace("stateDir", "audit: { file: logs/audit.log }\nstateDir"));
    assert_eq!(
        faults(&folder),
        [
            "3:16: audit.file: cannot write `logs/audit.log`: No such file or directory (os error 2); name a file in a folder that exists and that the gateway's user may write into"
        ]
    );
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    run(&folder).unwrap();
    assert_eq!(fs::read_dir(&logs).unwrap().count(), 0, "the trial leaves nothing behind");
    fs::write(logs.join("audit.log"), "before\n").unwrap();
    run(&folder).unwrap();
    assert_eq!(fs::read_to_string(logs.join("audit.log")).unwrap(), "before\n");
    fs::remove_file(logs.join("audit.log")).unwrap();
    fs::create_dir(logs.join("audit.log")).unwrap();
    assert!(faults(&folder)[0].contains("audit.file: cannot write"));
}

/// The good configuration with its cluster in the pod's own place, and the pod's files.
fn inside() -> (TempDir, Pod) {
    let folder = site(
        &GOOD
            .replace("    server: https://10.0.0.1:6443\n    caFile: ca.crt\n", "    inCluster: true\n")
            .replace("    impersonator: { tokenFile: token }\n", ""),
    );
    let pod = Pod { folder: folder.path().to_owned(), host: Some("fd00::1".to_owned()), port: Some("443".to_owned()) };
    (folder, pod)
}

#[test]
fn a_pod_finds_its_own_cluster_and_account() {
    let (folder, pod) = inside();
    let loaded = load_in(&folder.path().join("gw.yaml"), &ProviderPorts::default(), (&pod, None)).unwrap();
    let config = loaded.snapshot.cluster("east").unwrap().config().clone();
    assert_eq!(config.endpoints, ["https://[fd00::1]:443/"]);
    assert_eq!(config.ca_pem, CA.as_bytes());
    let Carrier::Impersonation { impersonator, .. } = config.carrier else { panic!("{config:?}") };
    assert_eq!(impersonator, gatewarden_proxy::Account::TokenFile(folder.path().join("token")));
}

#[test]
fn outside_of_a_pod_the_configuration_says_what_to_write() {
    let (folder, pod) = inside();
    let pod = Pod { host: None, folder: folder.path().join("nowhere"), ..pod };
    let Err(LoadError::Faults { faults, .. }) =
        load_in(&folder.path().join("gw.yaml"), &ProviderPorts::default(), (&pod, None))
    else {
        panic!("no fault")
    };
    let told = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told.contains("clusters[0].inCluster: this process runs in no pod: KUBERNETES_SERVICE_HOST"), "{told}");
    assert!(told.contains("nowhere/ca.crt") && told.contains("; write `server` and `caFile`"), "{told}");
}

#[test]
fn every_fault_of_what_is_read_says_what_to_write_instead() {
    let tls =
        "listeners: { main: { address: 127.0.0.1:0, tls: { certificateFile: ca.crt, keyFile: token } } }\nstateDir";
    let kubeconfig = "kubeconfig: { file: token }\n    reviewer: { kubeconfig: { file: gone } }\n";
    let text = GOOD
        .replace("stateDir", tls)
        .replace("server: https://10.0.0.1:6443\n    caFile: ca.crt\n", kubeconfig)
        .replace("    reviewer: { tokenFile: token }\n", "");
    let folder = site(&text);
    let Err(LoadError::Faults { faults, .. }) = run(&folder) else { panic!("no fault") };
    assert!(faults.len() >= 3, "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.advice.is_empty()), "{faults:#?}");
}

#[test]
fn whoever_logs_in_in_a_browser_needs_a_page_to_come_back_to() {
    let oidc = "  - { id: sso, kind: oidc, config: { issuer: \"https://id.test\", clientId: gw } }\nclusters:";
    let without = GOOD.replace("clusters:\n  - id", &format!("{oidc}\n  - id"));
    assert_eq!(
        faults(&site(&without)),
        [
            "14:36: providers[2].config: people log in to this in a browser, and there is no page for them to come back to; write `hosts: { console: login.example.org, … }`"
        ]
    );
    run(&site(&without.replace("[gw.test] }", "[gw.test], console: login.test }"))).unwrap();
}

#[test]
fn every_provider_on_the_pages_about_issuers_is_built() {
    every_provider_is_built(include_str!("../../../../../docs/operators/sign-on.md"));
    every_provider_is_built(include_str!("../../../../../docs/operators/bearers.md"));
}

fn every_provider_is_built(page: &str) {
    let examples: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 3, "the examples are not where this test looks");
    for example in examples {
        // Secrets are the operator's: whatever stands there, it is a file that exists here.
        let example = example.replace("{ env: ENTRA_SECRET }", "{ file: password }");
        let example: String = example.lines().map(|line| format!("  {line}\n")).collect();
        let text = GOOD.replace("clusters:\n  - id", &format!("{example}clusters:\n  - id"));
        let folder = site(&text.replace("[gw.test] }", "[gw.test], console: login.test }"));
        for secret in ["sso-secret", "portal-secret", "company-ca.crt"] {
            fs::write(folder.path().join(secret), "something\n").unwrap();
        }
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        fs::write(folder.path().join("sso-client.key"), key).unwrap();
        fs::write(folder.path().join("west.jwks"), JWKS).unwrap();
        run(&folder).unwrap_or_else(|why| panic!("{why:?}: {example}"));
    }
}

#[test]
fn tokens_of_one_issuer_go_to_one_provider_and_ours_to_none() {
    let ci = |id: &str, issuer: &str| {
        format!("  - {{ id: {id}, kind: oidc, config: {{ issuer: \"{issuer}\", bearer: {{ audiences: [gw] }} }} }}\n")
    };
    let with = |providers: &str| {
        let text = GOOD.replace("clusters:\n  - id", &format!("{providers}clusters:\n  - id"));
        site(&text.replace("[gw.test] }", "[gw.test], console: login.test }"))
    };
    let (one, other) = ("https://ci.test", "https://ci.test/");
    run(&with(&format!("{}{}", ci("a", one), ci("b", other)))).unwrap();
    let found = faults(&with(&format!("{}{}", ci("a", one), ci("b", one)))).join("\n");
    let place = "15:71: providers[3].config.bearer: takes tokens of https://ci.test, which another provider believes";
    assert!(found.starts_with(place) && !found.contains("providers[2]"), "{found}");
    let found = faults(&with(&ci("a", "https://login.test:8443/oidc"))).join("\n");
    assert!(found.contains("which this gateway itself makes"), "{found}");
}

/// The good folder, whose cluster takes its own tokens.
fn own_tokens(setting: &str) -> String {
    GOOD.replace("    reviewer: {", &format!("    serviceAccountTokens: {setting}\n    reviewer: {{"))
}

#[test]
fn a_cluster_takes_its_own_tokens_by_an_issuer_and_for_its_own_audience() {
    let of = |text: &str| {
        let loaded = run(&site(text)).unwrap();
        loaded.snapshot.cluster("east").unwrap().config().service_accounts.clone()
    };
    assert_eq!(of(GOOD), None, "not where nobody wrote it");
    let on = of(&own_tokens("{ issuer: \"https://kube.test\" }")).unwrap();
    assert_eq!(
        (on.issuer.as_str(), on.audiences.as_slice()),
        ("https://kube.test", &["https://kube.test".to_owned()][..])
    );
    let on = of(&own_tokens("{ issuer: \"https://kube.test\", audiences: [a, b] }")).unwrap();
    assert_eq!(on.audiences, ["a", "b"]);
    for (setting, key, word) in [
        ("{}", "serviceAccountTokens", "issuer"),
        ("{ issuer: kubernetes/serviceaccount }", "serviceAccountTokens.issuer", "https"),
        ("{ issuer: \"https://kube.test\", audiences: [] }", "serviceAccountTokens.audiences", "empty"),
        ("{ issuer: \"https://kube.test\", audience: a }", "serviceAccountTokens.audience", "audiences"),
    ] {
        let found = faults(&site(&own_tokens(setting))).join("\n");
        assert!(found.contains(&format!("clusters[0].{key}")) && found.contains(word), "{setting}: {found}");
    }
    let bearer = "    identity: bearer\n    serviceAccountTokens: { issuer: \"https://kube.test\" }\n";
    let accounts = "    impersonator: { tokenFile: token }\n    reviewer: { tokenFile: token }\n";
    let text = GOOD.replace(accounts, bearer).replace("[gw.test] }", "[gw.test], console: login.test }");
    let found = faults(&site(&text)).join("\n");
    assert!(found.contains("clusters[0].serviceAccountTokens: the cluster is asked"), "{found}");
}

#[test]
fn a_cluster_s_own_tokens_have_no_second_verifier() {
    let text = own_tokens("{ issuer: \"https://ci.test\" }");
    let provider = "  - { id: a, kind: oidc, config: { issuer: \"https://ci.test\", bearer: { audiences: [gw] } } }\n";
    let text = text.replace("[gw.test] }", "[gw.test], console: login.test }");
    run(&site(&text)).unwrap();
    let found = faults(&site(&text.replace("clusters:\n  - id", &format!("{provider}clusters:\n  - id")))).join("\n");
    assert!(found.contains("takes tokens of https://ci.test, which the cluster east takes as its own"), "{found}");
    let found = faults(&site(&text.replace("https://ci.test", "https://login.test:8443/oidc"))).join("\n");
    assert!(found.contains("clusters[0].serviceAccountTokens.issuer: this gateway itself"), "{found}");
}

#[test]
fn service_accounts_are_granted_by_kubernetes_own_names_where_their_tokens_come_in() {
    let on = own_tokens("{ issuer: \"https://kube.test\" }");
    let granting = |text: &str, subject: &str| site(&text.replace("group:corp:dev", subject));
    for good in
        ["user:system:serviceaccount:ci:deployer", "group:system:serviceaccounts:ci", "group:system:serviceaccounts"]
    {
        run(&granting(&on, good)).unwrap();
        let found = faults(&granting(GOOD, good)).join("\n");
        assert!(found.contains("write `serviceAccountTokens"), "{good}: {found}");
    }
    for bad in [
        "user:system:serviceaccount:ci",
        "user:system:serviceaccount:ci:a:b",
        "user:system:serviceaccounts:ci",
        "group:system:serviceaccount:ci:deployer",
        "group:system:serviceaccounts:",
        "group:system:serviceaccounts:Ci",
        "group:system:serviceaccountsx",
        "group:system:masters",
    ] {
        let found = faults(&granting(&on, bad));
        assert!(found.len() == 1 && found[0].contains("never comes from a provider"), "{bad}: {found:?}");
    }
}

#[test]
fn the_secret_of_a_client_comes_from_a_place_of_its_own_and_is_long() {
    let with = |secret: &str| {
        let issuer =
            format!("issuer: {{ clients: [{{ id: wiki, redirectUris: [\"https://w.test/\"], secret: {secret} }}] }}");
        site(&GOOD.replace("[gw.test] }", &format!("[gw.test], console: login.test }}\n{issuer}")))
    };
    let folder = with("{ file: wiki-secret }");
    fs::write(folder.path().join("wiki-secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let of = |folder: &TempDir| run(folder).unwrap().config.issuer.unwrap().clients.remove(0).secret;
    let first = of(&folder);
    assert!(first.is_some());
    fs::write(folder.path().join("wiki-secret"), "fedcba9876543210fedcba9876543210\n").unwrap();
    assert_ne!(of(&folder), first, "another secret is another configuration");
    for (secret, word) in [
        ("0123456789abcdef0123456789abcdef", "a file or a variable of its own"),
        ("{ file: password }", "shorter than 32"),
        ("{ file: gone }", "gone"),
        ("{ env: NO_SUCH_VARIABLE }", "NO_SUCH_VARIABLE"),
        ("{ files: password }", "a file or a variable of its own"),
        ("{ file: spaced }", "holds white space"),
        ("{ file: long }", "longer than 512"),
    ] {
        let folder = with(secret);
        fs::write(folder.path().join("spaced"), "0123456789abcdef 0123456789abcdef").unwrap();
        fs::write(folder.path().join("long"), "x".repeat(513)).unwrap();
        let faults = faults(&folder);
        assert!(faults.len() == 1 && faults[0].contains(word) && faults[0].contains("clients[0].secret"), "{faults:?}");
        assert!(!faults[0].contains("0123456789") && !faults[0].contains("hunter2"), "{faults:?}");
    }
}
