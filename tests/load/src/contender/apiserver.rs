//! A real kube-apiserver, with nothing in front and behind the gateway.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use testbed::{Cluster, ClusterOptions};

use super::{CONSOLE, Contender};
use crate::spent::Group;

/// A running cluster.
#[derive(Debug)]
pub(crate) struct ApiServer(Cluster);

/// What is read: an object that every namespace has, from the API server's cache and not from etcd.
pub(crate) const PATH: &str = "/api/v1/namespaces/default/serviceaccounts/default?resourceVersion=0";

impl ApiServer {
    /// Starts a cluster without nodes.
    ///
    /// # Errors
    /// When its programs are not fetched.
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        Ok(Self(Cluster::start(dir, ClusterOptions::default())?))
    }

    /// The same, for a gateway: its accounts may impersonate and review, and its issuer can be trusted.
    ///
    /// # Errors
    /// When its programs are not fetched, or a manifest is refused.
    pub(crate) fn start_for_gateway(dir: &Path) -> Result<Self> {
        let trust = dir.with_extension("authentication.yaml");
        fs::write(&trust, TRUSTS_NOBODY)?;
        let apiserver_flags = vec![format!("--authentication-config={}", trust.display())];
        let loopback_names = vec![CONSOLE.to_owned()];
        let options = ClusterOptions { apiserver_flags, loopback_names, ..ClusterOptions::default() };
        let cluster = Cluster::start(dir, options)?;
        for name in ["constrained.yaml", "reviewer.yaml", "reviewer-flowschema.yaml"] {
            let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rbac").join(name);
            cluster.kubectl(&["apply", "-f", &manifest.to_string_lossy()])?;
        }
        Ok(Self(cluster))
    }

    /// Has it read the tokens of an issuer, by what `gatewarden cluster authentication-config` printed. It sees that the
    /// file is another by itself.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn trust(&self, config: &str) -> Result<()> {
        let file = self.0.dir().with_extension("authentication.yaml");
        let next = file.with_extension("next");
        fs::write(&next, config)?;
        Ok(fs::rename(next, file)?)
    }

    /// A token of one of the gateway's accounts, in a file.
    ///
    /// # Errors
    /// When there is no such account.
    pub(crate) fn account(&self, name: &str) -> Result<PathBuf> {
        let file = self.0.dir().join(name);
        self.0.service_account_token("gatewarden", &format!("gatewarden-{name}"), &file)?;
        Ok(file)
    }

    /// What a gateway's configuration says of it.
    pub(crate) fn address(&self) -> (String, PathBuf) {
        (self.0.url(), self.0.ca_file())
    }

    /// It under load, for an account that may read.
    ///
    /// # Errors
    /// When the account cannot be made.
    pub(crate) fn contender(&self) -> Result<Contender> {
        let Self(cluster) = self;
        cluster.kubectl(&["create", "serviceaccount", "reader"])?;
        self.let_read("--serviceaccount=default:reader")?;
        let file = cluster.dir().join("reader");
        cluster.service_account_token("default", "reader", &file)?;
        Ok(Contender { token: Some(fs::read_to_string(file)?), ..self.unknown()? })
    }

    /// It under load, for somebody who shows a certificate.
    ///
    /// # Errors
    /// When none can be made.
    pub(crate) fn contender_by_certificate(&self, user: &str, group: &str) -> Result<Contender> {
        Ok(Contender { certificate: Some(self.0.client_certificate(user, Some(group))?), ..self.unknown()? })
    }

    /// Gives somebody the right to read.
    ///
    /// # Errors
    /// When the API server refuses.
    pub(crate) fn let_read(&self, whom: &str) -> Result<()> {
        self.0.kubectl(&["create", "clusterrolebinding", "reader", "--clusterrole=view", whom]).map(drop)
    }

    /// Its processes.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn group(&self) -> Result<Group> {
        Ok(Group(self.0.apiserver_pid().context("not running")?))
    }

    fn unknown(&self) -> Result<Contender> {
        let Self(cluster) = self;
        let port = cluster.url().rsplit_once(':').context("no port")?.1.trim_end_matches('/').parse()?;
        Ok(Contender {
            name: "kube-apiserver",
            upstream: "",
            group: self.group()?,
            ca: cluster.ca_file(),
            certificate: None,
            port,
            path: PATH.to_owned(),
            token: None,
            _process: None,
        })
    }
}

/// Nobody's tokens, until a gateway says whose.
const TRUSTS_NOBODY: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: []\n";
