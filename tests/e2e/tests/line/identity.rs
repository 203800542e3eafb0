//! Who a cluster sees: the person of the directory, whole, in every call.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use e2e::{AuditLog, Case, Protocol};
use kube_wire::UserInfo;
use kube_wire::audit::{Event, Stage};
use serde_json::Value;

use crate::bed::{Bed, IMPERSONATOR};
use crate::people;
use crate::reads::config_map;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        whoami_shows_the_person_of_the_directory,
        groups_are_followed_through_nesting,
        can_i_answers_as_the_cluster_decides,
        the_cluster_recorded_the_person_and_our_audit_id,
        every_call_that_a_cluster_recorded_carries_a_whole_identity,
        both_logs_tell_the_same_of_every_call,
        a_name_in_korean_arrives_whole,
        many_callers_at_once_are_never_mixed,
    ]
}

pub(crate) fn whoami_shows_the_person_of_the_directory(bed: &Bed) -> Result<()> {
    let review = bed.kubectl("alice", "east")?.ok(&["auth", "whoami", "-o", "json"])?;
    let review: Value = serde_json::from_str(&review)?;
    let user: UserInfo = serde_json::from_value(review.pointer("/status/userInfo").context("userInfo")?.clone())?;
    whole(&user)?;
    ensure!(user.username == "corp:alice", "{user:?}");
    ensure!(user.groups.iter().any(|group| group == "system:authenticated"), "{user:?}");
    Ok(())
}

pub(crate) fn groups_are_followed_through_nesting(bed: &Bed) -> Result<()> {
    // In the directory alice stands in payments alone; payments stands in backend, and backend in dev.
    let review = bed.kubectl("alice", "east")?.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}"])?;
    for group in ["corp:payments", "corp:backend", "corp:dev"] {
        ensure!(review.contains(&format!("{group:?}")), "{group} is missing: {review}");
    }
    // The cluster binds corp:dev, and carol is not in it.
    let admin = bed.admin("east")?;
    admin.apply(&config_map("nested", "nested", "x"))?;
    bed.kubectl("alice", "east")?.ok(&["delete", "configmap", "nested"])?;
    admin.apply(&config_map("nested", "nested", "x"))?;
    let refused = bed.kubectl("carol", "east")?.refused(&["delete", "configmap", "nested"])?;
    ensure!(refused.contains("(Forbidden)") && refused.contains(r#"User "corp:carol" cannot delete"#), "{refused}");
    Ok(())
}

pub(crate) fn can_i_answers_as_the_cluster_decides(bed: &Bed) -> Result<()> {
    for (person, question, expected) in [
        ("alice", &["create", "configmaps"][..], "yes"),
        ("alice", &["create", "pods", "--subresource=exec"], "yes"),
        ("alice", &["delete", "nodes"], "no"),
        ("carol", &["list", "pods"], "yes"),
        ("carol", &["create", "pods", "--subresource=exec"], "no"),
    ] {
        let told = bed.kubectl(person, "east")?.run(&[&["auth", "can-i"], question].concat())?;
        ensure!(told.text().trim() == expected, "{person} {question:?}: {} {}", told.text(), told.stderr);
    }
    Ok(())
}

pub(crate) fn the_cluster_recorded_the_person_and_our_audit_id(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    let path = "/api/v1/namespaces/dev/configmaps/recorded";
    let answer = bed.gate().get(Protocol::Http2, &format!("/k8s/clusters/east{path}"), &alice)?;
    let id = answer.header("audit-id").to_owned();
    ensure!(!id.is_empty(), "{:?}", answer.headers);
    let theirs = bed.audit("east").wait_for("our audit id", |event| event.audit_id == id)?;
    ensure!(theirs.request_uri == path && theirs.verb == "get", "{theirs:?}");
    let person = bed.asker(&theirs)?;
    ensure!(person.username == "corp:alice");
    whole(person)?;
    let ours = bed.gate().audit().wait_for("the same call", |event| event.audit_id == id)?;
    ensure!(ours.user.username == "corp:alice" && ours.user.uid == person.uid, "{ours:?}");
    ensure!(ours.request_uri == path, "{}", ours.request_uri);
    ensure!(ours.response_status.as_ref().map(|status| status.code) == Some(answer.status.as_u16()));
    ensure!(ours.annotations.values().any(|value| value == "east"), "{:?}", ours.annotations);
    Ok(())
}

pub(crate) fn every_call_that_a_cluster_recorded_carries_a_whole_identity(bed: &Bed) -> Result<()> {
    for cluster in ["east", "west"] {
        let alice = bed.kubectl("alice", cluster)?;
        alice.ok(&["get", "pods"])?;
        alice.ok(&["api-resources"])?;
        let events = bed.audit(cluster).events()?;
        // The first record of a call is written before the API server has read the impersonation headers.
        let read = events.iter().filter(|event| event.stage != Stage::RequestReceived);
        let ours: Vec<&Event> = read.filter(|event| event.user.username == IMPERSONATOR).collect();
        ensure!(ours.len() > 10, "only {} calls in {cluster}", ours.len());
        for event in ours {
            match &event.impersonated_user {
                Some(person)
                    if ["corp:", "sso:", "west-pods:"].iter().any(|provider| person.username.starts_with(provider)) =>
                {
                    whole(person).with_context(|| told(event))?;
                }
                // As somebody else: the cluster is told by whom.
                Some(other) if other.extra.contains_key("gatewarden/original-user") => {}
                // The impersonation itself was refused: its headers were there.
                None if refusal(event).contains("impersonate") => {}
                // The gateway asks what its own account may do, as nobody of a provider.
                _ => ensure!(is_probe(event), "a call without a person: {}", told(event)),
            }
        }
    }
    Ok(())
}

pub(crate) fn both_logs_tell_the_same_of_every_call(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    for (method, target) in ODD_REQUESTS {
        let path = format!("/k8s/clusters/east{target}");
        let request = bed.gate().request(method, &path, &alice).body(Default::default())?;
        bed.gate().https()?.send(Protocol::Http1, request)?;
    }
    let last = bed.gate().get(Protocol::Http1, "/k8s/clusters/east/version?last", &alice)?;
    let last = last.header("audit-id");
    bed.audit("east").wait_for("the last call", |event| event.audit_id == last)?;
    let complete = |log: &AuditLog| -> Result<BTreeMap<String, Event>> {
        let events = log.events()?.into_iter().filter(|event| event.stage == Stage::ResponseComplete);
        Ok(events.map(|event| (event.audit_id.to_string(), event)).collect())
    };
    let ours = complete(&bed.gate().audit())?;
    let mut compared = 0;
    for cluster in ["east", "west"] {
        for (id, theirs) in complete(&bed.audit(cluster))? {
            if let Some(ours) = ours.get(&id) {
                same(ours, &theirs).with_context(|| format!("{}\n{}", told(ours), told(&theirs)))?;
                compared += 1;
            }
        }
    }
    ensure!(compared >= ODD_REQUESTS.len(), "only {compared} calls were in both logs");
    Ok(())
}

/// What the two servers could read differently. Most of it is refused by the cluster, which records it all the same.
const ODD_REQUESTS: &[(&str, &str)] = &[
    ("GET", "/api/v1/namespaces/dev"),
    ("GET", "/api/v1/namespaces/dev/status"),
    ("GET", "/api/v1/namespaces/dev/finalize/x"),
    ("GET", "/api/v1/namespaces/dev/pods/ticker/"),
    ("GET", "/api/v1/namespaces/dev/pods/ticker?watch=true"),
    ("GET", "/api/v1/namespaces/dev/pods?fieldSelector=metadata.name%3Dticker"),
    ("GET", "/api/v1/namespaces/dev/pods?fieldSelector=metadata.name!=ticker"),
    ("GET", "/api/v1/namespaces/dev/pods?fieldSelector=status.phase=Running,metadata.name==ticker"),
    ("GET", "/api/v1/namespaces/dev/pods?fieldSelector=metadata.name=a,broken"),
    ("GET", "/api/v1/namespaces/dev/pods?fieldSelector=metadata.name=a%2Fb"),
    ("GET", "/api/v1/namespaces/dev/pods?fieldSelector=metadata.name=ticker&limit=x"),
    ("GET", "/api/v1/namespaces/dev/pods?watch=false"),
    ("GET", "/api/v1/namespaces/dev/pods?watch=0"),
    ("GET", "/api/v1/namespaces/dev/pods?watch=FALSE&watch=true"),
    ("GET", "/api/v1/secrets?watch&timeoutSeconds=1"),
    ("GET", "/api/v1/secrets?watch=no&timeoutSeconds=1"),
    ("GET", "/api/v1/secrets?w%61tch=1"),
    ("GET", "/api/v1/secrets?watch=1;x"),
    ("GET", "/api/v1/watch/secrets"),
    ("GET", "/api/v1/watch/namespaces/dev/secrets/x"),
    ("DELETE", "/api/v1/namespaces/dev/secrets"),
    ("DELETE", "/api/v1/namespaces/dev/secrets?fieldSelector=metadata.name=x"),
    ("HEAD", "/api/v1/namespaces/dev/pods/ticker"),
    ("HEAD", "/api/v1/nodes"),
    ("OPTIONS", "/api/v1/nodes"),
    ("PATCH", "/apis/apps/v1/namespaces/dev/deployments/d/scale"),
    ("PUT", "/apis/apps/v1/namespaces/dev/deployments/d/status/x/y"),
    ("GET", "/api/v1/nodes/localhost/proxy/metrics?x=1"),
    ("GET", "/api/v1/namespaces/dev/services/s:80/proxy/a//b/%2F"),
    ("GET", "/api/v1/proxy/namespaces/dev/services/s/x/y"),
    ("GET", "/apis/example.org/v1/namespaces/dev/things/t"),
    ("GET", "/apis/example.org/v1/namespaces/dev"),
    ("GET", "/apis/apps/v1"),
    ("GET", "/apis/apps"),
    ("POST", "/apis/apps"),
    ("GET", "/api"),
    ("HEAD", "/livez"),
    ("GET", "/%61pi/v1/nodes"),
    ("GET", "/nothing/at/all"),
];

fn same(ours: &Event, theirs: &Event) -> Result<()> {
    ensure!(ours.request_uri == theirs.request_uri, "targets differ");
    ensure!(ours.verb == theirs.verb, "verbs differ: {} {}", ours.verb, theirs.verb);
    let code = |event: &Event| event.response_status.as_ref().map(|status| status.code);
    ensure!(code(ours) == code(theirs), "codes differ: {:?} {:?}", code(ours), code(theirs));
    let key = |event: &Event| {
        event.object_ref.clone().map(|object| {
            [object.resource, object.namespace, object.api_group, object.api_version, object.subresource].join("|")
        })
    };
    ensure!(key(ours) == key(theirs), "objects differ: {:?} {:?}", ours.object_ref, theirs.object_ref);
    // The API server adds a name that stands in the body; where the request has one, both know it.
    let name = |event: &Event| event.object_ref.as_ref().map(|object| object.name.to_string()).unwrap_or_default();
    ensure!(name(ours).is_empty() || name(ours) == name(theirs), "names differ: {} {}", name(ours), name(theirs));
    Ok(())
}

pub(crate) fn a_name_in_korean_arrives_whole(bed: &Bed) -> Result<()> {
    let person = people::KOREAN;
    for http2 in [true, false] {
        let mut kubectl = bed.gate().kubectl(&bed.gate().session(person)?, "east")?;
        if !http2 {
            kubectl = kubectl.env("DISABLE_HTTP2", "true");
        }
        let name = kubectl.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])?;
        ensure!(name == format!("corp:{person}"), "{name}");
    }
    Ok(())
}

pub(crate) fn many_callers_at_once_are_never_mixed(bed: &Bed) -> Result<()> {
    // All of them share the gateway's few connections to the cluster.
    const REVIEWS: &str = "/k8s/clusters/east/apis/authentication.k8s.io/v1/selfsubjectreviews";
    const REVIEW: &str = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let people = ["alice", "bob", "carol", "erin"];
    let review = |person: &str, protocol: Protocol| -> Result<()> {
        let session = bed.gate().session(person)?;
        let request = bed.gate().request("POST", REVIEWS, &session).header("content-type", "application/json");
        let answer = bed.gate().https()?.send(protocol, request.body(REVIEW.into())?)?;
        let name = answer.json()?["status"]["userInfo"]["username"].clone();
        ensure!(name == format!("corp:{person}"), "{person} was taken for {name}: {}", answer.text());
        Ok(())
    };
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..8)
            .map(|hand| {
                let review = &review;
                scope.spawn(move || -> Result<()> {
                    let protocol = if hand % 2 == 0 { Protocol::Http1 } else { Protocol::Http2 };
                    (0..40).try_for_each(|turn| review(people[(hand + turn) % people.len()], protocol))
                })
            })
            .collect();
        hands.into_iter().try_for_each(|hand| hand.join().map_err(|_| anyhow::anyhow!("panicked"))?)
    })
}

/// A uid of ours, and the extras that say where the identity comes from.
fn whole(user: &UserInfo) -> Result<()> {
    let uid = user.uid.as_deref().unwrap_or_default();
    ensure!(uid.len() == 22 && uid.starts_with("u-"), "{user:?}");
    for key in ["gatewarden/provider", "gatewarden/principal", "gatewarden/session-id"] {
        ensure!(user.extra.get(key).is_some_and(|values| values.len() == 1), "{key} is missing: {user:?}");
    }
    let provider = user.username.split(':').next().unwrap_or_default();
    ensure!(user.extra.get("gatewarden/provider").is_some_and(|values| values == &[provider]), "{user:?}");
    Ok(())
}

fn refusal<'a>(event: &'a Event<'static>) -> &'a str {
    event.response_status.as_ref().map_or("", |status| &status.message)
}

fn is_probe(event: &Event) -> bool {
    let groups = ["authorization.k8s.io", "authentication.k8s.io"];
    event.request_uri == "/version"
        || event.object_ref.as_ref().is_some_and(|object| groups.contains(&object.api_group.as_ref()))
}

fn told(event: &Event) -> String {
    format!("{} {} by {:?}", event.verb, event.request_uri, event.impersonated_user)
}
