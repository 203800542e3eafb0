//! Steps as people and programs read them.

use std::fmt::Write;
use std::time::Duration;

use auth_core::Step;
use serde_json::{Value, json};

/// One line for each step, what it asked and found below it.
pub(in crate::cli) fn text(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{:<7} {}: {}{}", step.finding.to_string(), step.name, step.summary, took(step.took));
        for (name, value) in &step.facts {
            let _ = writeln!(text, "        {name:<12} {value}");
        }
        if let Some(hint) = step.hint.as_ref().filter(|hint| !hint.is_empty()) {
            let _ = writeln!(text, "        look here:   {hint}");
        }
    }
    text
}

/// The same for programs.
pub(in crate::cli) fn json(steps: &[Step]) -> Vec<Value> {
    let one = |step: &Step| {
        let facts: Vec<Value> =
            step.facts.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        json!({
            "name": step.name,
            "finding": word(step),
            "summary": step.summary,
            "milliseconds": step.took.map(milliseconds),
            "facts": facts,
            "hint": step.hint,
        })
    };
    steps.iter().map(one).collect()
}

fn word(step: &Step) -> String {
    step.finding.to_string().to_lowercase()
}

fn took(took: Option<Duration>) -> String {
    took.map(|took| format!(" ({} ms)", milliseconds(took))).unwrap_or_default()
}

/// To a tenth: a good directory answers within one.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}
