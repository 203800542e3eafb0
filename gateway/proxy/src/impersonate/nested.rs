//! `kubectl --as`: may the caller act as the one it names? The target cluster decides.
//!
//! Never stripped in silence: a call that was meant to run as somebody weaker must not run as the caller.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use kube_wire::header::nested_target;
use kube_wire::{RequestInfo, UserInfo};
use percent_encoding::percent_decode_str;

use crate::authorize::Authorized;
use crate::boundary::{Cluster, Session, groups_of_service_accounts, service_account};
use crate::cluster;
use crate::gate::Gate;
use crate::impersonate::question::{self, Needed, Permission};
use crate::impersonate::reviews::Question;
use crate::refusal::Refusal;

/// The group that every authenticated user is in. The API server adds it; it is never sent.
pub(super) const AUTHENTICATED: &str = "system:authenticated";

/// Asks the cluster whether the caller may act as the one it named, and gives that one back.
pub(super) async fn run(gate: &Gate, asking: Asking<'_>) -> Result<UserInfo, Refusal> {
    match asking.legacy(gate).await? {
        Verdict::Allowed => {}
        Verdict::Denied(message) if !cluster::is_constrained(gate, asking.cluster) => {
            return Err(Refusal::MayNotActAs(message));
        }
        Verdict::Denied(message) => asking.constrained(gate, message).await?,
    }
    Ok(asking.target)
}

/// Who wants to act as whom, where and for what.
pub(super) struct Asking<'a> {
    cluster: &'a Arc<Cluster>,
    asked: &'a RequestInfo,
    caller: UserInfo,
    target: UserInfo,
}

impl<'a> Asking<'a> {
    /// Reads the client's wish, `None` when it is to be itself; refuses one that is no wish, or that no cluster is asked about.
    pub(super) fn read(authorized: &'a Authorized) -> Result<Option<Self>, Refusal> {
        let (admitted, cluster) = (authorized.admitted(), authorized.cluster());
        let target =
            nested_target(&admitted.head().headers).map_err(|fault| Refusal::bad_request(fault.to_string()))?;
        let Some(target) = target else { return Ok(None) };
        refuse_reserved(&target, cluster)?;
        let caller = as_seen_by(cluster, authorized.caller().session());
        Ok(Some(Self { cluster, asked: admitted.info(), caller, target }))
    }

    /// Whom the caller wants to act as.
    pub(super) fn into_target(self) -> UserInfo {
        self.target
    }
}

/// What the cluster said, for the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Denied(Box<str>),
}

const AT_ONCE: usize = 8;
const MOST_QUESTIONS: usize = 32;
/// From this many groups on, the cluster is first asked for all at once.
const MANY_GROUPS: usize = 4;

/// The groups that the API server adds by itself to whomever it is sent.
pub(crate) fn add_groups_of_the_cluster(user: &mut UserInfo) {
    if let Some((namespace, _)) = service_account(&user.username) {
        user.groups.extend(groups_of_service_accounts(namespace));
    }
    user.groups.push(AUTHENTICATED.to_owned());
}

/// Names that nobody acts as through the gateway, whatever the cluster would say. On 1.36 it would refuse only some.
fn refuse_reserved(target: &UserInfo, cluster: &Cluster) -> Result<(), Refusal> {
    let denied =
        |name: &str| Err(Refusal::MayNotActAs(format!("nobody may act as {name:?} through the gateway").into()));
    if let Some((namespace, _)) = service_account(&target.username) {
        // The groups come with the name, and a cluster may keep a namespace to itself by them.
        let groups = groups_of_service_accounts(namespace);
        if cluster.keeps(&target.username) || groups.iter().any(|group| cluster.keeps(group)) {
            return denied(&target.username);
        }
        if target.groups.is_empty() && target.uid.is_none() && target.extra.is_empty() {
            return Ok(());
        }
        let message = "a service account is acted as by its name alone, without groups, uid or extra";
        return Err(Refusal::MayNotActAs(message.into()));
    }
    // Under our own keys the cluster's log reads what we say of the caller, and nothing else.
    if let Some(key) = target.extra.keys().find(|key| claims(key, &cluster.config().extra_prefix)) {
        return denied(key);
    }
    if cluster.reserves(&target.username) {
        return denied(&target.username);
    }
    match target.groups.iter().find(|group| *group != AUTHENTICATED && cluster.reserves(group)) {
        Some(group) => denied(group),
        None => Ok(()),
    }
}

/// Whether an extra key lies in a domain, for a reader that folds case or takes away one more escape than it should.
fn claims(key: &str, domain: &str) -> bool {
    let mut key = key.to_ascii_lowercase();
    loop {
        if key.split_once('/').is_some_and(|(before, _)| before.eq_ignore_ascii_case(domain)) {
            return true;
        }
        let plain = percent_decode_str(&key).decode_utf8_lossy().to_ascii_lowercase();
        if plain == key {
            return false;
        }
        key = plain;
    }
}

/// The caller as the cluster would know it: with our extra, and with the group that the API server adds.
fn as_seen_by(cluster: &Cluster, session: &Session) -> UserInfo {
    let config = cluster.config();
    let mut user = session.identity().clone();
    user.groups.push(AUTHENTICATED.to_owned());
    let mut add = |key: &str, value: &str| {
        user.extra.insert(format!("{}/{key}", config.extra_prefix), vec![value.to_owned()]);
    };
    add("provider", session.provider());
    add("principal", session.principal());
    if config.send_session_extra {
        add("session-id", session.id());
    }
    user
}

impl Asking<'_> {
    async fn legacy(&self, gate: &Gate) -> Result<Verdict, Refusal> {
        let asked = self.each(gate, question::legacy(&self.target));
        gate.common.reviews.answer(&gate.common, self.question(None), asked).await
    }

    /// The pair of 1.36; `message` is what a client reads who has neither.
    async fn constrained(&self, gate: &Gate, message: Box<str>) -> Result<(), Refusal> {
        let pair = async {
            if !self.ask(gate, question::purpose(&self.caller, &self.target, self.asked)).await? {
                return Ok(Verdict::Denied(message));
            }
            self.all(gate, question::constrained(&self.target)).await
        };
        match gate.common.reviews.answer(&gate.common, self.question(Some(self.asked)), pair).await? {
            Verdict::Allowed => Ok(()),
            Verdict::Denied(message) => Err(Refusal::MayNotActAs(message)),
        }
    }

    /// Asks for every permission of the constrained kind. There the API server itself asks for all groups at once.
    async fn all(&self, gate: &Gate, mut needed: Needed) -> Result<Verdict, Refusal> {
        let any = needed.groups.first().filter(|_| needed.groups.len() >= MANY_GROUPS).map(Permission::for_any_name);
        if let Some(any) = any
            && self.ask(gate, any.review(&self.caller)).await?
        {
            needed.groups.clear();
        }
        self.each(gate, needed).await
    }

    /// Asks for every permission by name, several at once. One refusal is enough; an error is no answer.
    async fn each(&self, gate: &Gate, needed: Needed) -> Result<Verdict, Refusal> {
        let mut open = needed.single;
        open.extend(needed.groups);
        if open.len() > MOST_QUESTIONS {
            let message = format!("acting as this user takes {} permissions, more than {MOST_QUESTIONS}", open.len());
            return Ok(Verdict::Denied(message.into()));
        }
        let answers = stream::iter(open).map(|permission| async move {
            let allowed = self.ask(gate, permission.review(&self.caller)).await?;
            Ok::<_, Refusal>((!allowed).then(|| permission.refusal(&self.caller.username)))
        });
        let mut answers = std::pin::pin!(answers.buffer_unordered(AT_ONCE));
        while let Some(denial) = answers.try_next().await? {
            if let Some(message) = denial {
                return Ok(Verdict::Denied(message.into()));
            }
        }
        Ok(Verdict::Allowed)
    }

    async fn ask(&self, gate: &Gate, review: Bytes) -> Result<bool, Refusal> {
        Ok(cluster::review(gate, self.cluster, review).await?.allowed)
    }

    fn question<'q>(&'q self, asked: Option<&'q RequestInfo>) -> Question<'q> {
        Question { cluster: self.cluster.id(), caller: &self.caller, target: &self.target, asked }
    }
}
