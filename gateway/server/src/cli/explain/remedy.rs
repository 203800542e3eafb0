//! What an operator does about an answer.

use kube_wire::audit::Event;

/// One sentence on what to do next, from the last event of a request.
pub(super) fn of(last: &Event<'_>, whom_to_ask: &str) -> String {
    let note = |key: &str| last.annotations.get(key).map_or("", AsRef::as_ref);
    let (user, cluster) = (last.user.username.as_str(), note("gatewarden/cluster"));
    let code = last.response_status.as_ref().map_or(0, |status| status.code);
    let reason = note("gatewarden/deny-reason");
    let word = reason.split(':').next().unwrap_or_default();
    match (word, code) {
        ("no-grant", _) => {
            let (place, it) = match cluster {
                "" => ("any cluster".to_owned(), "one"),
                cluster => (format!("cluster {cluster:?}"), "it"),
            };
            format!(
                "the gateway does not let {user} into {place}: add one of these to the subjects of a grant for {it}: {}. {whom_to_ask}",
                subjects(last),
            )
        }
        ("out-of-scope", _) => {
            "the grant or the token is for reading, or for other clusters: widen the grant, or log in again".to_owned()
        }
        ("may-not-act-as", _) => format!(
            "the cluster denies {user} the verb `impersonate` for whom --as names: `kubectl auth can-i impersonate users/<name> --as={}`",
            word_of_shell(user),
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
        (word, _) if word.starts_with("login-") => format!(
            "nobody was let in, and the reason says why: `gatewarden provider test {}` shows each step of a login",
            word_of_shell(reason.split(": ").nth(1).unwrap_or_default()),
        ),
        ("no-token", _) => "the program that asked has to log in again; the reason says what was wrong".to_owned(),
        ("internal" | "panic", _) => "this is a fault of the gateway: its log has more under the same id".to_owned(),
        ("", 403) => format!(
            "the cluster's own authorization says no: `kubectl --context {} auth can-i {} {} --as={}{}`",
            word_of_shell(cluster),
            word_of_shell(&last.verb),
            resource(last),
            word_of_shell(user),
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
    let Some(object) = &last.object_ref else { return word_of_shell(&last.request_uri) };
    let group = if object.api_group.is_empty() { String::new() } else { format!(".{}", object.api_group) };
    let mut text = word_of_shell(&format!("{}{group}", object.resource));
    if !object.subresource.is_empty() {
        text = format!("{text} --subresource={}", word_of_shell(&object.subresource));
    }
    if object.namespace.is_empty() { text } else { format!("{text} -n {}", word_of_shell(&object.namespace)) }
}

fn groups(last: &Event<'_>) -> String {
    last.user.groups.iter().map(|group| format!(" --as-group={}", word_of_shell(group))).collect()
}

/// A text as one word of a shell. People paste what is suggested here, and paths and names are whoever's.
fn word_of_shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@=+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use kube_wire::RequestInfo;
    use kube_wire::audit::Stage;

    use super::*;

    #[test]
    fn nothing_of_a_client_or_a_directory_is_more_than_a_word() {
        let path = "/api/v1/namespaces/$(reboot)/pods;x";
        let info = RequestInfo::parse(&http::Method::GET, path, None).unwrap();
        let mut event =
            Event::new("id", path, &info, Timestamp::UNIX_EPOCH).at(Stage::ResponseComplete, Timestamp::UNIX_EPOCH);
        event.response_status = Some(http::StatusCode::FORBIDDEN.into());
        event.user.to_mut().username = "o'neil `id`".to_owned();
        event.user.to_mut().groups = vec!["a b".to_owned()];
        let told = of(&event, "");
        for part in ["list 'pods;x' -n '$(reboot)'", r"--as='o'\''neil `id`'", "--as-group='a b'"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn each_reason_has_a_next_step_of_its_own() {
        let info = RequestInfo::default();
        let mut steps = std::collections::BTreeSet::new();
        for (reason, code) in [
            ("no-grant: x", 403),
            ("out-of-scope: x", 403),
            ("may-not-act-as: x", 403),
            ("unauthenticated: x", 401),
            ("cluster-closed: x", 503),
            ("cluster-unavailable: x", 503),
            ("too-many-requests: x", 429),
            ("unavailable: x", 503),
            ("internal: x", 500),
            ("bad-request: x", 400),
            ("login-locked: corp: x", 403),
            ("no-token: x", 400),
            ("", 403),
            ("", 404),
            ("", 200),
        ] {
            let mut event = Event::new("id", "/", &info, Timestamp::UNIX_EPOCH);
            event.response_status = Some(http::StatusCode::from_u16(code).unwrap().into());
            if !reason.is_empty() {
                event.annotate("gatewarden/deny-reason", reason);
            }
            assert!(steps.insert(of(&event, "")), "{reason} {code} says what another says");
        }
    }
}
