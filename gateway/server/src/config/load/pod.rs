//! What Kubernetes gives to a pod that speaks to its own cluster.

use std::path::PathBuf;

use http::Uri;

use crate::config::environment;

/// Where the pod finds its own cluster, and its account there.
#[derive(Debug)]
pub(super) struct Pod {
    /// The folder with the cluster's CA and the account's token.
    pub(super) folder: PathBuf,
    /// The API server's address.
    pub(super) host: Option<String>,
    /// Its port.
    pub(super) port: Option<String>,
}

impl Pod {
    /// The pod that this process runs in, if it runs in one.
    pub(super) fn of_this_process() -> Self {
        Self {
            folder: PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount"),
            host: environment::variable("KUBERNETES_SERVICE_HOST"),
            port: environment::variable("KUBERNETES_SERVICE_PORT"),
        }
    }

    /// The cluster's address, or what keeps it from being known.
    pub(super) fn endpoint(&self) -> Result<Uri, String> {
        let (Some(host), Some(port)) = (&self.host, &self.port) else {
            return Err("this process runs in no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set"
                .to_owned());
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!("https://{host}:{port}").parse().map_err(|_| "KUBERNETES_SERVICE_HOST is no address".to_owned())
    }
}
