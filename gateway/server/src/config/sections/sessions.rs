//! `sessions`: how long a login lasts, and how often groups are asked for again.

use std::time::Duration;

use crate::config::yaml::Section;

/// How long logins last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// From login to its end, whatever happens.
    pub lifetime: Duration,
    /// Between two questions to the provider about a person's groups.
    pub refresh_interval: Duration,
}

const MINUTE: Duration = Duration::from_mins(1);

pub(in crate::config) fn read(file: &Section<'_>) -> Sessions {
    let section = file.optional("sessions").and_then(|field| field.section(&["lifetime", "refreshInterval"]));
    let span = |key: &str, most: Duration| {
        section.as_ref().and_then(|section| section.optional(key)).and_then(|field| field.duration(MINUTE, most))
    };
    let sessions = Sessions {
        lifetime: span("lifetime", Duration::from_hours(24 * 30)).unwrap_or(Duration::from_hours(12)),
        refresh_interval: span("refreshInterval", Duration::from_hours(24)).unwrap_or(Duration::from_mins(15)),
    };
    if sessions.refresh_interval > sessions.lifetime
        && let Some(section) = &section
    {
        section.fault(
            "refreshInterval is longer than lifetime: groups would never be asked for again",
            "make it shorter, such as `15m`",
        );
    }
    sessions
}
