//! The timer: asks about those who are due, ahead of the end of their freshness, and no more at once than their provider
//! should bear. No request waits for it.
//!
//! Who is due is kept in memory (`queue.rs`): it is filled from the store at the start, and then by the logins that
//! `changes` tells of. What it says is looked up once more before anybody is asked: a refresh of tokens, a command or
//! another process may have asked meanwhile.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{InstanceId, PrincipalId};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;

use super::queue::{Came, Taken};
use super::{Outcome, Refresher, due_at};
use crate::sessions::{self, Since};
use crate::store::{Changes, StoreFault};

const LONGEST_TICK: Duration = Duration::from_secs(60);
const SHORTEST_TICK: Duration = Duration::from_secs(1);
/// How many each of those who ask has before it, at most.
const AHEAD: usize = 8;
/// What is done with an answer takes a moment, too.
const SLACK: Duration = Duration::from_secs(30);

type People = Vec<(PrincipalId, Taken)>;

impl Refresher {
    /// Refetches what is due, until the gateway stops.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        let mut seen = None;
        loop {
            match self.learn(seen).await {
                Ok(newest) => seen = Some(newest),
                Err(fault) => tracing::error!(why = %auth_core::with_causes(&fault), "who logged in cannot be read"),
            }
            self.start_rounds();
            tokio::select! {
                () = self.control.end().cancelled() => return,
                () = self.control.clock().sleep(self.nap()) => {}
                () = self.returned.notified() => {}
            }
        }
    }

    /// Until somebody is due, and never longer than a new login may have to wait until it is known here.
    fn nap(&self) -> Duration {
        let tick = (self.control.settings().refresh_interval / 10).clamp(SHORTEST_TICK, LONGEST_TICK);
        let wait = self.queue().wakes_at().map(|at| at.duration_since(self.control.store().now()));
        let wait = wait.map_or(tick, |wait| Duration::try_from(wait).unwrap_or_default());
        wait.clamp(SHORTEST_TICK, tick)
    }

    /// Takes in who logged in since, anywhere; everybody, when nothing was seen yet or too much was missed.
    async fn learn(&self, seen: Option<i64>) -> Result<i64, StoreFault> {
        let store = self.control.store();
        let mut reader = store.read().await?;
        let bounds = "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM changes";
        let (first, newest): (i64, i64) = sqlx::query_as(bounds).fetch_one(&mut *reader).await?;
        let followed = seen.filter(|seen| *seen <= newest && first <= *seen + 1);
        let which = followed.map_or(Since::Ever, Since::Change);
        if followed == Some(newest) {
            return Ok(newest);
        }
        let live = sessions::live(&mut reader, which, store.now()).await?;
        let mut queue = self.queue();
        if followed.is_none() {
            queue.clear();
        }
        for session in live {
            let at = due_at(&session.id, session.refreshed_at, self.control.settings());
            queue.expect(session.principal, session.user, at);
        }
        Ok(newest)
    }

    /// Starts a round for each provider that has somebody due, unless its last one is still under way.
    fn start_rounds(self: &Arc<Self>) {
        let now = self.control.store().now();
        let due = self.queue().due(now);
        for instance in due {
            if self.busy().insert(instance.clone()) {
                let this = Arc::clone(self);
                self.control.tasks().spawn(async move {
                    let end = this.control.end().clone();
                    tokio::select! {
                        () = end.cancelled() => {}
                        () = this.round(&instance) => {}
                    }
                    this.busy().remove(&instance);
                    this.returned.notify_one();
                });
            }
        }
    }

    async fn round(&self, instance: &InstanceId) {
        let at_once = self.control.settings().refresh_concurrency.max(1);
        let people = self.queue().take(instance, self.control.store().now(), at_once * AHEAD);
        let people = self.claimed(people).await;
        stream::iter(people)
            .for_each_concurrent(at_once, async |(principal, taken)| {
                let came = self.visit(instance, &principal, &taken).await;
                self.back(principal, taken, came);
            })
            .await;
    }

    fn back(&self, principal: PrincipalId, taken: Taken, came: Came) {
        let longest = self.control.settings().refresh_interval / 3;
        self.queue().back(principal, taken, came, (self.control.store().now(), longest));
    }

    /// Leaves out those whom another process asks about just now.
    async fn claimed(&self, people: People) -> People {
        match self.claim(&people).await {
            Ok(mine) => {
                let (ours, theirs): (Vec<_>, Vec<_>) = people.into_iter().zip(mine).partition(|(_, mine)| *mine);
                for ((principal, taken), _) in theirs {
                    // By then the other has asked, or is gone. Where no session goes on, there is nobody to ask about.
                    let at = self.control.store().now().saturating_add(self.claim_lasts()).unwrap_or(Timestamp::MAX);
                    let came = match self.next(&principal).await {
                        Ok(next) => Came::Next(next.map(|next| next.max(at))),
                        Err(_) => Came::NotAll,
                    };
                    self.back(principal, taken, came);
                }
                ours.into_iter().map(|(one, _)| one).collect()
            }
            // A store that takes nothing keeps nobody from asking: who is gone must not stay in for that.
            Err(fault) => {
                tracing::warn!(why = %auth_core::with_causes(&fault), "who is asked about cannot be noted");
                people
            }
        }
    }

    async fn claim(&self, people: &[(PrincipalId, Taken)]) -> Result<Vec<bool>, StoreFault> {
        let mut write = self.control.store().write().await?;
        let until = write.at().saturating_add(self.claim_lasts()).unwrap_or(Timestamp::MAX);
        let (mut mine, mut noted) = (Vec::with_capacity(people.len()), Vec::new());
        for (principal, _) in people {
            let claimed = sessions::claim(&mut write, principal, (&self.holder, until)).await?;
            mine.push(claimed.is_some());
            noted.extend(claimed.iter().flat_map(Changes::iter).cloned());
        }
        if let Some(changes) = Changes::collect(noted) {
            write.commit(changes).await?;
        }
        Ok(mine)
    }

    /// As long as the last of a round may take.
    fn claim_lasts(&self) -> Duration {
        let ahead = u32::try_from(AHEAD + 1).unwrap_or(u32::MAX);
        self.control.settings().provider_deadline.saturating_mul(ahead).saturating_add(SLACK)
    }

    /// Asks about somebody, if it is still time to.
    async fn visit(&self, instance: &InstanceId, principal: &PrincipalId, taken: &Taken) -> Came {
        let now = self.control.store().now();
        if !self.queue().is_open(instance, now) {
            return Came::Unasked;
        }
        match self.next(principal).await {
            Ok(Some(due)) if due <= now => {}
            Ok(next) => return Came::Next(next),
            Err(_) => return Came::NotAll,
        }
        let registry = self.control.registry();
        let came = match self.control.try_read_anew(&registry, taken.user(), principal).await {
            Ok(Outcome::Unavailable { .. }) => Came::Nothing,
            Ok(Outcome::Incomplete { .. } | Outcome::NotConfigured) | Err(_) => Came::NotAll,
            Ok(_) => Came::Next(None),
        };
        match (came, self.next(principal).await) {
            // Never at once again, whatever the store says.
            (Came::Next(_), Ok(next)) => Came::Next(next.map(|at| at.max(now.saturating_add(SLACK).unwrap_or(at)))),
            (Came::Next(_), Err(_)) => Came::NotAll,
            (came, _) => came,
        }
    }

    /// When somebody is due by what the store says now; `None`: no session of theirs goes on.
    async fn next(&self, principal: &PrincipalId) -> Result<Option<Timestamp>, StoreFault> {
        let store = self.control.store();
        let live = sessions::live(&mut *store.read().await?, Since::Of(principal), store.now()).await?;
        let due = live.iter().map(|session| due_at(&session.id, session.refreshed_at, self.control.settings()));
        Ok(due.min())
    }
}
