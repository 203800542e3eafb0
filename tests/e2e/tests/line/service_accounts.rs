//! A cluster's own service accounts, who come through the gateway to that cluster by its own tokens.

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Kubectl, Protocol};
use testbed::wait;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_service_account_does_what_its_rbac_allows_and_the_cluster_sees_it_alone,
        a_service_account_s_token_opens_nothing_but_its_own_cluster,
        an_account_without_a_grant_and_one_that_is_deleted_stay_out,
        where_own_tokens_do_not_come_in_one_is_nobody_s,
        a_cluster_is_checked_for_what_its_own_tokens_need,
    ]
}

/// A service account of west's namespace dev, which may look at pods, run commands in them and change configmaps.
struct Account {
    west: Kubectl,
    name: String,
    issuer: String,
}

impl Account {
    fn new(bed: &Bed) -> Result<Self> {
        let west = bed.admin("west")?;
        // A folder's name is another each time.
        let folder = bed.folder("account");
        let name = folder.file_name().context("a name")?.to_string_lossy().into_owned();
        west.ok(&["create", "serviceaccount", &name])?;
        let verbs = "--verb=get,list,watch,create";
        west.ok(&["create", "role", &name, verbs, "--resource=pods,pods/exec,configmaps"])?;
        let (role, whom) = (format!("--role={name}"), format!("--serviceaccount=dev:{name}"));
        west.ok(&["create", "rolebinding", &name, &role, &whom])?;
        let discovery: serde_json::Value =
            serde_json::from_str(&west.ok(&["get", "--raw", "/.well-known/openid-configuration"])?)?;
        let issuer = discovery["issuer"].as_str().context("an issuer")?.to_owned();
        Ok(Self { west, name, issuer })
    }

    fn username(&self) -> String {
        format!("system:serviceaccount:dev:{}", self.name)
    }

    fn token(&self, more: &[&str]) -> Result<String> {
        let token = self.west.ok(&[&["create", "token", &self.name][..], more].concat())?;
        Ok(token.trim().to_owned())
    }

    /// A gateway where west's own tokens come in, and this one by a grant.
    fn gate(&self, bed: &Bed) -> Result<Gate> {
        let lines = format!("serviceAccountTokens: {{ issuer: \"{}\" }}", self.issuer);
        let grants = format!("- {{ subjects: [\"user:{}\"], clusters: [west] }}", self.username());
        let gate = Gate::start(bed, &Plan { west_lines: &lines, grants: &grants, ..Plan::default() })?;
        gate.wait_until_proven()?;
        Ok(gate)
    }
}

pub(crate) fn a_service_account_does_what_its_rbac_allows_and_the_cluster_sees_it_alone(bed: &Bed) -> Result<()> {
    let account = Account::new(bed)?;
    let gate = account.gate(bed)?;
    let kubectl = gate.kubectl_with_token(&account.token(&[])?, "west")?;
    let seen = kubectl.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])?;
    ensure!(seen == account.username(), "{seen}");
    kubectl.ok(&["get", "pods", POD])?;
    let refused = kubectl.refused(&["get", "secrets"])?;
    ensure!(refused.contains("Forbidden") && refused.contains(&account.username()), "{refused}");
    let refused = kubectl.refused(&["get", "pods", "--as", "jane"])?;
    ensure!(refused.contains("cannot impersonate"), "the API server says it itself: {refused}");
    kubectl.ok(&["create", "configmap", &account.name])?;
    let ours = |event: &kube_wire::audit::Event<'_>| {
        event.verb == "create" && event.object_ref.as_ref().is_some_and(|object| object.name == account.name)
    };
    let theirs = bed.audit("west").wait_for("the change", |event| ours(event) && event.user.username != "admin")?;
    ensure!(theirs.user.username == account.username() && theirs.impersonated_user.is_none(), "{theirs:?}");
    let event = gate.audit().wait_for("the same", |event| event.audit_id == theirs.audit_id)?;
    ensure!(event.user.username == account.username(), "{event:?}");
    ensure!(event.annotations.get("gatewarden/provider").is_some_and(|by| by == "cluster:west"), "{event:?}");
    if testbed::nodes_unsupported().is_none() {
        ensure!(kubectl.ok(&["exec", POD, "--", "echo", &account.name])?.trim() == account.name);
    }
    Ok(())
}

pub(crate) fn a_service_account_s_token_opens_nothing_but_its_own_cluster(bed: &Bed) -> Result<()> {
    let account = Account::new(bed)?;
    let gate = account.gate(bed)?;
    let token = account.token(&[])?;
    gate.kubectl_with_token(&token, "west")?.ok(&["get", "pods", POD])?;
    let refused = gate.kubectl_with_token(&token, "east")?.refused(&["get", "pods", POD])?;
    ensure!(refused.contains("must be logged in"), "{refused}");
    let request = http::Request::get("/api/v1/me").header("authorization", format!("Bearer {token}"));
    let answer = gate.https()?.send(Protocol::Http2, request.body(Default::default())?)?;
    ensure!(answer.status == 401, "{} {}", answer.status, answer.text());
    // Meant for somebody else, it is no credential for the cluster.
    let other = account.token(&["--audience", "vault"])?;
    gate.kubectl_with_token(&other, "west")?.refused(&["get", "pods", POD])?;
    gate.audit().wait_for("the refusal", |event| {
        event.annotations.values().any(|value| value.contains("cluster west: it is for another audience"))
    })?;
    for text in [std::fs::read_to_string(gate.audit_file())?, gate.log()?] {
        ensure!(!text.contains(&token) && !text.contains(&other), "a token is on record");
    }
    Ok(())
}

pub(crate) fn an_account_without_a_grant_and_one_that_is_deleted_stay_out(bed: &Bed) -> Result<()> {
    let account = Account::new(bed)?;
    let gate = account.gate(bed)?;
    let stranger = gate.kubectl_with_token(&Account::new(bed)?.token(&[])?, "west")?;
    let refused = stranger.refused(&["get", "pods", POD])?;
    ensure!(refused.contains("no access to cluster"), "{refused}");
    let kubectl = gate.kubectl_with_token(&account.token(&[])?, "west")?;
    let mut watch = kubectl.start(&["get", "configmaps", "--watch"])?;
    kubectl.ok(&["create", "configmap", &account.name])?;
    watch.wait_for(&account.name)?;
    account.west.ok(&["delete", "serviceaccount", &account.name])?;
    // The API server remembers for ten seconds, and so does the gateway.
    wait::until("the account is out", wait::START, || {
        let outcome = kubectl.run(&["get", "pods", POD])?;
        Ok(outcome.stderr.contains("must be logged in").then_some(()))
    })?;
    watch.wait_for_end()?;
    Ok(())
}

pub(crate) fn where_own_tokens_do_not_come_in_one_is_nobody_s(bed: &Bed) -> Result<()> {
    let account = Account::new(bed)?;
    let kubectl = bed.gate().kubectl_with_token(&account.token(&[])?, "west")?;
    let refused = kubectl.refused(&["get", "pods", POD])?;
    ensure!(refused.contains("must be logged in"), "{refused}");
    Ok(())
}

pub(crate) fn a_cluster_is_checked_for_what_its_own_tokens_need(bed: &Bed) -> Result<()> {
    let account = Account::new(bed)?;
    let gate = account.gate(bed)?;
    let told = gate.ok(&["cluster", "check", "west", "-o", "json"])?;
    ensure!(told.contains("reviewer may create tokenreviews") && told.contains(&account.issuer), "{told}");
    Ok(())
}
