//! What is written of a request: the audit event, and one line of the access log.

use std::borrow::Cow;
use std::sync::LazyLock;
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
pub(super) fn at(facts: &Facts, stage: Stage, now: SystemTime) -> Event<'_> {
    let info = facts.info.as_deref().unwrap_or(&UNREAD);
    let mut event = Event::new(facts.audit_id(), facts.request_uri(), info, timestamp(facts.received));
    event.verb = match facts.info {
        Some(_) => brief(&info.verb, words::PART),
        None => brief(facts.method.as_str(), words::PART).to_ascii_lowercase().into(),
    };
    event.object_ref = event.object_ref.map(|object| shortened(object, facts.surface));
    event.source_ips = vec![facts.client.to_string()];
    event.user_agent = facts.user_agent();
    event.impersonated_user = facts.acting_as.as_ref().map(Cow::Borrowed);
    if let Some(caller) = &facts.caller {
        let session = caller.session();
        event.user = Cow::Borrowed(session.identity());
        event.annotate("gatewarden/session-id", session.id());
        event.annotate("gatewarden/provider", session.provider());
        event.annotate("gatewarden/principal", session.principal());
        event.annotate("gatewarden/token", caller.resolved().token.as_str());
        if facts.acting_as.is_some() {
            event.annotate("gatewarden/original-user", session.identity().username.as_str());
        }
    }
    if let Some(session) =
        facts.noted.as_ref().and_then(|noted| noted.session.as_ref()).filter(|_| facts.caller.is_none())
    {
        event.annotate("gatewarden/session-id", session.id.as_str());
        event.annotate("gatewarden/provider", session.provider.as_str());
        event.annotate("gatewarden/principal", session.principal.as_str());
    }
    if let Some(cluster) = facts.cluster() {
        event.annotate("gatewarden/cluster", cluster);
    }
    if let Some(id) = &facts.client_audit_id {
        event.annotate("gatewarden/client-audit-id", id.as_ref());
    }
    event.at(stage, timestamp(now))
}

/// What stands for a request that was refused before its path was read.
static UNREAD: LazyLock<RequestInfo> = LazyLock::new(RequestInfo::default);

fn shortened(object: ObjectRef<'_>, surface: Surface) -> ObjectRef<'_> {
    let part = |part| shorten(part, words::PART);
    ObjectRef {
        resource: part(object.resource),
        namespace: part(object.namespace),
        name: part(object.name),
        subresource: part(object.subresource),
        api_version: part(object.api_version),
        api_group: match surface {
            Surface::Management => Cow::Borrowed("gatewarden"),
            Surface::Cluster => part(object.api_group),
        },
        ..object
    }
}

/// The last event of a request.
pub(super) fn closing(facts: &Facts) -> Event<'_> {
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
    if let Some((cause, why)) = facts.noted.as_ref().and_then(|noted| noted.refused.as_ref()) {
        event.annotate("gatewarden/deny-reason", format!("{cause}: {}", brief(why, words::SENTENCE)));
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
