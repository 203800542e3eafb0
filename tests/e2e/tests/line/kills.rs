//! The gateway is killed, again and again, while people log in and out, and is asked afterwards what it remembers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Case, Protocol};

use crate::bed::Bed;
use crate::gate::{Gate, Plan, Session};

/// Logins, token revocations and changes of people that must have been acknowledged in the end.
const OPERATIONS: usize = 2_000;
/// People who log in at once.
const CLIENTS: usize = 4;
const PASSWORD: &str = "kept in the gateway itself";
const ME: &str = "/api/v1/me";

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![kills_at_any_instant_lose_nothing_acknowledged]
}

pub(crate) fn kills_at_any_instant_lose_nothing_acknowledged(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let people: Vec<String> = (0..CLIENTS).map(|at| format!("client-{at}")).collect();
    for person in people.iter().map(String::as_str).chain(["switched"]) {
        gate.ok_with_input(&["user", "add", person, "--password-stdin"], PASSWORD)?;
    }
    let mut all = Ledger::default();
    let (mut kills, mut random) = (0, Random(0x5eed));
    while all.operations < OPERATIONS * e2e::times()? {
        let pause = Duration::from_millis(200 + random.below(1_500));
        let round = one_round(&gate, &people, pause)?;
        kills += 1;
        gate.start_again()?;
        // What this round was told, at once; what the rounds before were told, in the end once more.
        round.is_kept(&gate).with_context(|| format!("after kill {kills}, {} operations", all.operations))?;
        all.add(round);
    }
    all.is_kept(&gate).context("in the end")?;
    e2e::note(&format!(
        "{} kills during {} acknowledged operations: {} logins live, {} tokens revoked, {} changes of a person",
        kills,
        all.operations,
        all.live.len(),
        all.ended.len(),
        all.switches,
    ));
    Ok(())
}

/// Everybody works until the gateway is killed.
fn one_round(gate: &Gate, people: &[String], pause: Duration) -> Result<Ledger> {
    let begun = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            people.iter().map(|person| scope.spawn(|| logs_in_and_out(gate, person, &begun))).collect();
        let operator = scope.spawn(|| switches(gate));
        // A kill before anybody began would prove nothing.
        e2e::eventually("the first login", || Ok((begun.load(Ordering::Relaxed) > 0).then_some(())))?;
        std::thread::sleep(pause);
        gate.kill()?;
        let mut round = operator.join().map_err(|_panic| anyhow::anyhow!("the operator's thread"))??;
        for client in clients {
            round.add(client.join().map_err(|_panic| anyhow::anyhow!("a client's thread"))??);
        }
        Ok(round)
    })
}

/// Logs in twice and out once, and so on, until nobody answers any more.
fn logs_in_and_out(gate: &Gate, person: &str, begun: &AtomicUsize) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    loop {
        for _ in 0..2 {
            let Ok(answer) = gate.login_at("local", person, PASSWORD) else { return Ok(ledger) };
            ledger.live.push(Session::of(&answer)?);
            ledger.operations += 1;
            begun.fetch_add(1, Ordering::Relaxed);
        }
        // From here on it may be gone, whether or not the answer comes.
        let leaver = ledger.live.swap_remove(ledger.live.len() / 2);
        let request = gate.request("DELETE", "/api/v1/tokens/current", &leaver).body(Bytes::new())?;
        let Ok(answer) = gate.https()?.send(Protocol::Http2, request) else { return Ok(ledger) };
        ensure!(answer.status.is_success(), "{} {}", answer.status, answer.text());
        ledger.ended.push(leaver);
        ledger.operations += 1;
    }
}

/// Keeps one person out and lets them in again, by the command beside the server, until the gateway is gone.
fn switches(gate: &Gate) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    while gate.https()?.send(Protocol::Http1, http::Request::get("/api/v1/health").body(Bytes::new())?).is_ok() {
        let word = if ledger.switches % 2 == 0 { "disable" } else { "enable" };
        gate.ok(&["user", word, "switched"])?;
        ledger.switches += 1;
        ledger.operations += 1;
        ledger.out = Some(word == "disable");
    }
    Ok(ledger)
}

/// What the gateway acknowledged.
#[derive(Debug, Default)]
struct Ledger {
    live: Vec<Session>,
    ended: Vec<Session>,
    /// Whether `switched` is kept out.
    out: Option<bool>,
    switches: usize,
    operations: usize,
}

impl Ledger {
    fn add(&mut self, other: Self) {
        self.live.extend(other.live);
        self.ended.extend(other.ended);
        self.out = other.out.or(self.out);
        self.switches += other.switches;
        self.operations += other.operations;
    }

    fn is_kept(&self, gate: &Gate) -> Result<()> {
        for (sessions, status) in [(&self.live, 200), (&self.ended, 401)] {
            for part in sessions.chunks(200) {
                let requests: Vec<_> = part
                    .iter()
                    .map(|session| Ok(gate.request("GET", ME, session).body(Bytes::new())?))
                    .collect::<Result<_>>()?;
                let answers = gate.https()?.send_all(Protocol::Http2, requests.into_iter())?;
                let mut found = BTreeMap::<u16, usize>::new();
                answers.iter().for_each(|answer| *found.entry(answer.status.as_u16()).or_default() += 1);
                ensure!(found.keys().eq([&status]), "tokens that must answer {status}: {found:?}");
            }
        }
        if let Some(out) = self.out {
            let status = gate.login_at("local", "switched", PASSWORD)?.status;
            ensure!((status != 201) == out, "the person is {}, and the login {status}", if out { "out" } else { "in" });
        }
        Ok(())
    }
}

/// A sequence that is the same in each run: xorshift (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
