//! `kubeconfig`: a file for every cluster that somebody may enter. It names this program and holds no secret.

use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{own, print, session};
use crate::arguments;
use crate::cache::{self, eprint};
use crate::environment;
use crate::failure::Failure;
use crate::session::Session;

pub(super) const API: &str = "client.authentication.k8s.io/v1";

pub(super) fn run(given: &arguments::Gateway, only: Option<&str>, merge: bool) -> Result<(), Failure> {
    let session = session(given)?;
    let mut ids: Vec<String> = own::entered(&session)?.into_iter().map(|one| one.id).collect();
    if let Some(only) = only {
        ids.retain(|id| id == only);
    }
    if ids.is_empty() {
        let which = only.map_or("any cluster".to_owned(), |only| format!("cluster {only}"));
        return Err(Failure::Denied(format!(
            "you may not enter {which}; `kubectl gatewarden clusters` lists those that you may"
        )));
    }
    if merge { merged(&session, &ids) } else { print(&format!("{:#}\n", file(&session, &ids))) }
}

/// One file. JSON is YAML, too.
fn file(session: &Session, ids: &[String]) -> Value {
    let clusters = ids.iter().map(|id| {
        let mut cluster = json!({ "server": server(session, id) });
        if let (Some(ca), Some(cluster)) = (&session.gateway().ca, cluster.as_object_mut()) {
            cluster.insert("certificate-authority-data".to_owned(), STANDARD.encode(ca).into());
        }
        json!({ "name": name(session, id), "cluster": cluster })
    });
    let contexts = ids.iter().map(|id| {
        let name = name(session, id);
        json!({ "name": name, "context": { "cluster": name, "user": user(session) } })
    });
    let exec = json!({
        "apiVersion": API,
        "command": program(),
        "args": ["get-token", "--gateway", session.url()],
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": true,
        "installHint": "Put kubectl-gatewarden into your PATH; your administrator has it.",
    });
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters.collect::<Vec<_>>(),
        "contexts": contexts.collect::<Vec<_>>(),
        "users": [{ "name": user(session), "user": { "exec": exec } }],
        "current-context": ids.first().map(|id| name(session, id)),
    })
}

/// kubectl itself changes its file: it knows which one it is, locks it, and leaves the rest alone.
fn merged(session: &Session, ids: &[String]) -> Result<(), Failure> {
    let user = user(session);
    kubectl(&[
        "set-credentials",
        &user,
        &format!("--exec-api-version={API}"),
        &format!("--exec-command={}", program()),
        "--exec-arg=get-token",
        "--exec-arg=--gateway",
        &format!("--exec-arg={}", session.url()),
        "--exec-interactive-mode=IfAvailable",
        "--exec-provide-cluster-info=true",
    ])?;
    for id in ids {
        let (name, server) = (name(session, id), format!("--server={}", server(session, id)));
        match &session.gateway().ca {
            Some(ca) => with_ca(session, ca, &name, &server)?,
            None => kubectl(&["set-cluster", &name, &server])?,
        }
        kubectl(&["set-context", &name, &format!("--cluster={name}"), &format!("--user={user}")])?;
    }
    let first = ids.first().map(|id| name(session, id)).unwrap_or_default();
    eprint(&format!("Added {} to your kubeconfig. Try: kubectl --context {first} get pods", ids.join(", ")));
    Ok(())
}

/// kubectl takes an authority from a file alone.
fn with_ca(session: &Session, ca: &str, name: &str, server: &str) -> Result<(), Failure> {
    session.folder().with_file("ca", ca.as_bytes(), |file| {
        let file = format!("--certificate-authority={}", file.display());
        kubectl(&["set-cluster", name, server, "--embed-certs=true", &file])
    })
}

fn kubectl(arguments: &[&str]) -> Result<(), Failure> {
    let ran = Command::new("kubectl").arg("config").args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let missing =
        |error| format!("kubectl cannot be run: {error}; put it into your PATH, or write the file without --merge");
    let what = || format!("kubectl config {} did not work; kubectl says why above", arguments.join(" "));
    if ran.map_err(|error| Failure::other(missing(error)))?.success() { Ok(()) } else { Err(Failure::other(what())) }
}

/// What kubectl is to start: the name alone, where that leads to this program; else where it lies. A name fits a file that
/// is copied to another machine.
fn program() -> String {
    let own = environment::program();
    let by_name = environment::found_in_path(cache::NAME).is_some_and(|found| found == own);
    if by_name { cache::NAME.to_owned() } else { own.display().to_string() }
}

fn server(session: &Session, id: &str) -> String {
    format!("{}/k8s/clusters/{id}", session.url())
}

/// The gateway's host and port: two gateways may have a cluster of one name.
fn place(session: &Session) -> &str {
    session.url().strip_prefix("https://").unwrap_or(session.url())
}

fn name(session: &Session, id: &str) -> String {
    format!("{id}@{}", place(session))
}

fn user(session: &Session) -> String {
    format!("gatewarden@{}", place(session))
}
