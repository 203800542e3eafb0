//! What is written of a request: the audit event, and one line of the access log.

use std::time::SystemTime;

use http::StatusCode;
use jiff::Timestamp;
use kube_wire::RequestInfo;
use kube_wire::audit::{Event, ObjectRef, ResponseStatus, Stage};
use tracing::Level;

use crate::audit::facts::{End, Facts};
use crate::audit::words::{self, brief, shorten};
use crate::refusal::Surface;

/// The event of a request at some stage.
pub(super) fn at(facts: &Facts, stage: Stage, now: SystemTime) -> Event {
    let unread = RequestInfo::default();
    let info = facts.info.as_deref().unwrap_or(&unread);
    let mut event = Event::new(facts.audit_id().to_owned(), facts.request_uri(), info, timestamp(facts.received));
    if facts.info.is_none() {
        event.verb = brief(facts.method.as_str(), words::PART).to_ascii_lowercase().into();
    }
    if facts.surface == Surface::Management
        && let Some(object) = &mut event.object_ref
    {
        object.api_group = "gatewarden".to_owned();
    }
    if event.verb.len() > words::PART {
        event.verb = brief(&event.verb, words::PART).into_owned().into();
    }
    if let Some(object) = &mut event.object_ref {
        let ObjectRef { resource, namespace, name, api_group, api_version, subresource, .. } = object;
        [resource, namespace, name, api_group, api_version, subresource]
            .into_iter()
            .for_each(|part| shorten(part, words::PART));
    }
    event.source_ips = vec![facts.client.to_string()];
    event.user_agent = facts.user_agent();
    event.impersonated_user.clone_from(&facts.acting_as);
    if let Some(caller) = &facts.caller {
        event.user = caller.session().identity().clone();
        event.annotate("gatewarden/session-id", caller.session().id());
        event.annotate("gatewarden/provider", caller.session().provider());
        event.annotate("gatewarden/principal", caller.session().principal());
        event.annotate("gatewarden/token", caller.resolved().token.as_str());
        if facts.acting_as.is_some() {
            event.annotate("gatewarden/original-user", caller.session().identity().username.as_str());
        }
    }
    if let Some(cluster) = facts.cluster() {
        event.annotate("gatewarden/cluster", cluster);
    }
    if let Some(id) = &facts.client_audit_id {
        event.annotate("gatewarden/client-audit-id", id.as_ref());
    }
    event.at(stage, timestamp(now))
}

/// The last event of a request.
pub(super) fn closing(facts: &Facts) -> Event {
    let stage = if facts.panicked { Stage::Panic } else { Stage::ResponseComplete };
    let mut event = at(facts, stage, facts.closed);
    event.response_status = Some(ResponseStatus::from(facts.code));
    if facts.end != End::Complete {
        event.annotate("gatewarden/end", facts.end.word());
    }
    if let Some((code, reason)) = &facts.refusal {
        // An authorizer's word. A 401, a 429 or a 503 is no decision of one.
        if facts.code == StatusCode::FORBIDDEN {
            event.annotate("authorization.k8s.io/decision", "forbid");
        }
        event.annotate("gatewarden/deny-reason", format!("{code}: {}", brief(reason, words::SENTENCE)));
    }
    if facts.left_out > 0 {
        event.annotate("gatewarden/left-out", facts.left_out.to_string());
    }
    event
}

/// One line per outcome, of named fields: never a header, never a body.
///
/// What went as it should, and is on record in the audit log, is told at `debug` alone: to write every request twice
/// would cost more than to forward it.
pub(super) fn access_line(facts: &Facts, on_record: bool) {
    let went_well = facts.refusal.is_none() && !facts.code.is_server_error();
    if !(on_record && went_well) {
        at_info(facts);
    } else if tracing::enabled!(target: "gatewarden::access", Level::DEBUG) {
        at_debug(facts);
    }
}

fn at_info(facts: &Facts) {
    line!(Level::INFO, facts);
}

fn at_debug(facts: &Facts) {
    line!(Level::DEBUG, facts);
}

/// The level of an event is a constant to `tracing`.
macro_rules! line {
    ($level:expr, $facts:ident) => {{
        let caller = $facts.caller.as_ref();
        let (refused, reason) = match &$facts.refusal {
            Some((code, reason)) => (Some(*code), Some(brief(reason, words::SENTENCE))),
            None => (None, None),
        };
        tracing::event!(
            target: "gatewarden::access",
            $level,
            audit_id = $facts.audit_id(),
            client = %$facts.client,
            method = brief($facts.method.as_str(), words::PART).as_ref(),
            uri = $facts.request_uri().as_ref(),
            cluster = $facts.cluster(),
            verb = $facts.info.as_ref().map(|info| info.verb.as_ref()),
            user = caller.map(|caller| caller.session().identity().username.as_str()),
            session = caller.map(|caller| caller.session().id()),
            acting_as = $facts.acting_as.as_ref().map(|user| user.username.as_str()),
            code = $facts.code.as_u16(),
            bytes = $facts.bytes,
            seconds = $facts.took.as_secs_f64(),
            upstream_seconds = $facts.waited.unwrap_or_default().as_secs_f64(),
            end = $facts.end.word(),
            refused,
            reason = reason.as_deref(),
            left_out = ($facts.left_out > 0).then_some($facts.left_out),
            "request"
        );
    }};
}
use line;

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
