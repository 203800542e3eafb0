//! Runs a table of cases over one bed, and says of each how it went.
//!
//! The standard harness has no place for taking a bed down after the last test: statics are never dropped, and the
//! servers of a bed would outlive the run.

use std::any::Any;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// Cases that run at once. They mostly wait for servers.
const HANDS: usize = 4;

/// Proves a fact over a bed, or says what was found instead.
pub type Proof<B> = fn(&B) -> Result<()>;

/// What a case fails with when this machine cannot try it; it is reported, and counts as ignored.
#[derive(Debug)]
pub struct Skipped(pub String);

/// One fact and the function that proves it.
#[derive(Debug)]
pub struct Case<B: 'static> {
    /// `module::the_fact`.
    pub name: String,
    /// What proves it.
    pub prove: Proof<B>,
    /// Where it is proven, when that is not the bed itself.
    pub side: Option<Side<B>>,
}

/// Finds another side of a bed: the same servers, seen in another way.
pub type Side<B> = fn(&B) -> Result<&B>;

impl<B: 'static> Case<B> {
    /// A fact about the bed.
    pub fn new(name: &str, prove: Proof<B>) -> Self {
        Self { name: name.to_owned(), prove, side: None }
    }

    /// The same fact on another side of the bed, under a name that says so.
    #[must_use]
    pub fn on(self, word: &str, side: Side<B>) -> Self {
        Self { name: format!("{word}::{}", self.name), side: Some(side), ..self }
    }
}

/// What became of all cases.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    ignored: usize,
}

/// Tells what a case found out, in the report of the run.
#[expect(clippy::print_stdout, reason = "the report of a test run")]
pub fn note(line: &str) {
    println!("  {line}");
}

/// Runs the cases whose name holds one of `filters` (all, without any) over the bed that `make` makes.
///
/// Prints one line for each case, and a sum in the words of the standard harness. The bed is made once and dropped
/// before this returns.
#[expect(clippy::print_stdout, reason = "the report of a test run")]
pub fn run<B: Sync>(cases: Vec<Case<B>>, filters: &[String], make: impl FnOnce() -> Result<B>) -> ExitCode {
    let all = cases.len();
    let chosen: VecDeque<Case<B>> = cases
        .into_iter()
        .filter(|case| filters.is_empty() || filters.iter().any(|filter| case.name.contains(filter.as_str())))
        .collect();
    let filtered = all - chosen.len();
    println!("\nrunning {} tests", chosen.len());
    let tally = if chosen.is_empty() {
        Tally::default()
    } else {
        match make() {
            Ok(bed) => prove_all(chosen, &bed),
            Err(fault) => {
                println!("the bed could not be made: {}", indented(&fault));
                Tally { failed: chosen.iter().map(|case| case.name.clone()).collect(), ..Tally::default() }
            }
        }
    };
    for name in &tally.failed {
        println!("failed: {name}");
    }
    let word = if tally.failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {} passed; {} failed; {} ignored; 0 measured; {filtered} filtered out\n",
        tally.passed,
        tally.failed.len(),
        tally.ignored
    );
    if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn prove_all<B: Sync>(chosen: VecDeque<Case<B>>, bed: &B) -> Tally {
    let waiting = Mutex::new(chosen);
    let tally = Mutex::new(Tally::default());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let start = Instant::now();
                    let outcome = prove(&case, bed);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.count(&case.name, start.elapsed(), outcome);
                }
            });
        }
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Tally {
    #[expect(clippy::print_stdout, reason = "the report of a test run")]
    fn count(&mut self, name: &str, took: Duration, outcome: Result<()>) {
        let seconds = took.as_secs_f32();
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("test {name} ... ok ({seconds:.1} s)");
            }
            Err(fault) if fault.is::<Skipped>() => {
                self.ignored += 1;
                println!("test {name} ... SKIPPED: {fault}");
            }
            Err(fault) => {
                self.failed.push(name.to_owned());
                println!("test {name} ... FAILED ({seconds:.1} s)\n    {}", indented(&fault));
            }
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Skipped {}

fn prove<B>(case: &Case<B>, bed: &B) -> Result<()> {
    let prove = || (case.prove)(case.side.map_or(Ok(bed), |side| side(bed))?);
    catch_unwind(AssertUnwindSafe(prove)).unwrap_or_else(|panic| Err(told(panic.as_ref())))
}

fn told(panic: &(dyn Any + Send)) -> anyhow::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    anyhow!("panicked: {}", text.unwrap_or("without words"))
}

fn indented(fault: &anyhow::Error) -> String {
    let causes: Vec<String> = fault.chain().map(|cause| cause.to_string().replace('\n', "\n    ")).collect();
    causes.join("\n    because: ")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, bail};

    use super::*;

    fn tally(prove: Proof<()>) -> Tally {
        prove_all(VecDeque::from([Case::new("the fact", prove)]), &())
    }

    #[test]
    fn a_case_that_fails_or_panics_is_failed() {
        assert_eq!(tally(|()| bail!("no")).failed, ["the fact"]);
        assert_eq!(tally(|()| panic!("no")).failed, ["the fact"]);
        assert_eq!(tally(|()| Ok(())).passed, 1);
    }

    #[test]
    fn a_case_is_proven_on_its_side_of_the_bed() {
        let even: Side<u8> = |bed| if bed % 2 == 0 { Ok(bed) } else { bail!("odd") };
        let tally = |bed| prove_all(VecDeque::from([Case::new("the fact", |_: &u8| Ok(())).on("even", even)]), &bed);
        assert_eq!(tally(2).passed, 1);
        assert_eq!(tally(3).failed, ["even::the fact"]);
    }

    #[test]
    fn a_case_that_cannot_be_tried_is_not_passed() {
        let tally = tally(|()| Err(Skipped("no root".to_owned()).into()));
        assert_eq!((tally.passed, tally.failed.len(), tally.ignored), (0, 0, 1));
    }

    #[test]
    fn a_fault_is_told_with_its_causes() {
        let fault = Err::<(), _>(anyhow!("below")).context("above").unwrap_err();
        assert_eq!(indented(&fault), "above\n    because: below");
    }

    #[test]
    fn a_bed_that_cannot_be_made_fails_the_run() {
        let cases = vec![Case::new("the fact", |(): &()| Ok(()))];
        assert_eq!(run(cases, &[], || bail!("no bed")), ExitCode::FAILURE);
    }
}
