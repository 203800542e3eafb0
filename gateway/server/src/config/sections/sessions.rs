//! `sessions`: how long a login lasts, and how often groups are asked for again.

use std::time::Duration;

use gatewarden_control::Settings;

use crate::config::yaml::Section;

/// How long logins last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// From login to its end, whatever happens.
    pub lifetime: Duration,
    /// Between two questions to the provider about a person's groups.
    pub refresh_interval: Duration,
    /// How old an answer to them may be while the provider does not answer.
    pub max_staleness: Duration,
    /// Logins of one person at once; one more ends the oldest.
    pub per_user: u32,
    /// Questions about groups that one provider gets at once.
    pub refresh_concurrency: usize,
}

const KEYS: &[&str] = &["lifetime", "refreshInterval", "maxStaleness", "perUser", "refreshConcurrency"];

const MINUTE: Duration = Duration::from_mins(1);

pub(in crate::config) fn read(file: &Section<'_>) -> Sessions {
    let section = file.optional("sessions").and_then(|field| field.section(KEYS));
    let count = |key: &str, most: u64| {
        section.as_ref().and_then(|section| section.optional(key)).and_then(|field| field.count(1, most))
    };
    let span = |key: &str, most: Duration| {
        section.as_ref().and_then(|section| section.optional(key)).and_then(|field| field.duration(MINUTE, most))
    };
    let refresh_interval = span("refreshInterval", Duration::from_hours(24)).unwrap_or(Duration::from_mins(15));
    // Without a word on it, a provider may miss a few questions in a row.
    let staleness = Duration::from_hours(24).max(refresh_interval.saturating_mul(4));
    let usual = Settings::default();
    let sessions = Sessions {
        lifetime: span("lifetime", Duration::from_hours(24 * 30)).unwrap_or(Duration::from_hours(12)),
        refresh_interval,
        max_staleness: span("maxStaleness", Duration::from_hours(24 * 30)).unwrap_or(staleness),
        per_user: count("perUser", 100_000)
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(usual.sessions_per_user),
        refresh_concurrency: count("refreshConcurrency", 64)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(usual.refresh_concurrency),
    };
    if sessions.max_staleness <= sessions.refresh_interval
        && let Some(section) = &section
    {
        section.fault(
            "maxStaleness is not longer than refreshInterval: everybody would be refused between two questions",
            "make it several times as long, such as `24h`",
        );
    }
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
