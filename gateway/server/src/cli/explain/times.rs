//! How long a login of somebody lasts, and by which rule.

use std::time::Duration;

use gatewarden_control::{Limit, SessionTimes, session_times};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::person::{Carried, Story};
use super::sections::Section;

/// Told of the session that lives, or of the next one.
pub(super) fn section(story: &Story, carried: &Carried) -> Section {
    let config = &story.loaded.config;
    let issuer = config.issuer.as_ref();
    let rules = issuer.map(|issuer| issuer.sessions.as_slice()).unwrap_or_default();
    let times = session_times(rules, &carried.identity, config.sessions.lifetime);
    let usual = |key: &str| format!("by {key}, as for everybody");
    let mut lines = vec![format!(
        "a login ends after {} {}",
        span(times.max_age.span),
        by(&times.max_age).unwrap_or_else(|| usual("sessions.lifetime"))
    )];
    if issuer.is_some() {
        lines.push(format!(
            "one at the issuer ends after {} unused, {}",
            span(times.max_idle.span),
            by(&times.max_idle).unwrap_or_else(|| "as for everybody".to_owned())
        ));
    }
    lines.push(format!(
        "groups are read anew every {}, {}",
        span(config.sessions.refresh_interval),
        usual("sessions.refreshInterval")
    ));
    let data = data(story, &times, &mut lines);
    Section::new("session", lines, data)
}

/// What is known of the session that lives.
fn data(story: &Story, times: &SessionTimes, lines: &mut Vec<String>) -> Value {
    let limit = |limit: &Limit| {
        let (rule, group) = limit.by.clone().unzip();
        json!({ "seconds": limit.span.as_secs(), "rule": rule, "group": group })
    };
    let config = &story.loaded.config;
    let live = story.explained.sessions.first().map(|session| {
        // A group that came after the login shortens it, too, from the next refresh on.
        let oldest = session.created_at.saturating_add(times.max_age.span).unwrap_or(session.expires_at);
        let (ends, next) = (session.expires_at.min(oldest), session.next_refresh(&config.control_settings()));
        let idle = session.idle_at.map_or(String::new(), |at| format!(", or unused at {at}"));
        let anew = match next {
            Some(at) => format!("its groups are read anew at {at}"),
            None => "its token says its groups until then".to_owned(),
        };
        lines.push(format!("session {} ends at {ends}{idle}; {anew}", session.id));
        json!({
            "id": session.id.as_str(),
            "createdAt": session.created_at,
            "lastUsedAt": session.used_at,
            "expiresAt": ends,
            "idleExpiresAt": session.idle_at,
            "nextRefreshAt": next,
        })
    });
    json!({
        "maxAge": limit(&times.max_age),
        "maxIdle": config.issuer.as_ref().map(|_| limit(&times.max_idle)),
        "refreshIntervalSeconds": config.sessions.refresh_interval.as_secs(),
        "live": live,
    })
}

fn by(limit: &Limit) -> Option<String> {
    let (place, group) = limit.by.as_ref()?;
    Some(format!("by issuer.sessions[{place}], for {group}"))
}

fn span(span: Duration) -> String {
    SignedDuration::try_from(span).map_or_else(|_| format!("{}s", span.as_secs()), |span| format!("{span:#}"))
}
