//! Rules about who depends on whom.
//!
//! The direction of dependencies is the architecture: a provider that could reach the gateway, or a data plane that
//! could reach the store, would make every promise about isolation a matter of discipline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::SourceFile;

/// What our packages outside `providers/` and `tests/` may depend on, among our own packages, for their product code.
///
/// A provider may use `auth-core` alone, the server every package of the product, and tests everything. Nobody but tests
/// may use the server or a test package.
const ALLOWED: &[Row] = &[
    ("auth-core", &[]),
    ("kube-wire", &[]),
    ("gatewarden-proxy", &["kube-wire"]),
    ("gatewarden-control", &["auth-core", "kube-wire"]),
];

/// The one package that puts the others together.
const SERVER: &str = "gatewarden";

/// Crates that product code of one of our packages must not name, because they belong to another room.
const NOT_HERE: &[Row] = &[
    ("auth-core", &["tokio", "hyper", "axum", "rustls", "tower"]),
    ("auth-local", &["tokio", "hyper", "rustls"]),
    ("kube-wire", &["tokio", "hyper", "axum", "rustls"]),
    ("gatewarden-proxy", &["axum", "sqlx", "openidconnect", "ldap3", "argon2"]),
    ("gatewarden-control", &["hyper", "rustls", "ldap3"]),
];

/// Crates that no provider may name: it serves no HTTP and opens no store.
const NOT_IN_PROVIDERS: &[&str] = &["axum", "sqlx"];

/// Dependencies that no code names, and why they stay.
const UNNAMED: &[Unnamed] = &[];

/// A package of ours, and names of packages.
type Row = (&'static str, &'static [&'static str]);
/// A package of ours, its dependency, and the reason.
type Unnamed = (&'static str, &'static str, &'static str);

/// Crates that must not be built at all: a second TLS stack, or code without a maintainer.
const BANNED: &[&str] = &[
    "ring",
    "openssl",
    "openssl-sys",
    "native-tls",
    "boring",
    "serde_yaml",
    "serde_yml",
    "rustls-pemfile",
    "chrono-tz",
];

/// Crates of which exactly one version may be built, because two would be two truths.
const ONE_VERSION: &[&str] = &["rustls", "aws-lc-rs", "aws-lc-sys", "hyper", "h2", "http", "tokio", "rustls-webpki"];

/// Our own packages and their direct dependencies, as `cargo metadata` tells them.
#[derive(Debug, Default)]
pub struct Graph {
    packages: BTreeMap<String, Package>,
}

#[derive(Debug, Default)]
struct Package {
    /// From the root of the repository, such as `providers/ldap`.
    folder: PathBuf,
    product: BTreeSet<String>,
    tests: BTreeSet<String>,
}

impl Package {
    fn is_provider(&self) -> bool {
        self.folder.starts_with("providers")
    }

    fn is_test(&self) -> bool {
        self.folder.starts_with("tests")
    }
}

impl Graph {
    /// Reads the output of `cargo metadata --no-deps`.
    #[must_use]
    pub fn from_metadata(metadata: &Value) -> Self {
        let root = Path::new(metadata["workspace_root"].as_str().unwrap_or_default());
        let mut graph = Self::default();
        for told in metadata["packages"].as_array().into_iter().flatten() {
            let manifest = Path::new(told["manifest_path"].as_str().unwrap_or_default());
            let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok()).unwrap_or(manifest);
            let mut package = Package { folder: folder.to_owned(), ..Package::default() };
            for dependency in told["dependencies"].as_array().into_iter().flatten() {
                let direct = if dependency["kind"] == "dev" { &mut package.tests } else { &mut package.product };
                direct.extend(dependency["name"].as_str().map(str::to_owned));
            }
            graph.packages.insert(told["name"].as_str().unwrap_or_default().to_owned(), package);
        }
        graph
    }

    /// Adds one package, for trying a rule on an example.
    #[must_use]
    pub fn with(mut self, package: &str, folder: &str, direct: &[&str]) -> Self {
        let product = direct.iter().map(|&name| name.to_owned()).collect();
        self.packages.insert(package.to_owned(), Package { folder: folder.into(), product, tests: BTreeSet::new() });
        self
    }

    /// The packages under `providers/`, by the name that code calls them.
    #[must_use]
    pub fn providers(&self) -> Vec<String> {
        self.packages.iter().filter(|(_, package)| package.is_provider()).map(|(name, _)| in_code(name)).collect()
    }

    /// Whether one package may use another of ours in its product code.
    fn may_use(&self, name: &str, package: &Package, used: &str) -> bool {
        let of_product = self.packages.get(used).is_some_and(|used| !used.is_test());
        if package.is_test() {
            true
        } else if package.is_provider() {
            used == "auth-core"
        } else if name == SERVER {
            of_product
        } else {
            ALLOWED.iter().any(|(ours, allowed)| *ours == name && allowed.contains(&used))
        }
    }
}

/// Lists dependencies that point the wrong way or name a crate of another room.
#[must_use]
pub fn forbidden_edges(graph: &Graph) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, package) in &graph.packages {
        for used in package.product.iter().filter(|used| graph.packages.contains_key(*used)) {
            if !graph.may_use(name, package, used) {
                broken.push(format!("{name} may not depend on {used}"));
            }
        }
        let rooms = NOT_HERE.iter().filter(|(ours, _)| ours == name).flat_map(|(_, banned)| *banned);
        let shared: &[&str] = if package.is_provider() { NOT_IN_PROVIDERS } else { &[] };
        for banned in rooms.chain(shared).filter(|banned| package.product.contains(**banned)) {
            broken.push(format!("{name} may not use {banned}"));
        }
    }
    broken
}

/// Lists dependencies in a manifest that the package's code never names: each is still fetched, built and trusted.
#[must_use]
pub fn unused_dependencies(graph: &Graph, files: &[SourceFile]) -> Vec<String> {
    let mut unused = Vec::new();
    for (name, package) in &graph.packages {
        let code = |folder: PathBuf| files.iter().filter(move |file| file.is_rust() && file.path.starts_with(&folder));
        for (direct, folder) in
            [(&package.product, package.folder.join("src")), (&package.tests, package.folder.clone())]
        {
            for used in direct.iter().filter(|used| !code(folder.clone()).any(|file| file.names(&in_code(used)))) {
                if !UNNAMED.iter().any(|(ours, dependency, _)| ours == name && dependency == used) {
                    unused.push(format!("{name} does not use {used}"));
                }
            }
        }
    }
    unused
}

/// Lists entries of `[workspace.dependencies]` that no package takes.
#[must_use]
pub fn unused_in_workspace(graph: &Graph, manifest: &str) -> Vec<String> {
    let entries = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let taken = |name: &str| {
        graph.packages.values().any(|package| package.product.contains(name) || package.tests.contains(name))
    };
    entries
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
        .filter(|name| !name.starts_with('#') && !taken(name))
        .collect()
}

fn in_code(name: &str) -> String {
    name.replace('-', "_")
}

/// Lists banned crates in the lines of `cargo tree --prefix none`.
#[must_use]
pub fn banned_crates(tree: &str) -> Vec<String> {
    built(tree).into_iter().filter(|(name, _)| BANNED.contains(&name.as_str())).map(|(name, _)| name).collect()
}

/// Lists crates of [`ONE_VERSION`] that are built in more than one version.
#[must_use]
pub fn second_versions(tree: &str) -> Vec<String> {
    let all = built(tree);
    ONE_VERSION
        .iter()
        .filter_map(|&name| {
            let versions: Vec<&str> = all.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
            (versions.len() > 1).then(|| format!("{name}: {}", versions.join(", ")))
        })
        .collect()
}

fn built(tree: &str) -> BTreeSet<(String, String)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_plane_that_reaches_the_control_plane_is_found() {
        let graph = Graph::default().with("gatewarden-proxy", "gateway/proxy", &["gatewarden-control"]).with(
            "gatewarden-control",
            "gateway/control",
            &[],
        );
        assert_eq!(forbidden_edges(&graph), ["gatewarden-proxy may not depend on gatewarden-control"]);
    }

    #[test]
    fn a_provider_that_no_list_names_is_held_to_the_rule_of_providers() {
        let graph = Graph::default()
            .with("auth-core", "auth-core", &[])
            .with("kube-wire", "gateway/wire", &[])
            .with("auth-oidc", "providers/oidc", &["auth-core", "kube-wire", "axum"])
            .with("gatewarden", "gateway/server", &["auth-oidc", "kube-wire"]);
        assert_eq!(forbidden_edges(&graph), ["auth-oidc may not depend on kube-wire", "auth-oidc may not use axum"]);
        assert_eq!(graph.providers(), ["auth_oidc"]);
    }

    #[test]
    fn a_package_that_no_rule_knows_may_use_nothing_of_ours() {
        let graph = Graph::default().with("kube-wire", "gateway/wire", &[]).with("new", "gateway/new", &["kube-wire"]);
        assert_eq!(forbidden_edges(&graph), ["new may not depend on kube-wire"]);
    }

    #[test]
    fn a_contract_with_a_runtime_inside_is_found() {
        let graph = Graph::default().with("auth-core", "auth-core", &["tokio"]);
        assert_eq!(forbidden_edges(&graph), ["auth-core may not use tokio"]);
    }

    #[test]
    fn a_dependency_that_only_a_comment_or_a_longer_word_names_is_unused() {
        let graph = Graph::default().with("a", "a", &["serde", "serde-json"]);
        let text = "//! What.\n// serde would do\nuse serde_json::Value;\n";
        let files = [SourceFile { path: "a/src/lib.rs".into(), text: text.into() }];
        assert_eq!(unused_dependencies(&graph, &files), ["a does not use serde"]);
    }

    #[test]
    fn an_entry_of_the_workspace_that_nobody_takes_is_unused() {
        let graph = Graph::default().with("a", "a", &["serde"]);
        let manifest =
            "[workspace.dependencies]\n# data\nserde = \"1\"\nsubtle = \"2\"\n\n[workspace.lints.rust]\nx = 1\n";
        assert_eq!(unused_in_workspace(&graph, manifest), ["subtle"]);
    }

    #[test]
    fn a_second_tls_stack_is_found() {
        assert_eq!(banned_crates("rustls v0.23.1\nring v0.17.0\n"), ["ring"]);
    }

    #[test]
    fn two_versions_of_one_stack_are_found() {
        assert_eq!(second_versions("hyper v1.1.0\nhyper v0.14.0\nserde v1.0.0\n"), ["hyper: v0.14.0, v1.1.0"]);
    }
}
