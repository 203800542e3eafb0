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

    /// How many facts passed, failed and were skipped.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        count(self.entries.iter())
    }

    fn suite(&self, name: &str) -> String {
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
        for Entry { suite, fact, outcome } in &report.entries {
            if let Outcome::Skipped(why) = outcome {
                let _ = write!(text, "\n- {}, {suite}, *{}*: skipped, {why}", report.name, fact.replace('_', " "));
            }
        }
    }
    text.push('\n');
    text
}

fn count<'a>(entries: impl Iterator<Item = &'a Entry>) -> (usize, usize, usize) {
    entries.fold((0, 0, 0), |(passed, failed, skipped), entry| match entry.outcome {
        Outcome::Passed => (passed + 1, failed, skipped),
        Outcome::Failed(_) => (passed, failed + 1, skipped),
        Outcome::Skipped(_) => (passed, failed, skipped + 1),
    })
}
