//! The command line: every command, option and help text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::CONFIG_VARIABLE;

/// Lets people log in to many Kubernetes clusters with the identity system that their site already has.
#[derive(Debug, Parser)]
#[command(name = "gatewarden", version, arg_required_else_help = true, propagate_version = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = CONFIG_VARIABLE, default_value = "/etc/gatewarden/gatewarden.yaml")]
    pub(super) config: PathBuf,
    /// How results are printed.
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table)]
    pub(super) output: Format,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the gateway.
    #[command(
        after_help = "Example:\n  gatewarden serve --config /etc/gatewarden/gatewarden.yaml\n\nSIGHUP reads the configuration again; SIGTERM stops after requests in flight, a second one at once."
    )]
    Serve(Serve),
    /// Report every fault of the configuration at once, each with its line and what to write instead.
    #[command(
        after_help = "Examples:\n  gatewarden check --config gatewarden.yaml\n  gatewarden check --live      also asks the directories and clusters"
    )]
    Check(Check),
    /// People that the gateway itself keeps.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Tokens that logins have given out.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Logins that go on: whose, since when, from where.
    Session {
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Clusters behind the gateway.
    Cluster {
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// Identity systems that the gateway asks about people.
    Provider {
        #[command(subcommand)]
        command: ProviderCommand,
    },
    /// Tell why somebody may do something or not, step by step, or what became of one request.
    #[command(
        after_help = "Examples:\n  gatewarden explain alice\n  gatewarden explain alice --cluster east get pods -n dev\n  gatewarden explain alice --cluster east create deployments.apps -n dev --as jane --as-group qa\n  gatewarden explain alice --cluster east logs pods/web -n dev\n  gatewarden explain alice --cluster east get /metrics\n  gatewarden explain --audit-id 0199f0c2-7d3a-7c11-9a52-6d1f5e0b8a77\n\nThe id stands in the Audit-Id header of every answer; `kubectl -v=8` shows it. Rotated files beside `audit.file` are read too.\n\nThe exit code is 0 when it is allowed, 3 when it is refused, 4 when that cannot be told, 1 when the command fails."
    )]
    Explain(Explain),
    /// Print the description of the API (OpenAPI 3.1), as `/api/v1/openapi.json` serves it.
    #[command(after_help = "Example:\n  gatewarden openapi > openapi.json")]
    Openapi,
    /// Print the completion script of a shell.
    #[command(after_help = "Example:\n  gatewarden completion bash > /etc/bash_completion.d/gatewarden")]
    Completion {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// What is logged: a level, or a filter such as `info,gatewarden_proxy=debug`. Overrides `logLevel`.
    #[arg(long, value_name = "FILTER")]
    pub(super) log: Option<String>,
    /// How many threads carry requests; one for each processor when absent.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) workers: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Also ask every directory whether it answers, and every cluster what the gateway's accounts may do.
    #[arg(long)]
    pub(super) live: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a local user. The password is asked for twice.
    #[command(
        after_help = "Examples:\n  gatewarden user add alice --group developers\n  printf %s \"$PASSWORD\" | gatewarden user add alice --password-stdin"
    )]
    Add {
        /// The name to log in with.
        login: String,
        /// The name to show.
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// A local group; may be repeated. It is made where it is missing.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set a local user's password. Their sessions end.
    Passwd {
        /// The name to log in with.
        login: String,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Keep a user out: their sessions, tokens and running streams end within two seconds.
    #[command(after_help = "Example:\n  gatewarden user disable alice")]
    Disable {
        /// A login name, a user id (`u-…`), or a principal id.
        user: String,
    },
    /// Let a disabled user log in again.
    Enable {
        /// A login name, a user id (`u-…`), or a principal id.
        user: String,
    },
    /// Have the running gateway ask the user's provider again now.
    Refresh {
        /// A login name, a user id (`u-…`), or a principal id.
        user: String,
    },
    /// List everybody who has an account here or has logged in.
    List,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Who: a login name, a user id (`u-…`), or a principal id.
    #[arg(required_unless_present = "audit_id", conflicts_with = "audit_id")]
    pub(super) user: Option<String>,
    /// What they do, as kubectl has it: get, list, watch, create, update, patch, delete, logs, exec, …
    #[arg(requires = "resource")]
    pub(super) verb: Option<String>,
    /// To what: `pods`, `pods/web`, `deployments.apps/web`, or a path such as `/metrics`.
    pub(super) resource: Option<String>,
    /// Which one, where the resource does not say it.
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) options: ExplainOptions,
    /// The id of a request, in place of a person: what became of it, from the audit log.
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) audit_id: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ExplainOptions {
    /// The cluster; needed for a verb when there are several.
    #[arg(long, value_name = "ID", conflicts_with = "audit_id")]
    pub(super) cluster: Option<String>,
    /// The namespace; `default` when absent, as for kubectl.
    #[arg(long, short, value_name = "NAMESPACE", conflicts_with = "audit_id")]
    pub(super) namespace: Option<String>,
    /// In all namespaces.
    #[arg(long, short = 'A', conflicts_with_all = ["namespace", "audit_id"])]
    pub(super) all_namespaces: bool,
    /// A subresource, such as `log` or `scale`.
    #[arg(long, value_name = "NAME", conflicts_with = "audit_id")]
    pub(super) subresource: Option<String>,
    /// Act as this user, as with `kubectl --as`.
    #[arg(long = "as", value_name = "USER", conflicts_with = "audit_id")]
    pub(super) acting_as: Option<String>,
    /// In this group; may be repeated.
    #[arg(long = "as-group", value_name = "GROUP", requires = "acting_as")]
    pub(super) as_groups: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProviderCommand {
    /// Try every step of a login at a provider, and show what each asked, found and took.
    #[command(
        after_help = "Examples:\n  gatewarden provider test corp\n  gatewarden provider test corp --user alice\n  printf %s \"$PASSWORD\" | gatewarden provider test corp --user alice --password-stdin\n\nThe exit code is 1 when a step fails. A password that is tried counts as an attempt in the directory."
    )]
    Test(ProviderTest),
}

#[derive(Debug, Args)]
pub(super) struct ProviderTest {
    /// The provider's id.
    pub(super) id: String,
    /// Also look for this person: the login name, as they type it.
    #[arg(long, value_name = "LOGIN", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) user: Option<String>,
    /// Also try the person's password, read from standard input.
    #[arg(long, requires = "user")]
    pub(super) password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// List tokens; secrets are not kept and cannot be shown.
    List {
        /// Only those of this user.
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// End a token: it is refused, and its running streams end, within two seconds.
    #[command(after_help = "Example:\n  gatewarden token revoke gwt-abcdefghijkl")]
    Revoke {
        /// The token's name, the part before the colon.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List sessions, newest first: those that go on.
    #[command(
        after_help = "Examples:\n  gatewarden session list\n  gatewarden session list --user alice --all -o json"
    )]
    List {
        /// Only those of this user.
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Also those that ended in the last seven days.
        #[arg(long)]
        all: bool,
    },
    /// End a session, or all of a user: tokens are refused, and running streams end, within two seconds.
    #[command(
        after_help = "Examples:\n  gatewarden session revoke s-0199f0c2-7d3a-7c11-9a52-6d1f5e0b8a77\n  gatewarden session revoke --user alice\n\nThe person may log in again; `gatewarden user disable` keeps them out."
    )]
    Revoke {
        /// The session's id.
        #[arg(required_unless_present = "user", conflicts_with = "user")]
        id: Option<String>,
        /// All sessions of this user: a login name, a user id (`u-…`), or a principal id.
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
}

/// The manifests in the program.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ManifestName {
    /// The impersonator, for Kubernetes 1.36 and later.
    Constrained,
    /// The impersonator, for Kubernetes before 1.36.
    Legacy,
    /// The account that asks about `kubectl --as`.
    Reviewer,
    /// Room for the reviewer's questions on a busy API server.
    ReviewerFlowschema,
    /// Lets the reviewer ask about the cluster's own service-account tokens.
    TokenReviewer,
    /// Lets people act as service accounts, where their own rights allow it.
    ImpersonateServiceaccounts,
}

#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// List the configured clusters.
    List,
    /// Ask a cluster what the gateway's accounts may do, and whether that is exactly enough.
    #[command(after_help = "Example:\n  gatewarden cluster check east")]
    Check {
        /// The cluster's id; all of them when absent.
        id: Option<String>,
    },
    /// Print a manifest that the gateway's accounts need on a cluster.
    #[command(
        after_help = "Examples:\n  gatewarden cluster manifest constrained | kubectl apply -f -\n  gatewarden cluster manifest reviewer | kubectl apply -f -\n  gatewarden cluster manifest legacy --cluster west > west.yaml"
    )]
    Manifest {
        /// Which one.
        name: ManifestName,
        /// Write the extra keys of this configured cluster, where they are not the usual ones.
        #[arg(long, value_name = "ID")]
        cluster: Option<String>,
    },
    /// Print the file by which an API server trusts the gateway's issuer, for `identity: bearer` and for direct access.
    #[command(
        after_help = "Example:\n  gatewarden cluster authentication-config east > authentication.yaml\n  kube-apiserver --authentication-config=authentication.yaml …"
    )]
    AuthenticationConfig {
        /// The cluster's id.
        id: String,
    },
    /// Print a kubeconfig file for a person.
    #[command(
        after_help = "Examples:\n  gatewarden cluster kubeconfig east > ~/.kube/east\n  printf %s \"$TOKEN\" | gatewarden cluster kubeconfig --all --token-stdin > ~/.kube/config"
    )]
    Kubeconfig(Kubeconfig),
    /// Let a user or group name of a cluster be taken by another principal.
    #[command(
        after_help = "A name belongs to the first principal that used it, so that nobody inherits another's rights by\nbeing given the same name. Release it when its owner is gone for good.\n\nExample:\n  gatewarden cluster release-name corp:alice"
    )]
    ReleaseName {
        /// The name as clusters see it.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Kubeconfig {
    /// The cluster's id.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(super) id: Option<String>,
    /// One context for each cluster.
    #[arg(long)]
    pub(super) all: bool,
    /// Read the token from standard input.
    #[arg(long, conflicts_with = "token_file")]
    pub(super) token_stdin: bool,
    /// Let kubectl read the token from this file.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
}
