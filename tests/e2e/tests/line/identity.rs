//! Who a cluster sees: the person of the directory, whole, in every call.

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Protocol};
use kube_wire::UserInfo;
use kube_wire::audit::Event;
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
        a_name_in_korean_arrives_whole,
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
        ("alice", ["create", "configmaps"], "yes"),
        ("alice", ["create", "pods/exec"], "yes"),
        ("alice", ["delete", "nodes"], "no"),
        ("carol", ["list", "pods"], "yes"),
        ("carol", ["create", "pods/exec"], "no"),
    ] {
        let [verb, resource] = question;
        let told = bed.kubectl(person, "east")?.run(&["auth", "can-i", verb, resource])?;
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
    ensure!(theirs.user.username == IMPERSONATOR, "{theirs:?}");
    let person = theirs.impersonated_user.as_ref().context("nobody was impersonated")?;
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
        let ours: Vec<&Event> = events.iter().filter(|event| event.user.username == IMPERSONATOR).collect();
        ensure!(ours.len() > 10, "only {} calls in {cluster}", ours.len());
        for event in ours {
            match &event.impersonated_user {
                Some(person) if person.username.starts_with("corp:") => whole(person).with_context(|| told(event))?,
                // As somebody else: the cluster is told by whom.
                Some(other) if other.extra.contains_key("gatewarden/original-user") => {}
                // The gateway asks what its own account may do, as nobody of a provider.
                _ => ensure!(is_review(event), "a call without a person: {}", told(event)),
            }
        }
    }
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

/// A uid of ours, and the extras that say where the identity comes from.
fn whole(user: &UserInfo) -> Result<()> {
    let uid = user.uid.as_deref().unwrap_or_default();
    ensure!(uid.len() == 22 && uid.starts_with("u-"), "{user:?}");
    for key in ["gatewarden/provider", "gatewarden/principal", "gatewarden/session-id"] {
        ensure!(user.extra.get(key).is_some_and(|values| values.len() == 1), "{key} is missing: {user:?}");
    }
    ensure!(user.extra.get("gatewarden/provider").is_some_and(|values| values == &["corp"]), "{user:?}");
    Ok(())
}

fn is_review(event: &Event) -> bool {
    let groups = ["authorization.k8s.io", "authentication.k8s.io"];
    event.object_ref.as_ref().is_some_and(|object| groups.contains(&object.api_group.as_str()))
}

fn told(event: &Event) -> String {
    format!("{} {} by {:?}", event.verb, event.request_uri, event.impersonated_user)
}
