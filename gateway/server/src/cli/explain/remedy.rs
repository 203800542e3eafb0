//! What an operator does about an answer.

use kube_wire::audit::Event;

/// One sentence on what to do next, from the last event of a request.
pub(super) fn of(last: &Event<'_>, whom_to_ask: &str) -> String {
    let note = |key: &str| last.annotations.get(key).map_or("", AsRef::as_ref);
    let (user, cluster) = (last.user.username.as_str(), note("gatewarden/cluster"));
    let code = last.response_status.as_ref().map_or(0, |status| status.code);
    let word = note("gatewarden/deny-reason").split(':').next().unwrap_or_default();
    match (word, code) {
        ("no-grant", _) => format!(
            "the gateway lets {user} into no cluster {cluster:?}: add one of these to the subjects of a grant for it: {}. {whom_to_ask}",
            subjects(last),
        ),
        ("out-of-scope", _) => {
            "the grant or the token is for reading, or for other clusters: widen the grant, or log in again".to_owned()
        }
        ("may-not-act-as", _) => format!(
            "the cluster denies {user} the verb `impersonate` for whom --as names: `kubectl auth can-i impersonate users/<name> --as={user}`"
        ),
        ("unauthenticated" | "session-ended", _) => {
            "the token is missing, over or revoked: log in again; `gatewarden token list` shows those that live"
                .to_owned()
        }
        ("cluster-closed", _) => {
            format!("the gateway's accounts there are not proven: `gatewarden cluster check {cluster}`")
        }
        ("cluster-unavailable" | "bad-gateway" | "timed-out", _) => {
            format!(
                "the cluster did not answer as it should: `gatewarden check --live`, and the log of the API server of {cluster:?}"
            )
        }
        ("too-many-requests", _) => "a limit of `limits` was reached; `/metrics` counts refusals by reason".to_owned(),
        ("unavailable", _) => "the store or the audit log could not be used: look at their disks".to_owned(),
        ("internal" | "panic", _) => "this is a fault of the gateway: its log has more under the same id".to_owned(),
        ("", 403) => format!(
            "the cluster's own authorization says no: `kubectl --context {cluster} auth can-i {} {} --as={user}{}`",
            last.verb,
            resource(last),
            groups(last),
        ),
        ("", 0) => String::new(),
        ("", 100..400) => "nothing: it was let through and answered".to_owned(),
        ("", _) => format!("the answer is the cluster's own: its audit log has it under auditID {}", last.audit_id),
        (_, _) => "the request itself is at fault: the reason says which part".to_owned(),
    }
}

/// What a grant may name of this caller.
fn subjects(last: &Event<'_>) -> String {
    let user = format!("user:{}", last.user.username);
    let groups = last.user.groups.iter().map(|group| format!("group:{group}"));
    std::iter::once(user).chain(groups).collect::<Vec<_>>().join(", ")
}

fn resource(last: &Event<'_>) -> String {
    let Some(object) = &last.object_ref else { return last.request_uri.to_string() };
    let mut text = object.resource.to_string();
    if !object.api_group.is_empty() {
        text = format!("{text}.{}", object.api_group);
    }
    if !object.subresource.is_empty() {
        text = format!("{text} --subresource={}", object.subresource);
    }
    if object.namespace.is_empty() { text } else { format!("{text} -n {}", object.namespace) }
}

fn groups(last: &Event<'_>) -> String {
    last.user.groups.iter().map(|group| format!(" --as-group={group}")).collect()
}
