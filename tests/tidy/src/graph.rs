//! Rules about who depends on whom.
//!
//! The direction of dependencies is the architecture: a provider that could reach the gateway, or a data plane that
//! could reach the store, would make every promise about isolation a matter of discipline.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What each of our packages may depend on, among our own packages, for its product code.
///
/// Test packages may use everything; nobody but tests and examples may use the server.
const ALLOWED: &[(&str, &[&str])] = &[
    ("auth-core", &[]),
    ("auth-local", &["auth-core"]),
    ("auth-ldap", &["auth-core"]),
    ("kube-wire", &[]),
    ("gatewarden-proxy", &["kube-wire"]),
    ("gatewarden-control", &["auth-core", "kube-wire"]),
    ("gatewarden", &["auth-core", "auth-local", "auth-ldap", "kube-wire", "gatewarden-proxy", "gatewarden-control"]),
    ("testbed", &[]),
];

/// Crates that product code of one of our packages must not name, because they belong to another room.
const NOT_HERE: &[(&str, &[&str])] = &[
    ("auth-core", &["tokio", "hyper", "axum", "rustls", "tower"]),
    ("auth-local", &["tokio", "hyper", "axum", "rustls"]),
    ("kube-wire", &["tokio", "hyper", "axum", "rustls"]),
    ("gatewarden-proxy", &["axum", "sqlx", "openidconnect", "ldap3", "argon2"]),
    ("gatewarden-control", &["hyper", "rustls", "ldap3"]),
];

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

/// The direct dependencies of our own packages, as `cargo metadata` tells them.
#[derive(Debug, Default)]
pub struct Graph {
    product: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Reads the output of `cargo metadata --no-deps`; development dependencies are left out.
    #[must_use]
    pub fn from_metadata(metadata: &Value) -> Self {
        let mut graph = Self::default();
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let name = package["name"].as_str().unwrap_or_default().to_owned();
            let direct = package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
                .collect();
            graph.product.insert(name, direct);
        }
        graph
    }

    /// Adds one package, for trying a rule on an example.
    #[must_use]
    pub fn with(mut self, package: &str, direct: &[&str]) -> Self {
        self.product.insert(package.to_owned(), direct.iter().map(|&name| name.to_owned()).collect());
        self
    }
}

/// Lists dependencies that point the wrong way or name a crate of another room.
#[must_use]
pub fn forbidden_edges(graph: &Graph) -> Vec<String> {
    let ours: BTreeSet<&str> = graph.product.keys().map(String::as_str).collect();
    let mut broken = Vec::new();
    for (package, direct) in &graph.product {
        if let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == package) {
            for name in direct.iter().filter(|name| ours.contains(name.as_str())) {
                if !allowed.contains(&name.as_str()) {
                    broken.push(format!("{package} may not depend on {name}"));
                }
            }
        }
        if let Some((_, banned)) = NOT_HERE.iter().find(|(name, _)| name == package) {
            for name in direct.iter().filter(|name| banned.contains(&name.as_str())) {
                broken.push(format!("{package} may not use {name}"));
            }
        }
    }
    broken
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
        let graph = Graph::default().with("gatewarden-proxy", &["gatewarden-control"]).with("gatewarden-control", &[]);
        assert_eq!(forbidden_edges(&graph), ["gatewarden-proxy may not depend on gatewarden-control"]);
    }

    #[test]
    fn a_contract_with_a_runtime_inside_is_found() {
        let graph = Graph::default().with("auth-core", &["tokio"]);
        assert_eq!(forbidden_edges(&graph), ["auth-core may not use tokio"]);
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
