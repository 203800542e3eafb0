//! Trying an identity system out step by step, for whoever sets it up or asks why somebody has no access.
//!
//! A login that fails says little, and must: whoever tries it may be anybody. The operator on the host is not anybody,
//! and wants to see which step failed and what was asked. So this is a trait of its own, which a provider need not have.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::error::one_line;
use crate::{Context, Password, PrincipalId};

/// A provider that can show how it gets to its answers. [`AuthProvider::diagnose`](crate::AuthProvider::diagnose)
/// hands it out.
#[async_trait]
pub trait Diagnose: Send + Sync {
    /// Tries every step by itself and notes each in `report` when it has been taken, so that those before one that hangs
    /// are told too. A step that fails is noted, not returned; steps that need it are noted as skipped.
    ///
    /// It takes the steps of a login by the same code, and changes nothing. Nothing in the report is secret.
    async fn run(&self, ctx: &Context, trial: &Trial, report: &Report);
}

/// What is tried.
#[non_exhaustive]
#[derive(Debug, Default)]
pub struct Trial {
    /// Whom to look for; only the way to the system is tried without.
    pub who: Option<Tried>,
    /// Whether it is theirs is tried, too.
    pub password: Option<Password>,
}

impl Trial {
    /// Looks for this person.
    #[must_use]
    pub const fn of(who: Option<Tried>, password: Option<Password>) -> Self {
        Self { who, password }
    }
}

/// A person, by what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// What they type to log in.
    Login(String),
    /// Whom a login found.
    Principal(PrincipalId),
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// As it must be.
    Good,
    /// Works, and may not be what was meant.
    Odd,
    /// Does not work: logins fail here.
    Bad,
    /// Not tried, because something before it failed.
    Skipped,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "ok",
            Self::Odd => "note",
            Self::Bad => "FAILED",
            Self::Skipped => "skipped",
        })
    }
}

/// One step and what it came to.
///
/// ```
/// use std::time::Duration;
/// use auth_core::{Report, Step};
///
/// let report = Report::default();
/// report.add(Step::good("search", "1 entry").took(Duration::from_millis(2)).fact("filter", "(uid=alice)"));
/// report.add(Step::bad("groups", "0 entries").hint("groups.base names another branch"));
/// assert!(!report.is_good());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was tried.
    pub name: String,
    /// What it came to.
    pub finding: Finding,
    /// The same in words.
    pub summary: String,
    /// How long it took.
    pub took: Option<Duration>,
    /// What was asked and what came back, in order.
    pub facts: Vec<(&'static str, String)>,
    /// What to look at when it is not as it must be.
    pub hint: Option<String>,
}

impl Step {
    /// A step that went well.
    pub fn good(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(name, Finding::Good, summary)
    }

    /// A step that may not be what was meant.
    pub fn odd(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(name, Finding::Odd, summary)
    }

    /// A step that failed.
    pub fn bad(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(name, Finding::Bad, summary)
    }

    /// A step that was not tried.
    pub fn skipped(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new(name, Finding::Skipped, summary)
    }

    fn new(name: impl Into<String>, finding: Finding, summary: impl Into<String>) -> Self {
        Self { name: name.into(), finding, summary: summary.into(), took: None, facts: Vec::new(), hint: None }
    }

    /// Says how long it took.
    #[must_use]
    pub const fn took(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    /// Adds something that was asked or came back.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    /// Says what to look at.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Bounded, and each text on one line: a directory's words must not draw on the operator's terminal.
    fn tame(mut self) -> Self {
        let tame = |text: &mut String| *text = one_line(text, TEXT_MAX);
        tame(&mut self.name);
        tame(&mut self.summary);
        self.facts.truncate(FACTS_MAX);
        self.facts.iter_mut().for_each(|(_, value)| tame(value));
        self.hint.iter_mut().for_each(tame);
        self
    }
}

const TEXT_MAX: usize = 1_024;
const FACTS_MAX: usize = 64;
const STEPS_MAX: usize = 1_000;
const ORIGINS_MAX: usize = 20_000;

/// Where steps are noted. Clones are the same report; it holds a bounded number of bounded texts, whatever is put in.
#[derive(Debug, Clone, Default)]
pub struct Report(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    steps: Vec<Step>,
    origins: BTreeMap<PrincipalId, String>,
}

impl Report {
    /// Notes a step.
    pub fn add(&self, step: Step) {
        let mut noted = self.noted();
        if noted.steps.len() < STEPS_MAX {
            noted.steps.push(step.tame());
        }
    }

    /// Notes why the person is in a group. The first reason stays.
    pub fn origin(&self, group: &PrincipalId, why: &str) {
        let mut noted = self.noted();
        if noted.origins.len() < ORIGINS_MAX {
            noted.origins.entry(group.clone()).or_insert_with(|| one_line(why, TEXT_MAX));
        }
    }

    /// The steps so far.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.noted().steps.clone()
    }

    /// Why the person is in each group, as far as it is known.
    #[must_use]
    pub fn origins(&self) -> BTreeMap<PrincipalId, String> {
        self.noted().origins.clone()
    }

    /// Whether no step failed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.noted().steps.iter().all(|step| matches!(step.finding, Finding::Good | Finding::Odd))
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_directory_says_stays_one_bounded_line_and_a_report_does_not_grow_without_end() {
        let report = Report::default();
        for _ in 0..=STEPS_MAX {
            let step = Step::bad("bind\u{1b}[2J", "no\nway").fact("text", "x".repeat(9_000)).hint("a\rb");
            report.add((0..FACTS_MAX).fold(step, |step, _| step.fact("more", "y")));
        }
        let steps = report.steps();
        assert_eq!((steps.len(), steps[0].facts.len()), (STEPS_MAX, FACTS_MAX));
        let told = [&steps[0].name, &steps[0].summary, &steps[0].facts[0].1, steps[0].hint.as_ref().unwrap()];
        assert!(told.iter().all(|text| !text.contains(char::is_control) && text.len() <= TEXT_MAX + 3), "{told:?}");
    }

    #[test]
    fn a_step_that_was_skipped_is_not_good() {
        let report = Report::default();
        report.add(Step::odd("a", ""));
        assert!(report.is_good());
        report.add(Step::skipped("b", ""));
        assert!(!report.is_good());
    }
}
