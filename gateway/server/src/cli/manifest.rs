//! The manifests that the gateway's accounts need on a cluster, printed from the program: the host of a gateway has no
//! checkout.

use std::path::Path;
use std::process::ExitCode;

use super::CommandError;
use super::arguments::ManifestName;
use super::cluster::unknown;
use super::output::Output;
use crate::config;
use crate::wiring::ProviderPorts;

const CONSTRAINED: &str = include_str!("../../../../deploy/rbac/constrained.yaml");
const LEGACY: &str = include_str!("../../../../deploy/rbac/legacy.yaml");
const REVIEWER: &str = include_str!("../../../../deploy/rbac/reviewer.yaml");
const REVIEWER_FLOWSCHEMA: &str = include_str!("../../../../deploy/rbac/reviewer-flowschema.yaml");
const TOKEN_REVIEWER: &str = include_str!("../../../../deploy/rbac/token-reviewer.yaml");
const SERVICE_ACCOUNTS: &str = include_str!("../../../../deploy/rbac/impersonate-serviceaccounts.yaml");

/// How a line of a manifest names an extra key.
const EXTRA: &str = "  - userextras/";

/// `gatewarden cluster manifest`: as it is in the program, or with the extra keys of one cluster.
pub(super) fn run(
    path: &Path,
    name: ManifestName,
    cluster: Option<&str>,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let manifest = match name {
        ManifestName::Constrained => CONSTRAINED,
        ManifestName::Legacy => LEGACY,
        ManifestName::Reviewer => REVIEWER,
        ManifestName::ReviewerFlowschema => REVIEWER_FLOWSCHEMA,
        ManifestName::TokenReviewer => TOKEN_REVIEWER,
        ManifestName::ImpersonateServiceaccounts => SERVICE_ACCOUNTS,
    };
    match cluster {
        None => output.text(manifest)?,
        Some(id) => {
            let loaded = config::load(path, &ProviderPorts::default())?;
            let Some(cluster) = loaded.snapshot.cluster(id) else { return Err(unknown(&loaded.config, id)) };
            output.text(&with_keys(manifest, &cluster.extra_keys()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts these extra keys in the place of those that the manifest names.
fn with_keys(manifest: &str, keys: &[String]) -> String {
    let mut text = String::with_capacity(manifest.len());
    let mut written = false;
    for line in manifest.lines() {
        if !line.starts_with(EXTRA) {
            text.push_str(line);
            text.push('\n');
        } else if !written {
            written = true;
            keys.iter().for_each(|key| text.push_str(&format!("{EXTRA}{key}\n")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_cluster_stand_where_the_usual_ones_stood() {
        let text = with_keys(CONSTRAINED, &["acme/provider".to_owned(), "acme/principal".to_owned()]);
        assert_eq!(text.matches(EXTRA).count(), 2);
        assert!(text.contains("  - userextras/acme/provider\n  - userextras/acme/principal\n  verbs:"), "{text}");
        assert_eq!(with_keys(REVIEWER, &["acme/provider".to_owned()]), REVIEWER, "the reviewer sends none");
    }
}
