//! Two new clusters, seoul and busan, with a node each where the machine allows it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{Cluster, ClusterOptions, nodes_unsupported, programs, wait};

use super::Stage;
use super::member::Member;
use super::narrator::Narrator;

/// Each with what its owners decided.
const CLUSTERS: [(&str, &str); 2] = [
    ("seoul", "In seoul the developers work: the group corp:dev may change everything in the namespace shop."),
    ("busan", "In busan the shop is in production: the same group may only look."),
];
const NAMESPACE: &str = "shop";

pub(super) struct Pair {
    clusters: Vec<Cluster>,
}

impl Pair {
    /// Leaves both running.
    pub(super) fn detach(self) {
        self.clusters.into_iter().for_each(Cluster::detach);
    }
}

pub(super) fn stage(narrator: &mut Narrator, dir: &Path) -> Result<Stage> {
    narrator.step("Two Kubernetes clusters");
    let no_node = nodes_unsupported();
    if let Some(reason) = &no_node {
        narrator.tell(&format!("Without pods, because {reason}."));
    }
    let clusters = start(dir, no_node.is_none())?;
    let mut members = Vec::new();
    for ((name, _), cluster) in CLUSTERS.iter().zip(&clusters) {
        narrator.tell(&format!("{name}: Kubernetes {} at {}", programs::KUBERNETES, cluster.url()));
        members.push(member(name, cluster));
    }
    narrator.step("In each cluster, two accounts for the gateway");
    narrator
        .tell("One may impersonate and nothing else, the other may ask what people may do. Neither may read a thing.");
    for member in &members {
        member.apply(narrator, &member.manifests()?)?;
        member.mint_tokens(narrator)?;
    }
    narrator.step("In each cluster, its owners decide what groups may do");
    for (member, (_, decision)) in members.iter().zip(CLUSTERS) {
        narrator.tell(decision);
        member.apply(narrator, &[data(&format!("{}.yaml", member.id))])?;
        if no_node.is_none() {
            start_pod(narrator, member)?;
        }
    }
    Ok(Stage { members, pair: Some(Pair { clusters }) })
}

fn start(dir: &Path, node: bool) -> Result<Vec<Cluster>> {
    let start = |name: &str| Cluster::start(&dir.join(name), ClusterOptions { node, ..ClusterOptions::default() });
    std::thread::scope(|scope| {
        let running: Vec<_> = CLUSTERS.iter().map(|(name, _)| scope.spawn(move || start(name))).collect();
        running.into_iter().map(|one| one.join().ok().context("a cluster's start panicked")?).collect()
    })
}

fn member(name: &str, cluster: &Cluster) -> Member {
    Member {
        id: name.to_owned(),
        server: cluster.url(),
        ca_file: cluster.ca_file(),
        admin: cluster.admin().clone(),
        namespace: NAMESPACE,
        dir: cluster.dir().to_owned(),
    }
}

fn start_pod(narrator: &Narrator, member: &Member) -> Result<()> {
    let account = ["-n", NAMESPACE, "get", "serviceaccount", "default"];
    wait::until("the namespace's service account", wait::START, || {
        Ok(member.admin.run(&account)?.success().then_some(()))
    })?;
    member.apply(narrator, &[data("pod.yaml")])?;
    member.admin.ok(&["-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/web", "--timeout=120s"])?;
    Ok(())
}

pub(super) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/demo").join(name)
}
