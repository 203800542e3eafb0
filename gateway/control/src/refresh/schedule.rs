//! The timer: which sessions are due, and no more at once than their provider should bear.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use auth_core::{InstanceId, PrincipalId};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;

use super::{Refresher, due_at};
use crate::sessions;
use crate::store::StoreFault;
use crate::users::UserId;

/// How long to leave a principal alone after an outage.
const RETRY: Duration = Duration::from_secs(60);
const LONGEST_TICK: Duration = Duration::from_secs(60);
const SHORTEST_TICK: Duration = Duration::from_secs(1);

type Due = BTreeMap<InstanceId, BTreeMap<PrincipalId, UserId>>;

impl Refresher {
    /// Refetches what is due, until the gateway stops.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        let tick = (self.control.settings().refresh_interval / 10).clamp(SHORTEST_TICK, LONGEST_TICK);
        loop {
            tokio::select! {
                () = self.control.end().cancelled() => return,
                () = self.control.clock().sleep(tick) => {}
            }
            match self.due().await {
                Ok(due) => due.into_iter().for_each(|(instance, people)| self.start_round(instance, people)),
                Err(fault) => tracing::error!(why = %auth_core::with_causes(&fault), "nobody can be refreshed"),
            }
        }
    }

    /// Who is due, by provider. Several sessions of one principal cost one question.
    async fn due(&self) -> Result<Due, StoreFault> {
        let now = self.control.store().now();
        let live = sessions::live(&mut *self.control.store().read().await?, now).await?;
        let known: HashSet<&PrincipalId> = live.iter().map(|session| &session.principal).collect();
        let mut later = self.later();
        later.retain(|principal, at| known.contains(principal) && *at > now);
        let settings = self.control.settings();
        let mut due = Due::new();
        for session in &live {
            if due_at(&session.id, session.refreshed_at, settings) <= now && !later.contains_key(&session.principal) {
                let people = due.entry(session.principal.instance().clone()).or_default();
                people.insert(session.principal.clone(), session.user.clone());
            }
        }
        Ok(due)
    }

    /// Starts a round for one provider, unless the last one is still under way.
    fn start_round(self: &Arc<Self>, instance: InstanceId, people: BTreeMap<PrincipalId, UserId>) {
        if !self.busy().insert(instance.clone()) {
            return;
        }
        let this = Arc::clone(self);
        self.control.tasks().spawn(async move {
            let end = this.control.end().clone();
            tokio::select! {
                () = end.cancelled() => {}
                () = this.round(people) => {}
            }
            this.busy().remove(&instance);
        });
    }

    async fn round(&self, people: BTreeMap<PrincipalId, UserId>) {
        let registry = self.control.registry();
        let at_once = self.control.settings().refresh_concurrency.max(1);
        stream::iter(people)
            .for_each_concurrent(at_once, async |(principal, user)| {
                if self.control.read_anew(&registry, &user, &principal).await.is_transient() {
                    let now = self.control.store().now();
                    let at = now.saturating_add(RETRY).unwrap_or(Timestamp::MAX);
                    self.later().insert(principal, at);
                }
            })
            .await;
    }
}
