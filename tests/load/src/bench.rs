//! The order of a run: its parts, each with a gateway of its own.

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use testbed::StateDir;

use crate::contender::Ground;
use crate::{Plan, identity, logins, peers, plugin, table, tokens};

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The gateway beside HAProxy and nginx.
    Peers,
    /// What it costs a real API server to learn who asks.
    Identity,
    /// A token that was never seen before.
    Tokens,
    /// Proxied requests while people log in and refresh their tokens.
    Logins,
    /// The kubectl plugin.
    Plugin,
}

/// Runs the parts that are wanted.
///
/// # Errors
/// When one cannot be measured.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("bench-").tempdir()?;
    let _state = StateDir::create(dir.path())?;
    let (ground, stub) = Ground::prepare(dir.path())?;
    table::head(plan);
    for part in wanted(plan) {
        match part {
            Part::Peers => peers::run(plan, &ground, &stub),
            Part::Identity => identity::run(plan, &ground),
            Part::Tokens => tokens::run(plan, &ground),
            Part::Logins => logins::run(plan, &ground),
            Part::Plugin => plugin::run(&ground),
        }
        .with_context(|| format!("{part:?}"))?;
    }
    Ok(())
}

/// The parts in the order of the document.
fn wanted(plan: &Plan) -> impl Iterator<Item = Part> {
    let asked = |part: &Part| plan.only.is_empty() || plan.only.contains(part);
    let possible = |part: &Part| !plan.no_cluster || *part != Part::Identity;
    Part::value_variants().iter().copied().filter(asked).filter(possible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_cluster_all_is_measured_but_identity() {
        let plan = |only: &[Part], no_cluster| Plan { only: only.to_vec(), no_cluster, ..Plan::default() };
        let parts = |plan: &Plan| wanted(plan).collect::<Vec<_>>();
        assert_eq!(parts(&plan(&[], false)), Part::value_variants());
        assert_eq!(parts(&plan(&[], true)), [Part::Peers, Part::Tokens, Part::Logins, Part::Plugin]);
        assert_eq!(parts(&plan(&[Part::Logins, Part::Tokens], false)), [Part::Tokens, Part::Logins]);
    }
}
