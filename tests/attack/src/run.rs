//! Runs cases on the pairs of protocols that they apply to.

use serde_json::Value;

use crate::case::{Case, Expected, Protocol, Seen, Stimulus, Upstream};
use crate::cases;
use crate::client::{self, Answer};
use crate::cluster::{Arrived, Cluster};
use crate::exchange::Exchange;
use crate::exchanged;
use crate::gateway::{self, Gateway, TOKEN};
use crate::stimulus;

/// What came of one case on one pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be.
    Passed,
    /// Not as it must be, and how.
    Failed(String),
    /// It cannot be tried on this pair.
    Skipped(&'static str),
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// The id.
    pub id: &'static str,
    /// What is tried.
    pub what: &'static str,
    /// What came of it, for down and up: 1 and 1, 1 and 2, 2 and 1, 2 and 2.
    pub outcomes: [Outcome; 4],
}

/// The four pairs, in the order of [`Row::outcomes`].
const PAIRS: [(Protocol, Protocol); 4] = [
    (Protocol::H1, Protocol::H1),
    (Protocol::H1, Protocol::H2),
    (Protocol::H2, Protocol::H1),
    (Protocol::H2, Protocol::H2),
];

/// Runs every case and every exchange on every pair.
pub async fn run(cases: &[Case], exchanges: &[Exchange]) -> Vec<Row> {
    let mut columns = Vec::new();
    for up in [Protocol::H1, Protocol::H2] {
        let cluster = Cluster::start(up).await;
        let gateway = Gateway::start(cluster.config()).await;
        for down in [Protocol::H1, Protocol::H2] {
            let mut column = Vec::new();
            for (at, case) in cases.iter().enumerate() {
                column.push(one(case, at, down, &gateway, &cluster).await);
            }
            for exchange in exchanges {
                column.push(match exchange.misfit(down, up) {
                    Some(why) => Outcome::Skipped(why),
                    None => Outcome::of(exchanged::run(exchange, down, &gateway, &cluster).await),
                });
            }
            columns.push(((down, up), column));
        }
        gateway.stop().await;
    }
    let column =
        |pair: (Protocol, Protocol)| &columns.iter().find(|(found, _)| *found == pair).expect("every pair ran").1;
    let names = cases.iter().map(|case| (case.id, case.what)).chain(exchanges.iter().map(|one| (one.id, one.what)));
    let row = |(at, (id, what)): (usize, (&'static str, &'static str))| Row {
        id,
        what,
        outcomes: PAIRS.map(|pair| column(pair)[at].clone()),
    };
    let mut rows: Vec<Row> = names.enumerate().map(row).collect();
    rows.extend(waiting());
    rows.sort_by_key(|row| place(row.id));
    rows
}

/// The place of an id in the table: its letter, and then its number.
fn place(id: &str) -> (&str, u32) {
    let (group, number) = id.split_at(1);
    (group, number.parse().unwrap())
}

fn waiting() -> impl Iterator<Item = Row> {
    let outcomes = |why| [(); 4].map(|()| Outcome::Skipped(why));
    cases::WAITING.iter().map(move |[id, what, why]| Row { id, what, outcomes: outcomes(*why) })
}

impl Outcome {
    fn of(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(why) => Self::Failed(why),
        }
    }
}

async fn one(case: &Case, at: usize, down: Protocol, gateway: &Gateway, cluster: &Cluster) -> Outcome {
    if !case.stimulus.fits(down) {
        return Outcome::Skipped("cannot be written in this protocol");
    }
    cluster.take();
    cluster.asked();
    let io = client::connect(gateway.address, &gateway.ca_pem, down).await;
    let host = gateway.address.to_string();
    let token = match case.stimulus {
        Stimulus::Person(_) => gateway::token(at),
        _ => TOKEN.to_owned(),
    };
    let answer = match down {
        Protocol::H1 => client::http1(io, &stimulus::http1(case.stimulus, &host, &token)).await,
        Protocol::H2 => client::http2(io, &stimulus::http2(case.stimulus, &host, &token)).await,
    };
    let asked = cluster.asked();
    if matches!(case.upstream, Upstream::NotEvenAsked) && asked > 0 {
        return Outcome::Failed(format!("the cluster was asked {asked} times what the caller may do"));
    }
    Outcome::of(judge(case, &answer, &cluster.take()))
}

fn judge(case: &Case, answer: &Answer, arrived: &[Arrived]) -> Result<(), String> {
    let status = answer.status;
    let explained = |status: u16| status < 400 || explains(answer, status);
    let as_expected = match case.expected {
        Expected::Status(expected) => status == Some(expected) && explained(expected),
        Expected::OneOf(expected) => status.is_some_and(|status| expected.contains(&status) && explained(status)),
        Expected::Broken => status.is_none(),
        Expected::RefusedOrBroken => status.is_none_or(|status| (400..600).contains(&status)),
    };
    if !as_expected {
        let body = String::from_utf8_lossy(&answer.body);
        return Err(format!("answered {status:?} {body:?}, expected {:?}", case.expected));
    }
    match (case.upstream, arrived) {
        (Upstream::Nothing | Upstream::NotEvenAsked | Upstream::AtMostAlice, []) => Ok(()),
        (Upstream::Nothing | Upstream::NotEvenAsked, several) => {
            Err(format!("{} requests reached the cluster", several.len()))
        }
        (Upstream::AtMostAlice, [one]) => identity(one, ALICE),
        (Upstream::Alice(seen), [one]) => identity(one, ALICE).and_then(|()| facts(one, seen)),
        (Upstream::As(user, seen), [one]) => identity(one, user).and_then(|()| facts(one, seen)),
        (Upstream::One(seen), [one]) => credential(one).and_then(|()| facts(one, seen)),
        (_, several) => Err(format!("{} requests reached the cluster, expected one", several.len())),
    }
}

/// A refusal says why in the words of its surface: a `Status` for clients of Kubernetes, a problem for those of the
/// gateway's own API.
fn explains(answer: &Answer, status: u16) -> bool {
    // On HTTP/1.1, another answer may follow.
    let first = serde_json::Deserializer::from_slice(&answer.body).into_iter::<Value>().next();
    let Some(Ok(body)) = first else { return false };
    let code = if body["kind"] == "Status" { &body["code"] } else { &body["status"] };
    code.as_u64() == Some(u64::from(status))
}

pub(crate) const ALICE: &str = "corp:alice";

/// What must hold for every request that arrives, whatever the case is about.
pub(crate) fn identity(one: &Arrived, user: &str) -> Result<(), String> {
    exactly(one, "impersonate-user", user.as_bytes())?;
    credential(one)?;
    if user == ALICE {
        exactly(one, "impersonate-uid", b"u-alice")?;
        exactly(one, "impersonate-group", b"corp:dev")?;
        exactly(one, "impersonate-extra-gatewarden%2fprincipal", b"corp_user://alice")?;
    }
    Ok(())
}

/// The cluster is spoken to with the gateway's own credential and no other.
pub(crate) fn credential(one: &Arrived) -> Result<(), String> {
    exactly(one, "authorization", b"Bearer impersonator")
}

fn exactly(one: &Arrived, name: &str, value: &[u8]) -> Result<(), String> {
    match one.all(name).as_slice() {
        [found] if *found == value => Ok(()),
        found => {
            Err(format!("{name} is {:?}", found.iter().map(|value| String::from_utf8_lossy(value)).collect::<Vec<_>>()))
        }
    }
}

fn facts(one: &Arrived, seen: &[Seen]) -> Result<(), String> {
    for fact in seen {
        let holds = match fact {
            Seen::Lacks(name) => one.all(name).is_empty(),
            Seen::Has(name, value) => one.all(name) == [*value],
            Seen::All(name, values) => one.all(name) == *values,
            Seen::Count(name, count) => one.all(name).len() == *count,
            Seen::Target(target) => one.target == *target,
        };
        if !holds {
            return Err(format!("not so at the cluster: {fact:?} (target {})", one.target));
        }
    }
    Ok(())
}
