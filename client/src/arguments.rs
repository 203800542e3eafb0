//! What may be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Log in once, and kubectl works with every cluster behind a Gatewarden.
#[derive(Debug, Parser)]
#[command(name = "kubectl-gatewarden", bin_name = "kubectl gatewarden", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) gateway: Gateway,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which gateway is meant.
#[derive(Debug, Args)]
pub(crate) struct Gateway {
    /// The gateway's address, such as `https://kube.example.org:8443`. Without it: the one that kubectl asks for, or the
    /// only one that you logged in to.
    #[arg(long = "gateway", value_name = "URL", global = true, env = "GATEWARDEN_GATEWAY")]
    pub(crate) url: Option<String>,
    /// A PEM file with the authority behind the gateway's certificate; it is remembered at login. Without it: what your
    /// system trusts.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) certificate_authority: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in, with a browser on this machine or a code that you type on another one.
    #[command(after_help = "Examples:\n  kubectl gatewarden login --gateway https://kube.example.org:8443\n  \
                            kubectl gatewarden login --device\n\n\
                            Without a display, or over SSH, a code is shown by itself.")]
    Login {
        /// Show a code to type in a browser on any machine.
        #[arg(long)]
        device: bool,
        /// Ask for a password here. Such a login is not renewed, and ends when its token does.
        #[arg(long, value_name = "NAME", conflicts_with = "device")]
        username: Option<String>,
        /// Which provider knows the name.
        #[arg(long, value_name = "ID", default_value = "local", requires = "username")]
        provider: String,
    },
    /// End the login, here and at the gateway.
    Logout {
        /// End it for every gateway that you logged in to.
        #[arg(long)]
        all: bool,
    },
    /// Print a credential for kubectl (client.authentication.k8s.io/v1). kubectl calls this.
    GetToken,
    /// Print a kubeconfig for every cluster that you may enter. It holds no secret.
    #[command(after_help = "Examples:\n  kubectl gatewarden kubeconfig > ~/.kube/gatewarden\n  \
                            kubectl gatewarden kubeconfig --merge")]
    Kubeconfig {
        /// Only this cluster.
        #[arg(long, value_name = "ID")]
        cluster: Option<String>,
        /// Add the clusters to your kubeconfig, by `kubectl config`, and leave the rest as it is.
        #[arg(long)]
        merge: bool,
    },
    /// Show who you are; by --explain also when your login ends, and why you may enter which cluster.
    #[command(after_help = "Examples:\n  kubectl gatewarden whoami --explain\n  \
                            kubectl gatewarden whoami --explain --cluster east")]
    Whoami {
        /// Also say why you may enter each cluster, or not, and how long your login lasts.
        #[arg(long)]
        explain: bool,
        /// Of the clusters, only this one.
        #[arg(long, value_name = "ID", requires = "explain")]
        cluster: Option<String>,
    },
    /// List the clusters that you may enter.
    Clusters,
    /// List your logins, and end one.
    Sessions {
        #[command(subcommand)]
        command: Sessions,
    },
    /// Look for what keeps a login from working, and say what to do.
    Doctor,
    /// Print the version.
    Version,
    /// Print a completion script.
    Completion {
        /// For this shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List them.
    List,
    /// End one; `current` is the one of this machine.
    Revoke {
        /// Its id.
        id: String,
    },
}

pub(crate) fn parse() -> Arguments {
    Arguments::parse()
}
