//! A cluster that takes part in the demo.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::Kubectl;

use super::narrator::{Narrator, checkout};

/// The namespace of the gateway's two accounts.
const NAMESPACE: &str = "gatewarden";

pub(super) struct Member {
    /// Its id in the gateway.
    pub(super) id: String,
    /// Where its API server is.
    pub(super) server: String,
    /// Who signed its certificate.
    pub(super) ca_file: PathBuf,
    /// kubectl as its administrator.
    pub(super) admin: Kubectl,
    /// The namespace in which people work.
    pub(super) namespace: &'static str,
    /// The demo's files for this cluster.
    pub(super) dir: PathBuf,
}

impl Member {
    pub(super) fn impersonator_token(&self) -> PathBuf {
        self.dir.join("impersonator.token")
    }

    pub(super) fn reviewer_token(&self) -> PathBuf {
        self.dir.join("reviewer.token")
    }

    /// The manifests that the gateway ships for a cluster of this version.
    pub(super) fn manifests(&self) -> Result<Vec<PathBuf>> {
        let impersonator = if self.minor_version()? >= 36 { "constrained.yaml" } else { "legacy.yaml" };
        let dir = checkout().join("deploy/rbac");
        Ok(vec![dir.join(impersonator), dir.join("reviewer.yaml")])
    }

    /// Applies manifests as the cluster's administrator.
    pub(super) fn apply(&self, narrator: &Narrator, manifests: &[PathBuf]) -> Result<()> {
        let mut command = self.admin.command(&["apply"])?;
        for manifest in manifests {
            command.arg("-f").arg(manifest);
        }
        narrator.succeed(command)?;
        Ok(())
    }

    /// Has the API server make a token for each account. They never appear on the screen.
    pub(super) fn mint_tokens(&self, narrator: &Narrator) -> Result<()> {
        let accounts =
            [("gatewarden-impersonator", self.impersonator_token()), ("gatewarden-reviewer", self.reviewer_token())];
        for (account, file) in accounts {
            let command = self.admin.command(&["-n", NAMESPACE, "create", "token", account, "--duration=24h"])?;
            narrator.keep(command, &file)?;
        }
        Ok(())
    }

    fn minor_version(&self) -> Result<u32> {
        let version: Value = serde_json::from_str(&self.admin.ok(&["version", "-o", "json"])?)?;
        let minor = version.pointer("/serverVersion/minor").and_then(Value::as_str).context("no server version")?;
        let digits: String = minor.chars().take_while(char::is_ascii_digit).collect(); // "36+" at some vendors
        ensure!(!digits.is_empty(), "no server version: {minor}");
        Ok(digits.parse()?)
    }
}
