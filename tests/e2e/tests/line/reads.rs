//! What only reads: get, list, watch, explain, logs.

use anyhow::{Result, ensure};
use e2e::{Case, Protocol};

use crate::bed::{Bed, POD};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        get_and_list_show_what_the_cluster_has,
        a_watch_tells_each_event_at_once,
        a_long_list_comes_in_pages,
        explain_reads_the_schema,
        logs_are_told_and_followed,
        the_bytes_after_the_prefix_are_untouched,
        a_streaming_list_begins_with_what_is_there,
        a_compressed_answer_and_its_tag_pass_as_they_are,
    ]
}

pub(crate) fn get_and_list_show_what_the_cluster_has(bed: &Bed) -> Result<()> {
    let alice = bed.kubectl("alice", "east")?;
    ensure!(alice.ok(&["get", "pod", POD, "-o", "name"])?.trim() == format!("pod/{POD}"));
    ensure!(alice.ok(&["get", "pods"])?.contains(POD));
    let uid = |kubectl: &e2e::Kubectl| kubectl.ok(&["get", "pod", POD, "-o", "jsonpath={.metadata.uid}"]);
    ensure!(uid(&alice)? == uid(&bed.admin("east")?)?, "another pod than the cluster's own");
    let missing = alice.refused(&["get", "pod", "nobody"])?;
    ensure!(missing.contains("(NotFound)"), "{missing}");
    Ok(())
}

pub(crate) fn a_watch_tells_each_event_at_once(bed: &Bed) -> Result<()> {
    let (alice, admin) = (bed.kubectl("alice", "east")?, bed.admin("east")?);
    let mut watch = alice.start(&["get", "configmaps", "--watch", "--output-watch-events", "-l", "case=watch"])?;
    // Each step is taken only when the one before was told, so nothing can wait in a buffer for more.
    for name in ["watch-1", "watch-2", "watch-3"] {
        admin.apply(&config_map(name, "watch", "a"))?;
        watch.wait_for(name)?;
        admin.apply(&config_map(name, "watch", "b"))?;
        watch.wait_for("MODIFIED")?;
        admin.ok(&["delete", "configmap", name])?;
        watch.wait_for("DELETED")?;
    }
    ensure!(watch.is_alive()?, "the watch ended by itself");
    Ok(())
}

pub(crate) fn a_long_list_comes_in_pages(bed: &Bed) -> Result<()> {
    let (alice, admin) = (bed.kubectl("alice", "east")?, bed.admin("east")?);
    let names: Vec<String> = (0..7).map(|number| format!("page-{number}")).collect();
    admin.apply(&names.iter().map(|name| config_map(name, "page", "x")).collect::<Vec<_>>().join("---\n"))?;
    let listed = alice.ok(&["get", "configmaps", "-l", "case=page", "--chunk-size=2", "-o", "name"])?;
    ensure!(listed.lines().count() == names.len(), "{listed}");
    Ok(())
}

pub(crate) fn explain_reads_the_schema(bed: &Bed) -> Result<()> {
    let told = bed.kubectl("alice", "east")?.ok(&["explain", "pod.spec.containers"])?;
    ensure!(told.contains("imagePullPolicy"), "{told}");
    Ok(())
}

pub(crate) fn logs_are_told_and_followed(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    let alice = bed.kubectl("alice", "east")?;
    ensure!(alice.ok(&["logs", POD])?.starts_with("started"));
    let mut follow = alice.start(&["logs", "--follow", "--tail=0", POD])?;
    follow.wait_for("tick")?;
    let seen = follow.output().lines().count();
    e2e::eventually("more lines", || Ok((follow.output().lines().count() > seen + 1).then_some(())))?;
    ensure!(follow.is_alive()?, "logs -f ended by itself");
    Ok(())
}

pub(crate) fn the_bytes_after_the_prefix_are_untouched(bed: &Bed) -> Result<()> {
    // The API server records the path and query that it got.
    let alice = bed.gate().session("alice")?;
    let odd = "/api/v1/namespaces/dev/configmaps?labelSelector=case%20in%20%28bytes%29&limit=1&x=%2F%2f;&&y";
    let answer = bed.gate().get(Protocol::Http1, &format!("/k8s/clusters/east{odd}"), &alice)?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    bed.audit("east").wait_for("the very same target", |event| event.request_uri == odd)?;
    Ok(())
}

pub(crate) fn a_streaming_list_begins_with_what_is_there(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    let query =
        "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1";
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let path = format!("/k8s/clusters/east/api/v1/namespaces/dev/pods?{query}");
        let answer = bed.gate().get(protocol, &path, &alice)?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        let events = answer.text();
        ensure!(events.contains(POD) && events.contains("k8s.io/initial-events-end"), "{events}");
    }
    Ok(())
}

pub(crate) fn a_compressed_answer_and_its_tag_pass_as_they_are(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let ask = |name: &str, value: &str| {
            let request = bed.gate().request("GET", "/k8s/clusters/east/openapi/v2", &alice).header(name, value);
            bed.gate().https()?.send(protocol, request.body(Default::default())?)
        };
        let packed = ask("accept-encoding", "gzip")?;
        ensure!(packed.status == 200 && packed.header("content-encoding") == "gzip", "{:?}", packed.headers);
        ensure!(packed.body.starts_with(&[0x1f, 0x8b]), "not the cluster's bytes");
        let tag = packed.header("etag").to_owned();
        ensure!(!tag.is_empty(), "{:?}", packed.headers);
        let again = ask("if-none-match", &tag)?;
        ensure!(again.status == 304 && again.body.is_empty(), "{} {}", again.status, again.body.len());
    }
    Ok(())
}

/// A config map that says which case made it.
pub(crate) fn config_map(name: &str, case: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\n\
         metadata: {{name: {name}, namespace: dev, labels: {{case: {case}}}}}\ndata: {{value: {value}}}\n"
    )
}
