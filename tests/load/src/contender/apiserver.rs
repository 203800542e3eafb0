//! A real kube-apiserver, asked without anything in front: what the gateway's share is measured against.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use testbed::{Cluster, ClusterOptions};

use super::Contender;
use crate::spent::Group;

/// A running cluster.
#[derive(Debug)]
pub(crate) struct ApiServer(Cluster);

/// What is read: an object that every namespace has, from the API server's cache and not from etcd.
const PATH: &str = "/api/v1/namespaces/default/serviceaccounts/default?resourceVersion=0";

impl ApiServer {
    /// Starts a cluster without nodes.
    ///
    /// # Errors
    /// When its programs are not fetched.
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        Ok(Self(Cluster::start(dir, ClusterOptions::default())?))
    }

    /// It under load, for an account that may read.
    ///
    /// # Errors
    /// When the account cannot be made.
    pub(crate) fn contender(&self) -> Result<Contender> {
        let Self(cluster) = self;
        cluster.kubectl(&["create", "serviceaccount", "reader"])?;
        let binding =
            ["create", "clusterrolebinding", "reader", "--clusterrole=view", "--serviceaccount=default:reader"];
        cluster.kubectl(&binding)?;
        let file = cluster.dir().join("reader");
        cluster.service_account_token("default", "reader", &file)?;
        let port = cluster.url().rsplit_once(':').context("no port")?.1.trim_end_matches('/').parse()?;
        Ok(Contender {
            name: "kube-apiserver",
            upstream: "",
            group: Group(cluster.apiserver_pid().context("not running")?),
            port,
            path: PATH.to_owned(),
            token: Some(fs::read_to_string(file)?),
            _process: None,
        })
    }
}
