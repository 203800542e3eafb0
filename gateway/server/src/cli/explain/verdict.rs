//! The last line: whether it is allowed, and if not, who says no and what to do.

use std::process::ExitCode;

use auth_core::Clock;
use gatewarden_control::{Explained, Now, Settings};
use gatewarden_proxy::State;
use http::StatusCode;
use jiff::Timestamp;
use kube_wire::UserInfo;
use kube_wire::audit::{Event, Stage};

use super::person::{Carried, Request, Story};
use super::remedy;
use crate::wiring::SystemClock;

/// What it all comes to.
pub(super) enum Verdict {
    Allowed(String),
    Refused(String),
    /// Somebody who must be asked did not answer.
    Unknown(String),
}

const REFUSED: u8 = 3;
const UNKNOWN: u8 = 4;

impl Verdict {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "allowed",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
        }
    }

    pub(super) fn text(&self) -> &str {
        let (Self::Allowed(text) | Self::Refused(text) | Self::Unknown(text)) = self;
        text
    }

    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Allowed(_) => ExitCode::SUCCESS,
            Self::Refused(_) => REFUSED.into(),
            Self::Unknown(_) => UNKNOWN.into(),
        }
    }
}

/// Follows a request from the login to the cluster, to the first that says no.
pub(super) fn of(story: &Story) -> Verdict {
    let explained = &story.explained;
    if let Some(at) = explained.user.as_ref().and_then(|user| user.disabled_at) {
        let why = format!("switched off here at {at}: `gatewarden user enable {}` lets them in again", explained.id);
        return Verdict::Refused(why);
    }
    if matches!(explained.now, Now::NotConfigured) {
        // Its sessions ended with it, whatever the store says until a server starts.
        return of_login(explained);
    }
    let Some(carried) = &story.carried else { return of_login(explained) };
    if let Some(why) = stale(story) {
        return Verdict::Refused(why);
    }
    match decided(story, carried) {
        Verdict::Allowed(why) => Verdict::Allowed(format!("{why}{}", until_when(explained))),
        other => other,
    }
}

/// A session whose groups nobody could read anew for too long waits for its provider.
fn stale(story: &Story) -> Option<String> {
    let read = story.explained.sessions.first()?.refreshed_at;
    let settings = Settings { max_staleness: Some(story.loaded.config.sessions.max_staleness), ..Settings::default() };
    let provider = story.explained.principal.instance();
    (!settings.is_fresh(read, SystemClock.now())).then(|| {
        format!("everything is answered 503: their groups were read last at {read}, which is longer ago than sessions.maxStaleness; `gatewarden provider test {provider}`")
    })
}

/// What is allowed by a session that a login would not give any more.
fn until_when(explained: &Explained) -> &'static str {
    let refused = match &explained.now {
        Now::Gone | Now::Disabled | Now::NeedsLogin => true,
        Now::Known(described) => !described.policy.allowed || described.identity.is_err(),
        Now::Unanswered(_) | Now::NotConfigured => false,
    };
    if refused && !explained.sessions.is_empty() { "; until the next refresh, which ends the session" } else { "" }
}

fn decided(story: &Story, carried: &Carried) -> Verdict {
    match &story.request {
        Some(request) => of_request(story, request),
        None => {
            let open = story.loaded.snapshot.open_to(&carried.session);
            if open.is_empty() {
                return Verdict::Refused(no_grant(&carried.identity.user, "", &story.loaded.config.whom_to_ask));
            }
            let clusters: Vec<&str> = open.keys().map(String::as_str).collect();
            Verdict::Allowed(format!("they may enter {}; --cluster and a verb ask further", clusters.join(", ")))
        }
    }
}

/// Without a session a login would have to come first.
fn of_login(explained: &Explained) -> Verdict {
    let provider = explained.principal.instance();
    match &explained.now {
        Now::Gone => Verdict::Refused(format!("{provider} does not know them (any more), and they have no session")),
        Now::Disabled => Verdict::Refused(format!("switched off at {provider}, and they have no session")),
        Now::NeedsLogin => Verdict::Unknown(format!("they have no session, and {provider} tells nothing without one")),
        Now::NotConfigured => {
            Verdict::Refused(format!("no provider {provider:?} is configured: nobody of it has a session"))
        }
        Now::Unanswered(error) if error.http_status() < 500 => {
            Verdict::Refused(format!("{provider} refuses a login: {}", error.audit_text()))
        }
        Now::Unanswered(error) => Verdict::Unknown(format!(
            "they have no session, and {provider} does not answer as it should: {}; `gatewarden provider test {provider}`",
            error.audit_text()
        )),
        Now::Known(described) if !described.policy.allowed => {
            let step = described.policy.steps.last().map(ToString::to_string).unwrap_or_default();
            Verdict::Refused(format!("the access policy of {provider} refuses a login: {step}"))
        }
        Now::Known(described) => {
            let why = described.identity.as_ref().err().map_or("nobody comes of them", String::as_str);
            Verdict::Refused(format!("no identity comes of them: {why}"))
        }
    }
}

fn of_request(story: &Story, request: &Request) -> Verdict {
    let (cluster, played) = (&request.cluster, &request.played);
    let whom_to_ask = &story.loaded.config.whom_to_ask;
    let user = story.carried.as_ref().map(|carried| carried.identity.user.clone()).unwrap_or_default();
    if let Some(stopped) = &played.stopped {
        if stopped.status >= 500 {
            return Verdict::Unknown(format!("the gateway could not decide: {}", stopped.why));
        }
        let reason = format!("{}: {}", stopped.code, stopped.why);
        let next = remedy(request, user, &reason, StatusCode::from_u16(stopped.status), whom_to_ask);
        return Verdict::Refused(format!("the gateway answers {}: {}; {next}", stopped.status, stopped.why));
    }
    match request.rehearsal.state() {
        State::Open => {}
        State::Closed(why) => {
            return Verdict::Refused(format!("cluster {cluster} is closed, everybody gets 503: {why}"));
        }
        State::Unproven(why) => return Verdict::Unknown(format!("cluster {cluster} cannot be used now: {why}")),
    }
    let mut seen = played.seen_as.clone().unwrap_or_default();
    // The cluster adds it by itself, also to whom kubectl acts as.
    seen.groups.retain(|group| group != "system:authenticated");
    match &played.verdict {
        None => Verdict::Unknown(format!("cluster {cluster} was not asked")),
        Some(Err(why)) => Verdict::Unknown(format!("cluster {cluster} does not say: {why}")),
        Some(Ok(verdict)) if verdict.allowed => {
            let because = if verdict.reason.is_empty() { String::new() } else { format!(": {}", verdict.reason) };
            Verdict::Allowed(format!("cluster {cluster} lets {} {}{because}", seen.username, played.asked.verb))
        }
        Some(Ok(verdict)) => {
            let because = if verdict.reason.is_empty() { String::new() } else { format!(" ({})", verdict.reason) };
            let name = seen.username.clone();
            let next = remedy(request, seen, "", Ok(StatusCode::FORBIDDEN), whom_to_ask);
            Verdict::Refused(format!("cluster {cluster} does not let {name} {}{because}; {next}", played.asked.verb))
        }
    }
}

fn no_grant(user: &UserInfo, cluster: &str, whom_to_ask: &str) -> String {
    let info = kube_wire::RequestInfo::default();
    let mut event = Event::new("", "/", &info, Timestamp::UNIX_EPOCH);
    event.user = std::borrow::Cow::Borrowed(user);
    event.annotate("gatewarden/cluster", cluster);
    event.annotate("gatewarden/deny-reason", "no-grant: nobody names them");
    event.response_status = Some(StatusCode::FORBIDDEN.into());
    remedy::of(&event, whom_to_ask)
}

/// What is said of such a request when it is on record.
fn remedy(
    request: &Request,
    user: UserInfo,
    reason: &str,
    status: Result<StatusCode, http::status::InvalidStatusCode>,
    whom_to_ask: &str,
) -> String {
    let asked = &request.played.asked;
    let mut event =
        Event::new("", &asked.path, asked, Timestamp::UNIX_EPOCH).at(Stage::ResponseComplete, Timestamp::UNIX_EPOCH);
    event.user = std::borrow::Cow::Owned(user);
    event.annotate("gatewarden/cluster", &request.cluster);
    if !reason.is_empty() {
        event.annotate("gatewarden/deny-reason", reason);
    }
    event.response_status = status.ok().map(Into::into);
    remedy::of(&event, whom_to_ask)
}
