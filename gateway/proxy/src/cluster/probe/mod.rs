//! Is this cluster's impersonator what it must be: able to impersonate, and to do nothing else?
//!
//! Were the identity headers ever lost on the way, a request would run as the impersonator itself. That must be an
//! account which can do nothing. So before the first request passes, the cluster is asked with that very account, and
//! asked again from time to time. Until it has answered, requests are answered 503.
//!
//! A cluster that takes our tokens has no such account. It is asked whether it reads from a token exactly what was
//! written.

mod asking;
mod bearer;
mod issuer;
mod report;
mod rules;
mod table;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

pub use report::{Account, Check, Mend, Mode, ProbeReport};

use self::asking::Asking;
use super::runtime::{Runtime, State};
use crate::boundary::{ClusterConfig, Snapshot, SnapshotConfig};
use crate::executor::Executor;
use crate::stream::{Drain, jitter};
use crate::upstream::{Pool, PoolSettings};

/// A proven cluster is asked again after this time: somebody may have bound another role to the account.
const PROVEN: Duration = Duration::from_secs(600);
/// A closed one sooner: its operator is mending it.
const CLOSED: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Asks one cluster everything, once, for `gatewarden cluster check`.
///
/// # Errors
/// When the configuration is wrong, so that nothing could be asked. A cluster that does not answer is a report.
pub async fn probe(config: ClusterConfig) -> Result<ProbeReport, String> {
    let id = config.id.clone();
    let snapshot = Snapshot::build(SnapshotConfig { clusters: vec![config], ..SnapshotConfig::default() });
    let snapshot = snapshot.map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let cluster = snapshot.cluster(&id).ok_or("the cluster is not described")?;
    let runtime = Arc::new(Runtime::new(Arc::clone(cluster))?);
    let executor = Executor::new(TaskTracker::new());
    let pool = Pool::new(Arc::new(PoolSettings::default()), executor, Drain::default());
    Ok(report(&pool, &runtime).await)
}

/// Asks a cluster everything, once, and opens or closes it by what was found.
pub(crate) async fn prove(pool: &Pool, runtime: &Arc<Runtime>) -> ProbeReport {
    let report = report(pool, runtime).await;
    settle(runtime, &report);
    report
}

/// An account is asked about where there is one, and otherwise what our tokens come to.
async fn report(pool: &Pool, runtime: &Arc<Runtime>) -> ProbeReport {
    let asking = Asking { pool, runtime };
    match runtime.cluster().config().carrier.mint() {
        None => asking.report().await,
        Some(mint) => asking.trust(&**mint).await,
    }
}

/// Proves a cluster and goes on proving it, until no snapshot holds it.
pub(super) async fn keep(pool: Arc<Pool>, runtime: Arc<Runtime>) {
    let retired = runtime.retired.clone();
    let asking = async {
        let mut pause = FIRST_PAUSE;
        loop {
            let report = prove(&pool, &runtime).await;
            let wait = match *runtime.state() {
                _ if report.unanswered.is_some() => pause,
                State::Open => PROVEN,
                State::Closed(_) => CLOSED,
                State::Unproven(_) => pause,
            };
            pause = if wait == pause { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
            // Spread, so that many clusters behind one gateway are not all asked in one moment.
            tokio::time::sleep(wait.mul_f64(0.9 + 0.2 * jitter())).await;
        }
    };
    retired.run_until_cancelled(asking).await;
}

/// Opens or closes the cluster by what was found.
fn settle(runtime: &Runtime, report: &ProbeReport) {
    // Silence says nothing of the mode: read as the older one, it would refuse `--as` where the cluster allows it.
    if let Some(mode) = report.mode {
        runtime.set_constrained(mode == Mode::Constrained);
    }
    let before = runtime.state();
    let next = verdict(&before, report, runtime.cluster().config().dangerous_privileged_account);
    if *before == next {
        return;
    }
    tell(runtime.cluster().id(), &next);
    runtime.set_state(next);
}

/// What a cluster becomes. A right too many that was found closes it, whatever else went unanswered. Silence alone closes
/// nothing that was proven: the next request will find out by itself whether the cluster is there.
fn verdict(before: &State, report: &ProbeReport, dangerous: bool) -> State {
    let found = report.state(dangerous);
    match (&report.unanswered, before) {
        (None, _) => found,
        (Some(_), _) if matches!(found, State::Closed(_)) => found,
        (Some(_), State::Open | State::Closed(_)) => before.clone(),
        (Some(why), State::Unproven(_)) => State::Unproven(why.as_str().into()),
    }
}

fn tell(cluster: &str, state: &State) {
    let (named, why) = match state {
        State::Open => return tell_open(cluster),
        State::Closed(why) => ("closed", why),
        State::Unproven(why) => ("unproven", why),
    };
    tracing::warn!(cluster, state = named, why = &**why, "the cluster is not served");
}

fn tell_open(cluster: &str) {
    tracing::info!(cluster, "the cluster is open");
}

#[cfg(test)]
mod tests;
