//! What was found, fact by fact, and several providers side by side.

use std::fmt;
use std::fmt::Write as _;

/// How one fact came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Passed,
    /// It is not so; this was found.
    Failed(String),
    /// It could not be tried, for this reason.
    Skipped(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) suite: &'static str,
    pub(crate) fact: &'static str,
    pub(crate) outcome: Outcome,
}

/// What was found of one provider.
#[derive(Debug, Clone)]
pub struct Report {
    pub(crate) name: String,
    pub(crate) entries: Vec<Entry>,
}

impl Report {
    /// The facts that are not so: `suite::fact`.
    #[must_use]
    pub fn failed(&self) -> Vec<String> {
        let failed = self.entries.iter().filter(|entry| matches!(entry.outcome, Outcome::Failed(_)));
        failed.map(|entry| format!("{}::{}", entry.suite, entry.fact)).collect()
    }

    /// The facts that could not be tried: their suite, their name, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.outcome {
            Outcome::Skipped(why) => Some((entry.suite, entry.fact, why.as_str())),
            _ => None,
        })
    }

    /// How many facts passed, failed and were skipped.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        count(self.entries.iter())
    }

    /// Why a suite as a whole does not apply: every fact of it was skipped, and for one reason.
    fn inapplicable(&self, suite: &str) -> Option<&str> {
        let mut reasons = self.entries.iter().filter(|entry| entry.suite == suite).map(|entry| match &entry.outcome {
            Outcome::Skipped(why) => Some(why.as_str()),
            _ => None,
        });
        let first = reasons.next().flatten()?;
        reasons.all(|why| why == Some(first)).then_some(first)
    }

    fn suite(&self, name: &str) -> String {
        if self.inapplicable(name).is_some() {
            return "–".to_owned();
        }
        let (passed, failed, skipped) = count(self.entries.iter().filter(|entry| entry.suite == name));
        let part = |count: usize, word: &str| (count > 0).then(|| format!("{count} {word}"));
        let parts = [part(passed, "passed"), part(failed, "FAILED"), part(skipped, "skipped")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry { suite, fact, outcome } in &self.entries {
            let fact = fact.replace('_', " ");
            match outcome {
                Outcome::Passed => writeln!(f, "test {}: {suite}: {fact} ... ok", self.name)?,
                Outcome::Failed(what) => writeln!(f, "test {}: {suite}: {fact} ... FAILED\n    {what}", self.name)?,
                Outcome::Skipped(why) => writeln!(f, "test {}: {suite}: {fact} ... skipped: {why}", self.name)?,
            }
        }
        Ok(())
    }
}

/// Providers side by side, suite by suite, as a Markdown table; below it, what was skipped and why.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut text = String::from("| suite |");
    // Writing to a String cannot fail.
    for report in reports {
        let _ = write!(text, " {} |", report.name);
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(reports.len()));
    for suite in crate::all() {
        let _ = write!(text, "| {} |", suite.name);
        for report in reports {
            let _ = write!(text, " {} |", report.suite(suite.name));
        }
        text.push('\n');
    }
    for report in reports {
        text.push_str(&inapplicable(report));
        for suite in crate::all() {
            text.push_str(&skipped(report, suite.name));
        }
    }
    text.push('\n');
    text
}

/// A reason, and what it is the reason of.
type Reason<'a> = (&'a str, Vec<String>);

/// The suites that do not apply, one line for each reason.
fn inapplicable(report: &Report) -> String {
    let suites = crate::all().map(|suite| suite.name);
    let pairs = suites.into_iter().filter_map(|suite| Some((report.inapplicable(suite)?, suite.to_owned())));
    let line = |(why, suites): Reason<'_>| format!("\n- {}: no {}, {why}", report.name, suites.join(", "));
    by_reason(pairs).into_iter().map(line).collect()
}

/// What of a suite was skipped, one line for each reason.
fn skipped(report: &Report, suite: &str) -> String {
    if report.inapplicable(suite).is_some() {
        return String::new();
    }
    let of_it = report.skipped().filter(|(of, ..)| *of == suite);
    let pairs = of_it.map(|(_, fact, why)| (why, format!("*{}*", fact.replace('_', " "))));
    let line = |(why, facts): Reason<'_>| format!("\n- {}, {suite}, {}: skipped, {why}", report.name, facts.join(", "));
    by_reason(pairs).into_iter().map(line).collect()
}

/// What has one reason, in the order in which reasons come.
fn by_reason<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Vec<Reason<'a>> {
    let mut reasons: Vec<Reason<'a>> = Vec::new();
    for (why, what) in pairs {
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, all)) => all.push(what),
            None => reasons.push((why, vec![what])),
        }
    }
    reasons
}

fn count<'a>(entries: impl Iterator<Item = &'a Entry>) -> (usize, usize, usize) {
    entries.fold((0, 0, 0), |(passed, failed, skipped), entry| match entry.outcome {
        Outcome::Passed => (passed + 1, failed, skipped),
        Outcome::Failed(_) => (passed, failed + 1, skipped),
        Outcome::Skipped(_) => (passed, failed, skipped + 1),
    })
}
