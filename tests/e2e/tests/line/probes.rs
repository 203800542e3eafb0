//! `gatewarden cluster check` on a real API server: it says what is wrong, and what it prints mends it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::Case;
use testbed::{Cluster, ClusterOptions, Output, Place, bounded};

use crate::bed::Bed;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![a_check_names_what_is_wrong_and_prints_what_mends_it]
}

const MANIFEST: &str = "gatewarden cluster manifest constrained --cluster north | kubectl apply -f -";
const REVIEWER: &str = "gatewarden cluster manifest reviewer --cluster north | kubectl apply -f -";

pub(crate) fn a_check_names_what_is_wrong_and_prints_what_mends_it(bed: &Bed) -> Result<()> {
    let mut north = North::start(bed)?;
    // Accounts that may do nothing.
    let told = north.check()?;
    says(&told, "missing: impersonator may impersonate:user-info users.authentication.k8s.io")?;
    says(&told, "missing: reviewer may create subjectaccessreviews.authorization.k8s.io")?;
    says(&told, "impersonator: system:serviceaccount:gatewarden:gatewarden-impersonator")?;
    says(&told, "every request gets 503")?;
    north.obey(&told, MANIFEST)?;
    let told = north.check()?;
    ensure!(!told.stdout.contains("impersonator may"), "{}", told.stdout);
    says(&told, "`kubectl --as` is refused")?;
    north.obey(&told, REVIEWER)?;
    north.is_good()?;

    // The older verb, left beside the constrained ones.
    north.cluster.kubectl(&["create", "clusterrole", "old", "--verb=impersonate", "--resource=users,groups"])?;
    north.bind("old", "old", "gatewarden-impersonator")?;
    let told = north.check()?;
    says(&told, "too much: impersonator may not impersonate users: expected denied, found allowed")?;
    says(&told, "the cluster is closed")?;
    north.finds_and_removes(&told, "old")?;

    // An administrator, and a reviewer that may read.
    north.bind("strong", "cluster-admin", "gatewarden-impersonator")?;
    let told = north.check()?;
    says(&told, "too much: impersonator may not get secrets")?;
    says(&told, "too much: impersonator may do in namespace kube-system only what it is for")?;
    north.finds_and_removes(&told, "strong")?;
    north.bind("curious", "view", "gatewarden-reviewer")?;
    says(&north.check()?, "too much: reviewer may do in namespace default only what it is for")?;
    north.finds_and_removes(&north.check()?, "curious")?;

    // A credential that is none, and a cluster that is away.
    let token = std::fs::read_to_string(&north.token)?;
    std::fs::write(&north.token, "not-a-token")?;
    says(&north.check()?, "cannot be asked: /version answered 401 Unauthorized")?;
    std::fs::write(&north.token, token)?;
    north.is_good()?;
    north.cluster.stop_apiserver()?;
    says(&north.check()?, "cannot be asked")
}

/// A cluster of the case's own, and a configuration that names it.
struct North {
    cluster: Cluster,
    place: Place,
    token: PathBuf,
}

impl North {
    fn start(bed: &Bed) -> Result<Self> {
        let cluster = Cluster::start(&bed.folder("north"), ClusterOptions::default())?;
        cluster.kubectl(&["create", "namespace", "gatewarden"])?;
        let place = Place::new(&bed.folder("check"))?;
        for account in ["impersonator", "reviewer"] {
            let name = format!("gatewarden-{account}");
            cluster.kubectl(&["-n", "gatewarden", "create", "serviceaccount", &name])?;
            cluster.service_account_token("gatewarden", &name, &place.path(&format!("{account}.token")))?;
        }
        let config = format!(
            "apiVersion: gatewarden/v1\nlisteners: {{ main: {{ address: \"127.0.0.1:{}\" }} }}\nhosts: {{ clusters: [localhost] }}\n\
             stateDir: ./state\nproviders: [{{ id: local, kind: local }}]\nclusters:\n  - id: north\n    server: {}\n    \
             caFile: {}\n    impersonator: {{ tokenFile: ./impersonator.token }}\n    reviewer: {{ tokenFile: ./reviewer.token }}\n",
            place.port,
            cluster.url(),
            cluster.ca_file().display(),
        );
        place.write("gatewarden.yaml", &config)?;
        let token = place.path("impersonator.token");
        Ok(Self { cluster, place, token })
    }

    fn check(&self) -> Result<Output> {
        self.place.run(&["cluster", "check", "north"])
    }

    /// The API server takes a moment to see a changed binding.
    fn is_good(&self) -> Result<()> {
        let mut told = String::new();
        e2e::eventually("a good cluster", || {
            let checked = self.check()?;
            told = checked.stdout.clone();
            Ok(checked.success().then_some(()))
        })
        .with_context(|| told.clone())?;
        ensure!(told.contains("all answered as they must be"), "{told}");
        Ok(())
    }

    /// Does what a check printed, word by word: as an administrator of the cluster, with the program in the path.
    fn obey(&self, told: &Output, command: &str) -> Result<String> {
        says(told, command)?;
        let folder = |program: &Command| PathBuf::from(program.get_program()).parent().map(PathBuf::from);
        let gatewarden = folder(&self.place.command(&[])?).context("a folder")?;
        let kubectl = folder(&self.cluster.admin().command(&[])?).context("a folder")?;
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("GATEWARDEN_CONFIG", self.place.config_file());
        shell.env("KUBECONFIG", self.cluster.admin().kubeconfig());
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{}:{}:{path}", gatewarden.display(), kubectl.display()));
        Output::from(bounded::run(shell, b"", bounded::LIMIT)?).ok()
    }

    fn bind(&self, name: &str, role: &str, account: &str) -> Result<()> {
        let (role, account) = (format!("--clusterrole={role}"), format!("--serviceaccount=gatewarden:{account}"));
        self.cluster.kubectl(&["create", "clusterrolebinding", name, &role, &account])?;
        e2e::eventually("the binding to be seen", || Ok((!self.check()?.success()).then_some(())))
    }

    /// The printed command lists the binding; without it all is well again.
    fn finds_and_removes(&self, told: &Output, binding: &str) -> Result<()> {
        let commands =
            told.stdout.lines().map(str::trim).filter(|line| line.starts_with("kubectl get clusterrolebindings"));
        let listed = commands.map(|command| self.obey(told, command)).collect::<Result<String>>()?;
        ensure!(listed.lines().any(|line| line.contains(&format!("/{binding} "))), "{listed}\n{}", told.stdout);
        self.cluster.kubectl(&["delete", "clusterrolebinding", binding])?;
        self.is_good()
    }
}

fn says(told: &Output, words: &str) -> Result<()> {
    ensure!(!told.success(), "it is called good: {}", told.stdout);
    ensure!(told.stdout.contains(words), "{words:?} is not in\n{}{}", told.stdout, told.stderr);
    Ok(())
}
