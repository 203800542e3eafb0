//! Proves facts one after the other, under a deadline and with a net under panics.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use auth_core::{BoxFuture, LoginForm};
use futures_util::FutureExt as _;

use crate::report::{Entry, Outcome};
use crate::{Bench, Fixture, Report};

/// Longer than any fact takes: a provider that waits for ever is found out by it.
const PATIENCE: Duration = Duration::from_secs(180);

/// Why a suite does not apply to a provider.
type Inapplicable = fn(&Bench<'_>) -> Option<&'static str>;

/// Finds out whether a fact is so.
pub type Proof = for<'a> fn(&'a Bench<'a>) -> Proving<'a>;

type Proving<'a> = BoxFuture<'a, Result<(), Verdict>>;

/// Facts of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// `identity`.
    pub name: &'static str,
    /// Why it does not apply to a provider; none where it does.
    pub(crate) inapplicable: Inapplicable,
    /// What is proven.
    pub facts: &'static [Fact],
}

/// One thing that must be so.
#[derive(Clone, Copy)]
pub struct Fact {
    /// The fact, as a sentence with underscores.
    pub name: &'static str,
    /// Finds out whether it is so.
    pub prove: Proof,
}

impl std::fmt::Debug for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Why a fact was not proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is not so; this was found instead.
    Broken(String),
    /// It could not be tried, for this reason.
    Skipped(String),
}

pub(crate) fn broken(what: impl Into<String>) -> Verdict {
    Verdict::Broken(what.into())
}

/// Fails a fact with what was found, unless something is so.
macro_rules! ensure {
    ($is_so:expr, $($words:tt)+) => {
        if !$is_so {
            return Err($crate::run::broken(format!($($words)+)));
        }
    };
}
pub(crate) use ensure;

/// Proves every fact of every suite against a fixture.
pub async fn run(fixture: &dyn Fixture) -> Report {
    let bench = Bench::new(fixture);
    let mut entries = Vec::new();
    for suite in crate::all() {
        let inapplicable = (suite.inapplicable)(&bench);
        for fact in suite.facts {
            let outcome = match inapplicable {
                Some(why) => Outcome::Skipped(why.to_owned()),
                None => prove(fact, &bench).await,
            };
            entries.push(Entry { suite: suite.name, fact: fact.name, outcome });
        }
    }
    Report { name: fixture.name(), entries }
}

async fn prove(fact: &Fact, bench: &Bench<'_>) -> Outcome {
    let proof = AssertUnwindSafe((fact.prove)(bench)).catch_unwind();
    let proven = tokio::time::timeout(PATIENCE, proof).await;
    bench.tidy_up();
    match proven {
        Err(_late) => Outcome::Failed(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Err(panic)) => Outcome::Failed(format!("panicked: {}", words(panic.as_ref()))),
        Ok(Ok(Err(Verdict::Broken(what)))) => Outcome::Failed(what),
        Ok(Ok(Err(Verdict::Skipped(why)))) => Outcome::Skipped(why),
        Ok(Ok(Ok(()))) => Outcome::Passed,
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("")
}

/// Suites about passwords are for providers that take them.
pub(crate) fn takes_no_password(bench: &Bench<'_>) -> Option<&'static str> {
    (!bench.takes_passwords()).then_some("it takes no passwords")
}

/// Suites about trips are for providers whose people log in at a page of the identity system.
pub(crate) fn sends_nobody(bench: &Bench<'_>) -> Option<&'static str> {
    let offers = bench.provider().transform_to_auth_provider().login.contains(&LoginForm::Redirect);
    match bench.trips() {
        _ if !offers && bench.provider().redirect().is_none() => Some("it sends nobody to a page"),
        None => Some("the fixture sends no browser"),
        Some(_) => None,
    }
}

/// Where nobody can log in, nothing can be said of people.
pub(crate) fn lets_nobody_in(bench: &Bench<'_>) -> Option<&'static str> {
    if bench.takes_passwords() { None } else { sends_nobody(bench) }
}

/// What an issuer may say is a question to those who ask one that lies.
pub(crate) fn hears_no_lies(bench: &Bench<'_>) -> Option<&'static str> {
    sends_nobody(bench).or_else(|| bench.liar().is_err().then_some("the issuer does not lie on request"))
}
