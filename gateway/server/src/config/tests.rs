//! Every fault has its line, its key and its advice; shipped examples are read; secrets stay unseen.

use std::fs;
use std::path::Path;

use super::*;

/// A configuration that is right. Tests break one line of it.
const GOOD: &str = "\
apiVersion: gatewarden/v1
listeners:
  main: { address: 127.0.0.1:8443 }
hosts: { clusters: [gw.test] }
stateDir: /state
providers:
  - { id: local, kind: local }
clusters:
  - id: east
    server: https://10.0.0.1:6443
    caFile: east/ca.crt
    impersonator: { tokenFile: a }
    reviewer: { tokenFile: b }
    hosts: [east.gw.test]
grants:
  - subjects: [\"group:corp:dev\"]
    clusters: [east]
";

fn faults(text: &str) -> Vec<String> {
    parse(text, Path::new("/base")).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// Replaces one piece of [`GOOD`] and expects exactly these faults.
#[track_caller]
fn expect(from: &str, to: &str, wanted: &[&str]) {
    assert!(GOOD.contains(from), "{from:?} is not in the good configuration");
    assert_eq!(faults(&GOOD.replacen(from, to, 1)), wanted, "{to}");
}

#[test]
fn a_good_file_is_read_and_relative_names_start_beside_it() {
    let config = parse(GOOD, Path::new("/base")).unwrap();
    assert_eq!(config.listeners.main.address.port(), 8443);
    assert_eq!(config.store, Path::new("/state/gatewarden.db"));
    assert_eq!(config.key_file, Path::new("/state/key"));
    let ClusterSource::Endpoints { urls, ca_file } = &config.clusters[0].source else { panic!() };
    assert_eq!(urls[0], "https://10.0.0.1:6443/");
    assert_eq!(ca_file, Path::new("/base/east/ca.crt"));
    assert_eq!(config.sessions.lifetime.as_secs(), 12 * 3600);
    assert_eq!(config.audit.when_full, gatewarden_proxy::WhenFull::Refuse);
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

#[test]
fn an_audit_file_is_rotated_only_where_its_size_is_set() {
    let audit = |section: &str| parse(&GOOD.replace("stateDir: /state", section), Path::new("/base"));
    let rotation = |section: &str| audit(section).unwrap().audit.rotation;
    assert_eq!(rotation("audit: { file: a }"), None);
    let kept = |keep| Some(gatewarden_proxy::Rotation { max_bytes: 65_536, keep });
    assert_eq!(rotation("audit: { file: a, maxBytes: 65536 }"), kept(10));
    assert_eq!(rotation("audit: { file: a, maxBytes: 65536, keep: 3 }"), kept(3));
    for wrong in ["keep: 3", "maxBytes: 1000", "maxBytes: 65536, keep: 0"] {
        assert!(audit(&format!("audit: {{ file: a, {wrong} }}")).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_known_of_a_person_grows_no_older_than_is_set() {
    let hours = |sessions: &str| {
        let text = GOOD.replace("stateDir: /state", &format!("sessions: {{ {sessions} }}"));
        parse(&text, Path::new("/base")).unwrap().sessions.max_staleness.as_secs() / 3600
    };
    assert_eq!(hours("lifetime: 48h"), 24);
    assert_eq!(hours("lifetime: 48h, refreshInterval: 12h"), 48, "a few questions may be missed");
    assert_eq!(hours("maxStaleness: 3h"), 3);
}

#[test]
fn every_limit_and_every_timeout_acts() {
    use super::sections::limits::{LIMITS, Limits, TIMEOUTS};
    let limits = |section: &str, key: &str, value: &str| {
        let text = GOOD.replace("stateDir: /state", &format!("{section}: {{ {key}: {value} }}"));
        parse(&text, Path::new("/base")).map(|config| config.limits)
    };
    for key in LIMITS {
        let read = ["65537", "20001", "4001", "33"].iter().find_map(|value| limits("limits", key, value).ok());
        assert_ne!(read.unwrap_or_else(|| panic!("{key} takes none of these")), Limits::default(), "{key}");
    }
    for key in TIMEOUTS {
        assert_ne!(limits("timeouts", key, "77s").unwrap(), Limits::default(), "{key}");
    }
    let heads = limits("limits", "headerBytes", "4096").unwrap();
    assert_eq!((heads.requests.header_bytes, heads.listener.head_bytes), (4_096, 32 * 1024), "the target fits, too");
}

#[test]
fn sessions_and_providers_have_their_bounds() {
    let text = GOOD.replace("stateDir: /state", "sessions: { perUser: 3, refreshConcurrency: 7 }");
    let text = text.replace(
        "{ id: local, kind: local",
        "{ id: local, kind: local, calls: 5, answers: { principals: 6, bytes: 7, page: 8 }",
    );
    let config = parse(&text, Path::new("/base")).unwrap();
    assert_eq!((config.sessions.per_user, config.sessions.refresh_concurrency), (3, 7));
    let provider = &config.providers[0];
    let answers = &provider.answers;
    assert_eq!((provider.calls, answers.principals, answers.bytes, answers.page), (5, 6, 7, 8));
}

#[test]
fn a_misspelt_key_is_an_error_not_a_default() {
    expect(
        "caFile",
        "cafile",
        &[
            "9:5: clusters[0].caFile: the key is missing in `clusters[0]`; write for example `caFile: /etc/gatewarden/east/ca.crt`",
            "11:5: clusters[0].cafile: unknown key; did you mean `caFile`?",
        ],
    );
    expect("stateDir", "statedir", &["5:1: statedir: unknown key; did you mean `stateDir`?"]);
    expect(
        "stateDir",
        "color",
        &[
            "5:1: color: unknown key; known here: apiVersion, listeners, hosts, issuer, stateDir, store, keyFile, providers, clusters, grants, administrators, whomToAsk, limits, timeouts, sessions, audit, logLevel",
        ],
    );
}

#[test]
fn a_key_written_twice_is_an_error() {
    expect(
        "stateDir: /state",
        "stateDir: /state\nstateDir: /other",
        &["6:1: stateDir: the key is written twice in one map; remove one of the two"],
    );
}

#[test]
fn broken_yaml_names_its_line() {
    let found = faults(&GOOD.replace("stateDir: /state", "stateDir: [/state"));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("this is not valid YAML") && !found[0].starts_with("1:1:"), "{found:?}");
}

#[test]
fn all_faults_come_at_once_in_the_order_of_the_file() {
    let text = GOOD
        .replace("gatewarden/v1", "gatewarden/v2")
        .replace("127.0.0.1:8443", "8443")
        .replace("https://10", "http://10")
        .replace("clusters: [east]", "clusters: [wets, est]");
    assert_eq!(
        faults(&text),
        [
            "1:13: apiVersion: `gatewarden/v2` is not one of: gatewarden/v1; did you mean `gatewarden/v1`?",
            "3:20: listeners.main.address: expected text, found a number; put it in double quotes",
            "10:13: clusters[0].server: `http://10.0.0.1:6443` is not an https address without path; write for example `https://10.0.0.1:6443`",
            "17:16: grants[0].clusters[0]: there is no cluster `wets`; known here: east",
            "17:22: grants[0].clusters[1]: there is no cluster `est`; did you mean `east`?",
        ]
    );
}

#[test]
fn the_listener_needs_a_certificate_where_others_reach_it() {
    expect(
        "127.0.0.1:8443",
        "0.0.0.0:8443",
        &[
            "3:9: listeners.main: `0.0.0.0:8443` is reached by others, and no certificate is named; add `tls: { certificateFile: …, keyFile: … }`, or listen on 127.0.0.1, where the gateway makes its own",
        ],
    );
    expect(
        "127.0.0.1:8443",
        "127.0.0.1:9090",
        &["3:3: listeners: both listeners have the same address; give `operations` another port, such as 9090"],
    );
    expect(
        "{ address: 127.0.0.1:8443 }",
        "{ address: localhost }",
        &["3:20: listeners.main.address: `localhost` is not an address and port; write for example `127.0.0.1:8443`"],
    );
}

#[test]
fn there_is_exactly_one_local_provider() {
    expect(
        "{ id: local, kind: local }",
        "{ id: staff, kind: local }",
        &["7:5: providers[0]: the id `local` and the kind `local` belong together; write `{ id: local, kind: local }`"],
    );
    expect(
        "  - { id: local, kind: local }\n",
        "  []\n",
        &[
            "7:3: providers: there is no local provider; add `- { id: local, kind: local }`: it is the way in when every directory is down",
        ],
    );
    expect(
        "  - { id: local, kind: local }\n",
        "  - { id: local, kind: local }\n  - { id: local, kind: local }\n",
        &["8:11: providers[1].id: the id `local` is taken by the provider of line 7; give each provider its own id"],
    );
    expect(
        "kind: local",
        "kind: locl",
        &["7:24: providers[0].kind: `locl` is not one of: local, ldap, oidc; did you mean `local`?"],
    );
    expect(
        "id: local",
        "id: Local",
        &[
            "7:11: providers[0].id: `Local` is not an id: lower-case letters, digits and hyphens, a letter first, at most 63; write for example `corp`",
        ],
    );
}

#[test]
fn a_cluster_id_is_what_the_data_plane_reads_in_a_path() {
    expect(
        "id: east",
        "id: East",
        &[
            "9:9: clusters[0].id: cluster id \"East\" must match [a-z]([a-z0-9-]{0,61}[a-z0-9])?; write for example `east`",
            "17:16: grants[0].clusters[0]: there is no cluster `east`; did you mean `East`?",
        ],
    );
    expect(
        "id: east",
        "id: management",
        &[
            "9:9: clusters[0].id: cluster id \"management\" is the gateway's own; write for example `east`",
            "17:16: grants[0].clusters[0]: there is no cluster `east`; known here: management",
        ],
    );
}

#[test]
fn a_cluster_is_somewhere_once_and_has_both_accounts() {
    expect(
        "    server: https://10.0.0.1:6443\n    caFile: east/ca.crt\n",
        "    inCluster: true\n    server: https://10.0.0.1:6443\n",
        &[
            "9:5: clusters[0]: it must be said in exactly one way where the cluster is; write one of `server`, `endpoints`, `kubeconfig` and `inCluster: true`",
        ],
    );
    expect(
        "    reviewer: { tokenFile: b }\n",
        "",
        &[
            "9:5: clusters[0].reviewer: the key is missing in `clusters[0]`; write for example `reviewer: { tokenFile: /etc/gatewarden/east/reviewer.token }`",
        ],
    );
    expect(
        "{ tokenFile: b }",
        "{ clientKeyFile: b }",
        &[
            "13:15: clusters[0].reviewer: an account has exactly one credential; write one of `tokenFile`, `clientCertificateFile` with `clientKeyFile`, and `kubeconfig`",
        ],
    );
    expect(
        "[east.gw.test]",
        "[gw.test]",
        &[
            "14:12: clusters[0].hosts: the host `gw.test` already leads to the gateway itself; give each cluster its own host names",
        ],
    );
    expect(
        "https://10.0.0.1:6443",
        "https://u:p@10.0.0.1:6443/path",
        &[
            "10:13: clusters[0].server: `https://u:p@10.0.0.1:6443/path` is not an https address without path; write for example `https://10.0.0.1:6443`",
        ],
    );
}

#[test]
fn how_often_a_password_may_be_guessed_is_each_providers_own() {
    let attempts = |written: &str| {
        let local = format!("{{ id: local, kind: local{written} }}");
        let config = parse(&GOOD.replace("{ id: local, kind: local }", &local), Path::new("/base")).unwrap();
        config.providers[0].attempts.clone()
    };
    assert_eq!(attempts("").account_burst, 5);
    let strict = attempts(", attempts: { perAccount: 3, accountInterval: 10m, perSource: 20, sourceInterval: 1s }");
    assert_eq!((strict.account_burst, strict.account_interval.as_secs()), (3, 600));
    assert_eq!((strict.source_burst, strict.source_interval.as_secs()), (20, 1));
    expect(
        "kind: local }",
        "kind: local, attempts: { perAccount: 0 } }",
        &["7:55: providers[0].attempts.perAccount: not a number within bounds; write a whole number from 1 to 10000"],
    );
}

#[test]
fn a_reserved_name_has_its_star_at_the_end() {
    let line = |name: &str| format!("{{ tokenFile: b }}\n    reservedNames: [{name}]");
    for good in ["root", "'ops:*'", "'*'"] {
        assert_eq!(faults(&GOOD.replacen("{ tokenFile: b }", &line(good), 1)), [""; 0], "{good}");
    }
    for bad in ["'*-admin'", "'a*b'", "'a**'", "''"] {
        let found = faults(&GOOD.replacen("{ tokenFile: b }", &line(bad), 1));
        assert!(found.len() == 1 && found[0].contains("clusters[0].reservedNames[0]"), "{bad}: {found:?}");
    }
}

#[test]
fn an_administrator_is_named_as_in_a_grant() {
    let with = |subject: &str| GOOD.replacen("\ngrants:", &format!("\nadministrators: [\"{subject}\"]\ngrants:"), 1);
    let config = parse(&with("group:corp:platform"), Path::new("/etc/gatewarden")).unwrap();
    assert_eq!(config.administrators, ["group:corp:platform".parse().unwrap()]);
    for wrong in ["*", "corp:platform", "system:masters", "crop_group://1"] {
        let found = faults(&with(wrong));
        assert!(found.len() == 1 && found[0].contains("administrators[0]: "), "{wrong}: {found:?}");
    }
}

#[test]
fn a_grant_is_for_somebody_real() {
    expect(
        "[\"group:corp:dev\"]",
        "[]",
        &["16:15: grants[0].subjects: the list is empty; name at least one, or remove the grant"],
    );
    expect(
        "[\"group:corp:dev\"]",
        "[\"*\"]",
        &[
            "16:16: grants[0].subjects[0]: `*` is no subject; name the groups that may enter, such as `group:corp:developers`",
        ],
    );
    expect(
        "[\"group:corp:dev\"]",
        "[\"system:masters\"]",
        &[
            "16:16: grants[0].subjects[0]: `system:masters` never comes from a provider; name a group of a provider, such as `group:corp:developers`",
        ],
    );
    let either = "16:16: grants[0].subjects[0]: `corp:dev` does not say whether it is a user or a group, and both may be \
                  called so; write `group:corp:dev` or `user:corp:dev`";
    expect("[\"group:corp:dev\"]", "[\"corp:dev\"]", &[either]);
    expect(
        "clusters: [east]",
        "clusters: east",
        &["17:15: grants[0].clusters: expected a list, found text; write `[a, b]`, or one `- item` per line"],
    );
}

#[test]
fn the_console_has_a_name_of_its_own() {
    expect(
        "[gw.test] }",
        "[gw.test], console: gw.test }",
        &[
            "4:40: hosts.console: the console has the same name as the clusters; give it a name of its own, such as `console.example.org`",
        ],
    );
    expect(
        "127.0.0.1:8443 }\nhosts: { clusters: [gw.test] }",
        "127.0.0.1:8443 }\nhosts: { clusters: [Gw.test] }",
        &[
            "4:21: hosts.clusters[0]: `Gw.test` is not a host name in lower case, without scheme and port; write for example `gatewarden.example.org`",
        ],
    );
}

#[test]
fn durations_and_counts_have_bounds() {
    expect(
        "stateDir: /state",
        "sessions: { lifetime: 12 }",
        &["5:23: sessions.lifetime: expected text, found a number; put it in double quotes"],
    );
    expect(
        "stateDir: /state",
        "sessions: { lifetime: 10s }",
        &["5:23: sessions.lifetime: out of bounds: 10s; write a duration from 60s to 2592000s"],
    );
    expect(
        "stateDir: /state",
        "sessions: { lifetime: 1h, refreshInterval: 2h }",
        &[
            "5:11: sessions: refreshInterval is longer than lifetime: groups would never be asked for again; make it shorter, such as `15m`",
        ],
    );
    expect(
        "stateDir: /state",
        "sessions: { refreshInterval: 2h, maxStaleness: 1h }",
        &[
            "5:11: sessions: maxStaleness is not longer than refreshInterval: everybody would be refused between two questions; make it several times as long, such as `24h`",
        ],
    );
    expect(
        "stateDir: /state",
        "limits: { groups: 0 }",
        &["5:19: limits.groups: not a number within bounds; write a whole number from 1 to 10000"],
    );
}

#[test]
fn what_lowers_security_is_said() {
    let config =
        parse(&GOOD.replace("    hosts: [east.gw.test]", "    dangerousPrivilegedAccount: true"), Path::new("/"))
            .unwrap();
    let warnings = config.warnings().join("\n");
    assert!(warnings.contains("cluster east: dangerousPrivilegedAccount"), "{warnings}");
}

#[test]
fn every_shipped_example_is_read_and_its_providers_know_their_keys() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        count += 1;
        let text = fs::read_to_string(&path).unwrap();
        let config =
            parse(&text, Path::new("/base")).unwrap_or_else(|faults| panic!("{}: {faults:#?}", path.display()));
        let faults = Faults::new(Path::new("/base"));
        for provider in &config.providers {
            let kind = crate::providers::kind(&provider.kind).unwrap();
            let mut schema = kind.schema();
            kind.customize_schema(&mut schema);
            if let Some(node) = &provider.config {
                yaml::check_schema(&Field::root(node, &faults), &schema);
            }
        }
        assert_eq!(faults.into_sorted(), [], "{}", path.display());
    }
    assert!(count >= 3, "the examples are not where this test looks");
}

#[test]
fn a_cluster_that_takes_tokens_has_no_account_of_ours_and_needs_an_issuer() {
    let accounts = "    impersonator: { tokenFile: a }\n    reviewer: { tokenFile: b }\n";
    let bearer = GOOD.replace(accounts, "    identity: bearer\n");
    let without = faults(&bearer);
    assert_eq!(without.len(), 1, "{without:?}");
    assert!(without[0].contains("clusters[0].identity: there is no issuer"), "{without:?}");
    let issuer = bearer.replace("[gw.test] }", "[gw.test], console: login.test }");
    assert_eq!(
        parse(&issuer, Path::new("/base")).unwrap().clusters[0].carrier,
        CarrierSource::Bearer { direct: false }
    );
    let both = issuer.replace("identity: bearer\n", &format!("identity: bearer\n{accounts}"));
    let both = faults(&both);
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[1].ends_with("the gateway has no account on the cluster; remove `reviewer`"), "{both:?}");
    let direct = issuer.replace("identity: bearer\n", "identity: bearer\n    direct: true\n");
    assert!(parse(&direct, Path::new("/base")).unwrap().clusters[0].direct());
    let unread = faults(&GOOD.replace(accounts, &format!("{accounts}    direct: true\n")));
    assert!(unread.len() == 1 && unread[0].contains("clusters[0].direct: the cluster reads no tokens"), "{unread:?}");
    let odd = faults(&bearer.replace("identity: bearer", "identity: baerer"));
    assert!(odd[0].contains("clusters[0].identity: `baerer`") && odd[0].contains("`bearer`"), "{odd:?}");
}
