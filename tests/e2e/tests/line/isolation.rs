//! Clusters know nothing of each other.

use anyhow::{Result, ensure};
use e2e::{Case, Protocol};

use crate::bed::{Bed, WHOM_TO_ASK};
use crate::reads::config_map;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        clusters_share_no_object_and_no_right,
        no_grant_and_no_such_cluster_answer_the_same,
        a_person_granted_one_cluster_has_no_other,
        a_host_name_leads_to_its_cluster_alone,
    ]
}

pub(crate) fn clusters_share_no_object_and_no_right(bed: &Bed) -> Result<()> {
    let (east, west) = (bed.kubectl("alice", "east")?, bed.kubectl("alice", "west")?);
    east.apply(&config_map("only-east", "isolation", "x"))?;
    let missing = west.refused(&["get", "configmap", "only-east"])?;
    ensure!(missing.contains("(NotFound)"), "{missing}");
    // In the west cluster the same group may only read.
    let refused = west.feed(&["apply", "-f", "-"], config_map("only-west", "isolation", "x").as_bytes())?;
    ensure!(refused.code != 0 && refused.stderr.contains("(Forbidden)"), "{}", refused.stderr);
    Ok(())
}

pub(crate) fn no_grant_and_no_such_cluster_answer_the_same(bed: &Bed) -> Result<()> {
    let dave = bed.gate().session("dave")?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let ask = |cluster: &str| bed.gate().get(protocol, &format!("/k8s/clusters/{cluster}/api/v1/pods"), &dave);
        let (east, nowhere) = (ask("east")?, ask("nowhere")?);
        ensure!(east.status == 403 && nowhere.status == 403, "{} {}", east.status, nowhere.status);
        ensure!(east.text().contains(WHOM_TO_ASK), "{}", east.text());
        ensure!(east.json()?["kind"] == "Status" && east.json()?["reason"] == "Forbidden", "{}", east.text());
        let same = |text: String, cluster: &str| text.replace(cluster, "<cluster>");
        ensure!(same(east.text(), "east") == same(nowhere.text(), "nowhere"), "{}\n{}", east.text(), nowhere.text());
        let names = |answer: &e2e::Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        ensure!(names(&east) == names(&nowhere), "{:?}\n{:?}", east.headers, nowhere.headers);
    }
    let told = bed.kubectl("dave", "east")?.refused(&["get", "pods"])?;
    ensure!(told.contains(WHOM_TO_ASK), "{told}");
    Ok(())
}

pub(crate) fn a_person_granted_one_cluster_has_no_other(bed: &Bed) -> Result<()> {
    let carol = bed.gate().session("carol")?;
    let east = bed.gate().get(Protocol::Http2, "/k8s/clusters/east/api/v1/namespaces/dev/pods", &carol)?;
    let west = bed.gate().get(Protocol::Http2, "/k8s/clusters/west/api/v1/namespaces/dev/pods", &carol)?;
    ensure!(east.status == 200 && west.status == 403, "{} {}", east.status, west.status);
    // The west cluster was never asked.
    let id = west.header("audit-id").to_owned();
    let ours = bed.gate().audit().wait_for("the refusal", |event| event.audit_id == id)?;
    ensure!(ours.user.username == "corp:carol", "{ours:?}");
    ensure!(!bed.audit("west").events()?.iter().any(|event| event.audit_id == id), "west was asked");
    Ok(())
}

pub(crate) fn a_host_name_leads_to_its_cluster_alone(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let ask = |connected: &str, named: &str, path: &str| {
            let mut request = bed.gate().request("GET", path, &alice);
            if connected != named {
                request = request.header("host", format!("{named}:{}", bed.gate().port()));
            }
            bed.gate().https_of(connected)?.send(protocol, request.body(Default::default())?)
        };
        let pods = ask("east.test", "east.test", "/api/v1/namespaces/dev/pods")?;
        ensure!(pods.status == 200 && pods.json()?["kind"] == "PodList", "{} {}", pods.status, pods.text());
        // Under a cluster's name even the gateway's own paths are the cluster's.
        let other = ask("east.test", "east.test", "/k8s/clusters/west/api/v1/namespaces/dev/pods")?;
        ensure!(other.status == 403 || other.status == 404, "{} {}", other.status, other.text());
        if protocol == Protocol::Http1 {
            let crossed = ask("localhost", "east.test", "/api/v1/namespaces/dev/pods")?;
            ensure!(crossed.status == 421, "{} {}", crossed.status, crossed.text());
            let stranger = ask("localhost", "elsewhere.test", "/k8s/clusters/east/version")?;
            ensure!(stranger.status == 421, "{} {}", stranger.status, stranger.text());
        }
    }
    Ok(())
}
