//! Tokens that others made, with no login at the gateway before: of the site's own issuer, and of another cluster.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::{Browser, Case, Https, Protocol};
use url::Url;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::issuer::{CALLBACK, CHALLENGE, VERIFIER};
use crate::people;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        an_id_token_that_people_have_already_opens_clusters,
        who_is_switched_off_is_out_whatever_their_token_says,
        a_reload_that_takes_no_more_tokens_ends_what_runs_by_them,
        a_token_for_another_client_of_the_site_opens_nothing,
        a_pod_of_another_cluster_is_known_by_its_own_token,
    ]
}

/// Takes the ID tokens that the site makes for the client which its people use today.
const TAKES: &str = "      bearer: { audiences: [kubelogin] }\n";

fn gate(bed: &Bed) -> Result<Gate> {
    let gate = Gate::start(bed, &Plan { site_lines: TAKES, ..Plan::default() })?;
    gate.wait_until_proven()?;
    Ok(gate)
}

/// What kubelogin does at the site: the code flow of a public client that the gateway knows nothing of.
fn id_token(bed: &Bed, person: &str) -> Result<String> {
    let site = Url::parse(&bed.site().url())?;
    let https = Https::new("localhost", bed.site().port(), &bed.site().ca_file())?;
    let mut browser = Browser::default().knowing(site.authority(), https, Protocol::Http1);
    let mut asked = site.join("/auth")?;
    asked.query_pairs_mut().extend_pairs([
        ("client_id", "kubelogin"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "one"),
        ("nonce", "of a trip that is not the gateway's"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let page = browser.open(&asked)?;
    let back = browser.submit(&page.url, &[("login", person), ("password", &people::password(person))])?;
    let code = back.query("code")?;
    let fields = [
        ("client_id", "kubelogin"),
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let answer = browser.post(&site.join("/token")?, &fields)?;
    let body = answer.json()?;
    Ok(body["id_token"].as_str().with_context(|| body.to_string())?.to_owned())
}

pub(crate) fn an_id_token_that_people_have_already_opens_clusters(bed: &Bed) -> Result<()> {
    let gate = gate(bed)?;
    let person = bed.new_person_of_the_site("kubelogin", &["dev"])?;
    let kubectl = gate.kubectl_with_token(&id_token(bed, &person)?, "east")?;
    let seen = kubectl.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo['username','groups']}"])?;
    ensure!(seen.starts_with(&format!("sso:{person} ")) && seen.contains("sso:dev"), "{seen}");
    kubectl.ok(&["get", "pods", POD])?;
    // Another token of the same person and groups: the session is the same.
    gate.kubectl_with_token(&id_token(bed, &person)?, "east")?.ok(&["get", "pods", POD])?;
    let name = format!("sso:{person}");
    let theirs = gate.audit().events()?.into_iter().filter(|event| event.user.username == name);
    let sessions: BTreeSet<String> =
        theirs.filter_map(|event| event.annotations.get("gatewarden/session-id").map(ToString::to_string)).collect();
    ensure!(sessions.len() == 1, "{sessions:?}");
    // It opens clusters, and nothing of the gateway's own.
    let token = id_token(bed, &person)?;
    let request = http::Request::get("/api/v1/me").header("authorization", format!("Bearer {token}"));
    let answer = gate.https()?.send(Protocol::Http2, request.body(Default::default())?)?;
    ensure!(answer.status == 403, "{} {}", answer.status, answer.text());
    Ok(())
}

pub(crate) fn who_is_switched_off_is_out_whatever_their_token_says(bed: &Bed) -> Result<()> {
    let gate = gate(bed)?;
    let person = bed.new_person_of_the_site("foreign", &["dev"])?;
    let kubectl = gate.kubectl_with_token(&id_token(bed, &person)?, "east")?;
    let mut watch = kubectl.start(&["get", "configmaps", "--watch"])?;
    kubectl.ok(&["create", "configmap", &person])?;
    watch.wait_for(&person)?;
    gate.ok(&["user", "disable", &person])?;
    watch.wait_for_end()?;
    for token in [None, Some(id_token(bed, &person)?)] {
        let kubectl = token.map_or(Ok(kubectl.clone()), |token| gate.kubectl_with_token(&token, "east"))?;
        let refused = kubectl.refused(&["get", "pods", POD])?;
        ensure!(refused.contains("must be logged in"), "{refused}");
    }
    Ok(())
}

pub(crate) fn a_reload_that_takes_no_more_tokens_ends_what_runs_by_them(bed: &Bed) -> Result<()> {
    let gate = gate(bed)?;
    let person = bed.new_person_of_the_site("closed", &["dev"])?;
    let kubectl = gate.kubectl_with_token(&id_token(bed, &person)?, "east")?;
    let mut watch = kubectl.start(&["get", "configmaps", "--watch"])?;
    kubectl.ok(&["create", "configmap", &person])?;
    watch.wait_for(&person)?;
    gate.rewrite(bed, &Plan::default())?;
    gate.hang_up()?;
    watch.wait_for_end()?;
    let refused = kubectl.refused(&["get", "pods", POD])?;
    ensure!(refused.contains("must be logged in"), "{refused}");
    Ok(())
}

pub(crate) fn a_token_for_another_client_of_the_site_opens_nothing(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan { site_lines: "      bearer: {}\n", ..Plan::default() })?;
    gate.wait_until_proven()?;
    let person = bed.new_person_of_the_site("elsewhere", &["dev"])?;
    let refused = gate.kubectl_with_token(&id_token(bed, &person)?, "east")?.refused(&["get", "pods", POD])?;
    ensure!(!refused.contains("audience") && !refused.contains("sso"), "the client learns no cause: {refused}");
    let record = gate.audit().wait_for("the refusal", |event| {
        event.annotations.values().any(|value| value.contains("untrusted: sso: aud names none of bearer.audiences"))
    })?;
    ensure!(record.response_status.as_ref().is_some_and(|status| status.code == 401), "{record:?}");
    Ok(())
}

pub(crate) fn a_pod_of_another_cluster_is_known_by_its_own_token(bed: &Bed) -> Result<()> {
    let west = bed.admin("west")?;
    let keys = bed.folder("west-keys");
    fs::create_dir_all(&keys)?;
    // A folder's name is another each time.
    let account = keys.file_name().context("a name")?.to_string_lossy().into_owned();
    west.ok(&["create", "serviceaccount", &account])?;
    let discovery: serde_json::Value =
        serde_json::from_str(&west.ok(&["get", "--raw", "/.well-known/openid-configuration"])?)?;
    let issuer = discovery["issuer"].as_str().context("an issuer")?;
    let keys = keys.join("west.jwks");
    fs::write(&keys, west.ok(&["get", "--raw", "/openid/v1/jwks"])?)?;
    let providers = format!(
        r#"  - id: west-pods
    kind: oidc
    config:
      issuer: {issuer}
      jwks: {{ file: {} }}
      bearer: {{ audiences: [gatewarden] }}
    mapping:
      claimValidationRules:
        - {{ expression: "claims.id.startsWith('system:serviceaccount:dev:')", message: only pods of dev }}
      groups: {{ expression: "['pods']" }}
"#,
        keys.display()
    );
    let grants = "- { subjects: [\"group:west-pods:pods\"], clusters: [east] }";
    let gate = Gate::start(bed, &Plan { providers: &providers, grants, ..Plan::default() })?;
    gate.wait_until_proven()?;
    let token = |namespace: &str, audience: &str| {
        let arguments = ["create", "token", &account, "--namespace", namespace, "--audience", audience];
        west.ok(&arguments).map(|token| token.trim().to_owned())
    };
    let kubectl = gate.kubectl_with_token(&token("dev", "gatewarden")?, "east")?;
    let seen = kubectl.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo['username','groups']}"])?;
    ensure!(seen.starts_with(&format!("west-pods:system:serviceaccount:dev:{account} ")), "{seen}");
    ensure!(seen.contains("west-pods:pods"), "{seen}");
    // What it may do there is for that cluster's RBAC, and it has none.
    let refused = kubectl.refused(&["get", "pods", POD])?;
    ensure!(refused.contains("Forbidden") && refused.contains(&format!("dev:{account}")), "{refused}");
    // Made for its own API server, it is no credential here.
    gate.kubectl_with_token(&token("dev", issuer)?, "east")?.refused(&["auth", "whoami"])?;
    // Of another namespace, the operator's rule keeps it out.
    west.ok(&["create", "serviceaccount", &account, "--namespace", "default"])?;
    gate.kubectl_with_token(&token("default", "gatewarden")?, "east")?.refused(&["auth", "whoami"])?;
    gate.audit().wait_for("the rule", |event| {
        event.annotations.values().any(|value| value.contains("west-pods: only pods of dev"))
    })?;
    Ok(())
}
