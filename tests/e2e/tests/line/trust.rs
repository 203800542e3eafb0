//! Clusters that read the gateway's tokens: what is proven of them before anybody passes.

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Https, Kubectl, Protocol};

use testbed::{Output, wait};

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::issuer::Visitor;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_cluster_opens_when_it_reads_a_token_as_it_was_written,
        a_person_is_the_same_with_and_without_the_gateway_in_the_path,
    ]
}

pub(crate) fn a_cluster_opens_when_it_reads_a_token_as_it_was_written(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let gate = Gate::start(bed, &Plan { bearer: true, ..Plan::default() })?;
    let config = gate.ok(&["cluster", "authentication-config", "west"])?;
    let outcome = opens(bed, &gate, &config);
    bed.distrust("west", &config)?;
    outcome
}

fn opens(bed: &Bed, gate: &Gate, config: &str) -> Result<()> {
    let erin = gate.session("erin")?;
    let ask = || gate.get(Protocol::Http2, "/k8s/clusters/west/api", &erin);
    let check = || gate.command(&["cluster", "check", "west"]);
    // It trusts nobody.
    let found = check()?;
    ensure!(!found.success(), "{}", told(&found));
    ensure!(told(&found).contains("gatewarden cluster authentication-config west"), "{}", told(&found));
    let refused = ask()?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
    // It trusts us, and gives people names of its own.
    let username = "expression: claims.gatewarden.username";
    ensure!(config.contains(username), "{config}");
    bed.trust("west", &config.replace(username, r#"expression: "'other-' + claims.gatewarden.username""#))?;
    wait::until("the API server to read the file", wait::START, || {
        let found = check()?;
        ensure!(!found.success(), "{}", told(&found));
        Ok(told(&found).contains("user other-gatewarden:probe").then_some(()))
    })?;
    let refused = ask()?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
    // As it was printed.
    bed.trust("west", config)?;
    wait::until("the API server to read the file again", wait::START, || Ok(check()?.success().then_some(())))?;
    wait::until("the cluster to open", wait::START, || Ok((ask()?.status == 200).then_some(())))?;
    let whoami = gate.kubectl(&erin, "west")?.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])?;
    ensure!(whoami == "corp:erin", "{whoami}");
    no_token_of_a_client_is_one_for_a_cluster(bed, gate)
}

/// A client may have a token for this cluster's path at the gateway. It names the same audience, and says no groups.
fn no_token_of_a_client_is_one_for_a_cluster(bed: &Bed, gate: &Gate) -> Result<()> {
    let mut client = Visitor::of(gate)?;
    let tokens = client.tokens("erin")?;
    let narrow = client.narrow(&tokens.access, "west")?.json()?;
    let narrow = narrow["access_token"].as_str().context("a token")?;
    gate.kubectl_with_token(narrow, "west")?.ok(&["auth", "whoami"])?;
    let api = Https::new("127.0.0.1", bed.cluster_addr("west").port(), &bed.cluster("west")?.ca_file())?;
    for token in [narrow, &tokens.access, &tokens.id] {
        let asked = http::Request::get("/api").header("authorization", format!("Bearer {token}"));
        let answer = api.send(Protocol::Http2, asked.body(Default::default())?)?;
        ensure!(answer.status == 401, "the API server itself takes it: {} {}", answer.status, answer.text());
    }
    Ok(())
}

fn told(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

pub(crate) fn a_person_is_the_same_with_and_without_the_gateway_in_the_path(bed: &Bed) -> Result<()> {
    let bed = bed.bearer()?;
    let alice = bed.gate().session("alice")?;
    let take = |cluster: &str| {
        let request = bed.gate().request("POST", &format!("/api/v1/clusters/{cluster}/token"), &alice);
        bed.gate().https()?.send(Protocol::Http2, request.body(Default::default())?)
    };
    let taken = take("east")?;
    ensure!(taken.status == 201, "{} {}", taken.status, taken.text());
    let body = taken.json()?;
    let token = body["token"].as_str().context("a token")?;
    let east = bed.cluster("east")?;
    let (server, ca) = (format!("https://{}", bed.cluster_addr("east")), east.ca_file());
    let flags = ["--server", &server, "--certificate-authority", &ca.to_string_lossy(), "--token", token, "-n", "dev"];
    let nobody = bed.folder("nobody");
    std::fs::create_dir_all(&nobody)?;
    let kubeconfig = nobody.join("config");
    std::fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\n")?;
    let direct = Kubectl::new(&kubeconfig).flags(&flags);
    let through = bed.kubectl("alice", "east")?;
    let who = ["auth", "whoami", "-o", "json"];
    let seen = |kubectl: &Kubectl| -> Result<serde_json::Value> {
        let mut review: serde_json::Value = serde_json::from_str(&kubectl.ok(&who)?)?;
        let user = &mut review["status"]["userInfo"];
        // What the API server itself adds to a token that has an id.
        user["extra"]
            .as_object_mut()
            .context("extra")?
            .retain(|key, _| !key.starts_with("authentication.kubernetes.io/"));
        Ok(user.take())
    };
    let (here, there) = (seen(&through)?, seen(&direct)?);
    ensure!(here == there && here["username"] == "corp:alice", "{here} through the gateway, {there} without it");
    direct.ok(&["get", "pods", POD])?;
    let refused = direct.refused(&["get", "secrets", "-n", "kube-system"])?;
    ensure!(refused.contains("Forbidden"), "{refused}");
    // It is for that API server alone, and no credential of the gateway's.
    let here = bed.gate().kubectl_with_token(token, "east")?.refused(&["get", "pods"])?;
    ensure!(here.contains("must be logged in"), "{here}");
    let west = format!("https://{}", bed.cluster_addr("west"));
    let ca = bed.cluster("west")?.ca_file();
    let flags = ["--server", &west, "--certificate-authority", &ca.to_string_lossy(), "--token", token];
    let elsewhere = Kubectl::new(&kubeconfig).flags(&flags).refused(&["get", "pods"])?;
    ensure!(elsewhere.contains("must be logged in"), "{elsewhere}");
    let closed = take("west")?;
    ensure!(closed.status == 409, "{} {}", closed.status, closed.text());
    Ok(())
}
