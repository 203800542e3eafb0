//! A person, from their name to the cluster's answer.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{Clock, Context};
use gatewarden_control::{Admin, Explained, Now, SessionIdentity};
use gatewarden_proxy::{Rehearsal, Rehearsed, Session};
use serde_json::{Map, Value, json};
use tokio::runtime::Builder;

use super::asked;
use super::sections::{self, Section};
use super::verdict;
use crate::cli::arguments::Explain;
use crate::cli::output::{Output, plain};
use crate::cli::{CommandError, cluster, store};
use crate::config::{self, Loaded};
use crate::wiring::{self, ProviderPorts, SystemClock};

/// How long the identity system may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// All that was found out.
pub(super) struct Story {
    pub(super) loaded: Loaded,
    pub(super) explained: Explained,
    /// What requests carry: the newest session's identity, or the one that a login would give now.
    pub(super) carried: Option<Carried>,
    pub(super) request: Option<Request>,
}

/// What requests carry.
pub(super) struct Carried {
    pub(super) session: Arc<Session>,
    pub(super) identity: SessionIdentity,
    /// Whether a session carries it already.
    pub(super) is_live: bool,
}

/// A request that was played.
pub(super) struct Request {
    pub(super) cluster: String,
    /// As it was typed; empty when only the way to the cluster was asked for.
    pub(super) typed: String,
    pub(super) rehearsal: Rehearsal,
    pub(super) played: Rehearsed,
}

/// Tells everything in the order in which a request meets it, and the verdict last.
pub(super) fn run(path: &Path, user: &str, explain: &Explain, output: &Output) -> Result<ExitCode, CommandError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let story = runtime.block_on(find_out(path, user, explain))?;
    let verdict = verdict::of(&story);
    let sections = sections::all(&story);
    if output.is_json() {
        let mut all: Map<String, Value> =
            sections.iter().map(|section| (section.name.replace(' ', "_"), section.data.clone())).collect();
        all.insert("verdict".to_owned(), json!({ "outcome": verdict.word(), "why": verdict.text() }));
        output.one(&all, "")?;
    } else {
        sections.iter().try_for_each(|section| print(section, output))?;
        output.text(&format!("{}: {}\n", verdict.word(), plain(verdict.text())))?;
    }
    Ok(verdict.code())
}

fn print(section: &Section, output: &Output) -> Result<(), CommandError> {
    output.text(&format!("{}\n", section.name))?;
    for line in &section.lines {
        output.text(&format!("  {}\n", plain(line)))?;
    }
    Ok(())
}

async fn find_out(path: &Path, user: &str, explain: &Explain) -> Result<Story, CommandError> {
    let asked = asked::read(explain)?;
    let ports = ProviderPorts::default();
    let mut loaded = config::load(path, &ports)?;
    let cluster = cluster_of(&loaded, explain)?;
    let opened = store::open(&loaded.config).await?;
    ports.open_users(Arc::new(opened.clone()));
    let registry = wiring::registry(&loaded.config, std::mem::take(&mut loaded.providers));
    let context = Context::new(SystemClock.monotonic() + PATIENCE, "explain");
    let explained = Admin::new(opened.clone()).explain(&registry, user, &context).await;
    let minting = store::open_mint(&loaded.config, &ports, &opened).await;
    opened.close().await;
    let explained = explained?;
    minting?;
    let carried = carried(&explained)?;
    let request = match (cluster, &carried) {
        (Some(cluster), Some(carried)) => {
            let rehearsal =
                Rehearsal::of(&loaded.snapshot, &cluster, Arc::clone(&carried.session), Arc::new(SystemClock));
            let rehearsal = rehearsal.await?;
            let played = rehearsal.play(&asked.method, &asked.path, &asked.headers).await;
            let played = played.map_err(CommandError::Input)?;
            Some(Request { cluster, typed: typed(explain), rehearsal, played })
        }
        _ => None,
    };
    Ok(Story { loaded, explained, carried, request })
}

/// The cluster that was named, or the only one when something was asked of it.
fn cluster_of(loaded: &Loaded, explain: &Explain) -> Result<Option<String>, CommandError> {
    let clusters = &loaded.config.clusters;
    let options = &explain.options;
    match (&options.cluster, clusters.as_slice()) {
        (Some(id), known) if known.iter().any(|one| one.id == *id) => Ok(Some(id.clone())),
        (Some(id), _) => Err(cluster::unknown(&loaded.config, id)),
        (None, [only]) => Ok(Some(only.id.clone())),
        (None, _) if explain.verb.is_none() && options.acting_as.is_none() => Ok(None),
        (None, known) => {
            let ids: Vec<&str> = known.iter().map(|one| one.id.as_str()).collect();
            Err(CommandError::Input(format!("name the cluster: --cluster {}", ids.join(" or "))))
        }
    }
}

fn carried(explained: &Explained) -> Result<Option<Carried>, CommandError> {
    let (id, identity, is_live) = match (explained.sessions.first(), &explained.now) {
        (Some(session), _) => (session.id.to_string(), &session.identity, true),
        (None, Now::Known(described)) if described.policy.allowed => match &described.identity {
            Ok(identity) => ("s-of-the-next-login".to_owned(), identity, false),
            Err(_) => return Ok(None),
        },
        _ => return Ok(None),
    };
    let session = wiring::session(&id, &explained.id, &explained.principal, identity.clone());
    let session = Arc::new(session.map_err(CommandError::failed)?);
    Ok(Some(Carried { session, identity: identity.clone(), is_live }))
}

fn typed(explain: &Explain) -> String {
    let words = [&explain.verb, &explain.resource, &explain.name];
    words.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}
