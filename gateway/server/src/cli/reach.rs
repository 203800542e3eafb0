//! Asking what a configuration names whether it is there: directories, and host names.

use std::collections::BTreeSet;

use auth_core::{Clock, Context, Search};
use serde::Serialize;
use tokio::runtime::Builder;

use super::CommandError;
use super::output::Output;
use crate::config::{Config, Loaded};
use crate::wiring::SystemClock;

/// Whether a provider answers.
#[derive(Debug, Serialize)]
pub(super) struct Reached {
    provider: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Reached {
    pub(super) const fn is_ok(&self) -> bool {
        self.ok
    }
}

/// How long a provider may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Searches each provider but `local`, whose store a command need not open. Nobody is looked for: an answer is enough.
pub(super) fn ask(loaded: &Loaded) -> Result<Vec<Reached>, CommandError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut reached = Vec::new();
        for entry in loaded.providers.iter().filter(|entry| entry.provider.name().as_str() != "local") {
            let context = Context::new(SystemClock.monotonic() + PATIENCE, "check");
            let answer = entry.provider.search_principals(&context, Search::new("gatewarden-check", 1)).await;
            let why = answer.err().map(|error| error.audit_text());
            reached.push(Reached { provider: entry.provider.name().to_string(), ok: why.is_none(), why });
        }
        Ok(reached)
    })
}

/// The host names that lead nowhere from here. People need each in DNS, or in a hosts file.
pub(super) fn unknown_names(config: &Config) -> Result<Vec<String>, CommandError> {
    let names = config.hosts.clusters.iter().chain(&config.hosts.console);
    // Names below `localhost` are this machine to browsers and to our plugin (RFC 6761 §6.3), whatever DNS says.
    let asked = names.chain(config.clusters.iter().flat_map(|cluster| &cluster.hosts));
    let names: BTreeSet<&String> = asked.filter(|name| !name.ends_with(".localhost")).collect();
    let port = config.listeners.main.address.port();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut unknown = Vec::new();
        for name in names {
            if tokio::net::lookup_host((name.as_str(), port)).await.is_err() {
                unknown
                    .push(format!("the host name {name} leads nowhere from here: add it to DNS, or to a hosts file"));
            }
        }
        Ok(unknown)
    })
}

/// Prints one line for each.
pub(super) fn print(reached: &[Reached], output: &Output) -> Result<(), CommandError> {
    for one in reached {
        let verdict = one.why.as_ref().map_or_else(|| "answers".to_owned(), |why| format!("does not answer: {why}"));
        output.text(&format!("{}: {verdict}\n", one.provider))?;
    }
    Ok(())
}
