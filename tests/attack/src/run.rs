//! Runs cases on the pairs of protocols that they apply to.

use http::StatusCode;

use crate::case::{Case, Expected, Field, Line, Protocol, Seen, Stimulus, Upstream};
use crate::cases;
use crate::client::{self, Answer};
use crate::cluster::{Arrived, Cluster};
use crate::exchange::Exchange;
use crate::exchanged;
use crate::gateway::{self, Gateway, TOKEN};

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
    /// The id in the checklist.
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
    rows
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
    let io = client::connect(gateway.address, &gateway.ca_pem, down).await;
    let host = gateway.address.to_string();
    let token = match case.stimulus {
        Stimulus::Person(_) => gateway::token(at),
        _ => TOKEN.to_owned(),
    };
    let answer = match down {
        Protocol::H1 => client::http1(io, &http1_bytes(case.stimulus, &host, &token)).await,
        Protocol::H2 => client::http2(io, &http2_fields(case.stimulus, &host, &token)).await,
    };
    Outcome::of(judge(case, answer, &cluster.take()))
}

pub(crate) const PODS: &str = "/k8s/clusters/one/api/v1/namespaces/dev/pods";

fn http1_bytes(stimulus: Stimulus, host: &str, token: &str) -> Vec<u8> {
    let get = |target: &str, lines: &[u8]| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n");
        [head.as_bytes(), lines, b"\r\n"].concat()
    };
    match stimulus {
        Stimulus::Lines(lines) => {
            let line = |(name, value): &Line| [name.as_bytes(), b": ", value, b"\r\n"].concat();
            get(PODS, &lines.iter().flat_map(line).collect::<Vec<u8>>())
        }
        Stimulus::Target(target) => get(target, b""),
        Stimulus::Person(_) => get(PODS, b""),
        Stimulus::Bulk(count, size) => {
            let line = |at| format!("x-bulk-{at}: {}\r\n", "a".repeat(size));
            get(PODS, (0..count).map(line).collect::<String>().as_bytes())
        }
        Stimulus::Connection(lines) => {
            let latin1: Vec<u8> = lines.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
            get(PODS, &[latin1.as_slice(), b"\r\n"].concat())
        }
        Stimulus::Raw(text) => text.replace("{T}", token).replace("{H}", host).into_bytes(),
        Stimulus::Fields(_) | Stimulus::OneField(..) => Vec::new(),
    }
}

fn http2_fields(stimulus: Stimulus, host: &str, token: &str) -> Vec<Field> {
    let field =
        |name: &str, value: &str| (name.to_owned(), value.replace("{T}", token).replace("{H}", host).into_bytes());
    let get = |target: &str| {
        let pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", "{H}"), (":path", target)];
        let mut fields: Vec<_> = pseudo.iter().map(|(name, value)| field(name, value)).collect();
        fields.push(field("authorization", "Bearer {T}"));
        fields
    };
    match stimulus {
        Stimulus::Lines(lines) => {
            let mut fields = get(PODS);
            fields.extend(lines.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())));
            fields
        }
        Stimulus::Target(target) => get(target),
        Stimulus::Person(_) => get(PODS),
        Stimulus::Bulk(count, size) => {
            let mut fields = get(PODS);
            fields.extend((0..count).map(|at| field(&format!("x-bulk-{at}"), &"a".repeat(size))));
            fields
        }
        Stimulus::Fields(fields) => fields.iter().map(|(name, value)| field(name, value)).collect(),
        Stimulus::OneField(name, value) => {
            let mut fields = get(PODS);
            match fields.iter_mut().find(|(found, _)| found == name) {
                Some(found) => found.1 = value.as_bytes().to_vec(),
                None => fields.push(field(name, value)),
            }
            fields
        }
        Stimulus::Raw(_) | Stimulus::Connection(_) => Vec::new(),
    }
}

fn judge(case: &Case, answer: Answer, arrived: &[Arrived]) -> Result<(), String> {
    let refused = |status: u16| {
        StatusCode::from_u16(status).is_ok_and(|status| status.is_client_error() || status.is_server_error())
    };
    let as_expected = match case.expected {
        Expected::Status(status) => answer == Some(status),
        Expected::OneOf(statuses) => answer.is_some_and(|status| statuses.contains(&status)),
        Expected::Broken => answer.is_none(),
        Expected::RefusedOrBroken => answer.is_none_or(refused),
    };
    if !as_expected {
        return Err(format!("answered {answer:?}, expected {:?}", case.expected));
    }
    match (case.upstream, arrived) {
        (Upstream::Nothing | Upstream::AtMostAlice, []) => Ok(()),
        (Upstream::Nothing, several) => Err(format!("{} requests reached the cluster", several.len())),
        (Upstream::AtMostAlice, [one]) => identity(one, ALICE),
        (Upstream::Alice(seen), [one]) => identity(one, ALICE).and_then(|()| facts(one, seen)),
        (Upstream::As(user, seen), [one]) => identity(one, user).and_then(|()| facts(one, seen)),
        (Upstream::One(seen), [one]) => credential(one).and_then(|()| facts(one, seen)),
        (_, several) => Err(format!("{} requests reached the cluster, expected one", several.len())),
    }
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
