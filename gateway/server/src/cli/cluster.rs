//! `gatewarden cluster`: the clusters behind the gateway.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::arguments::{ClusterCommand, Kubeconfig};
use super::kubeconfig::{Contents, Token};
use super::output::Output;
use super::{CommandError, authentication, manifest, password, probe, store};
use crate::config::{self, Cluster, ClusterSource, Config};
use crate::wiring;

pub(super) fn run(path: &Path, command: ClusterCommand, output: &Output) -> Result<ExitCode, CommandError> {
    match command {
        ClusterCommand::List => list(&config::load_file(path)?, output),
        ClusterCommand::Check { id } => probe::run(path, id.as_deref(), output),
        ClusterCommand::AuthenticationConfig { id } => authentication::run(path, &id, output),
        ClusterCommand::Manifest { name, cluster } => manifest::run(path, name, cluster.as_deref(), output),
        ClusterCommand::Kubeconfig(wanted) => kubeconfig(&config::load_file(path)?, &wanted, output),
        ClusterCommand::ReleaseName { name } => release(path, &name, output),
    }
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    place: String,
    hosts: &'a [String],
}

fn list(config: &Config, output: &Output) -> Result<ExitCode, CommandError> {
    let rows: Vec<Row<'_>> = config
        .clusters
        .iter()
        .map(|cluster| Row { id: &cluster.id, place: place(cluster), hosts: &cluster.hosts })
        .collect();
    output.list(["cluster", "place", "hosts"], &rows, |row| {
        [row.id.to_owned(), row.place.clone(), row.hosts.join(", ")]
    })?;
    Ok(ExitCode::SUCCESS)
}

fn place(cluster: &Cluster) -> String {
    match &cluster.source {
        ClusterSource::Endpoints { urls, .. } => {
            urls.iter().map(|url| url.to_string().trim_end_matches('/').to_owned()).collect::<Vec<_>>().join(", ")
        }
        ClusterSource::Kubeconfig(reference) => reference.file.display().to_string(),
        ClusterSource::InCluster => "in this cluster".to_owned(),
    }
}

fn kubeconfig(config: &Config, wanted: &Kubeconfig, output: &Output) -> Result<ExitCode, CommandError> {
    let clusters: Vec<String> = match &wanted.id {
        None => config.clusters.iter().map(|cluster| cluster.id.clone()).collect(),
        Some(id) if config.clusters.iter().any(|cluster| cluster.id == *id) => vec![id.clone()],
        Some(id) => return Err(unknown(config, id)),
    };
    let ca_pem = ca(config)?;
    let inline = if wanted.token_stdin { Some(password::stdin("token")?) } else { None };
    let token = match (&inline, &wanted.token_file) {
        (Some(token), _) => Token::Inline(token),
        (None, Some(file)) => Token::File(file),
        (None, None) => Token::Placeholder,
    };
    let contents =
        Contents { host_and_port: &host_and_port(config), ca_pem: ca_pem.as_deref(), clusters: &clusters, token };
    output.text(&contents.render())?;
    Ok(ExitCode::SUCCESS)
}

/// Says which clusters there are.
pub(super) fn unknown(config: &Config, id: &str) -> CommandError {
    let known: Vec<&str> = config.clusters.iter().map(|cluster| cluster.id.as_str()).collect();
    CommandError::Input(format!("there is no cluster `{id}`; there are: {}", known.join(", ")))
}

/// The gateway as people reach it.
fn host_and_port(config: &Config) -> String {
    let host = config.hosts.clusters.first().map_or("localhost", String::as_str);
    let port = config.listeners.main.address.port();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port == 443 { host } else { format!("{host}:{port}") }
}

/// What kubectl verifies the gateway's certificate with; nothing where people's machines trust it already.
pub(super) fn ca(config: &Config) -> Result<Option<Vec<u8>>, CommandError> {
    let (file, advice) = match &config.listeners.main.tls {
        Some(files) => match &files.ca {
            Some(file) => (file.clone(), "name a readable `caFile`"),
            None => return Ok(None),
        },
        None => (wiring::ca_file(&config.state_dir), "run `gatewarden serve` once, which makes it"),
    };
    let read = fs::read(&file);
    read.map(Some).map_err(|error| CommandError::Input(format!("cannot read `{}`: {error}; {advice}", file.display())))
}

fn release(path: &Path, name: &str, output: &Output) -> Result<ExitCode, CommandError> {
    let released = store::with(path, async |admin| Ok(admin.release_name(name).await?))?;
    let owners: Vec<String> = released.iter().map(|released| released.owner.to_string()).collect();
    let line =
        format!("released {name}, which belonged to {}; the sessions behind it have ended", owners.join(" and "));
    output.one(&json!({ "released": name, "owners": owners }), &line)?;
    Ok(ExitCode::SUCCESS)
}
