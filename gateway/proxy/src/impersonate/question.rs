//! What a cluster is asked about `--as`: SubjectAccessReviews in the API server's own words.
//!
//! The legacy verb is `impersonate` on the target's name. Constrained impersonation (1.36) needs two permissions: who
//! (`impersonate:user-info` on the name) and what for (`impersonate-on:user-info:<verb>` on the object itself).

use bytes::Bytes;
use kube_wire::{RequestInfo, UserInfo};
use serde_json::{Value, json};

use crate::boundary::service_account;

/// One permission that the caller must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permission {
    verb: String,
    group: &'static str,
    resource: &'static str,
    subresource: String,
    namespace: String,
    name: String,
}

impl Permission {
    /// The same permission for every name. RBAC grants it by a rule without names.
    pub(super) fn for_any_name(&self) -> Self {
        Self { name: "*".to_owned(), ..self.clone() }
    }

    /// The review that asks whether `caller` has it.
    pub(super) fn review(&self, caller: &UserInfo) -> Bytes {
        review(
            caller,
            "resourceAttributes",
            &json!({
                "verb": self.verb,
                "group": self.group,
                "resource": self.resource,
                "subresource": self.subresource,
                "namespace": self.namespace,
                "name": self.name,
            }),
        )
    }

    /// The sentence that a refused client reads; kube-apiserver's own.
    pub(super) fn refusal(&self, caller: &str) -> String {
        let Self { verb, group, resource, namespace, name, .. } = self;
        let resource = match self.subresource.as_str() {
            "" => (*resource).to_owned(),
            subresource => format!("{resource}/{subresource}"),
        };
        let scope = match namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let dotted = if group.is_empty() { String::new() } else { format!(".{group}") };
        format!(
            "{resource}{dotted} {name:?} is forbidden: \
             User {caller:?} cannot {verb} resource {resource:?} in API group {group:?} {scope}"
        )
    }
}

/// The permissions that acting as a target takes: the one for the user first, then those that a whole list of groups
/// may need.
#[derive(Debug)]
pub(super) struct Needed {
    pub(super) single: Vec<Permission>,
    pub(super) groups: Vec<Permission>,
}

/// The legacy permissions.
pub(super) fn legacy(target: &UserInfo) -> Needed {
    needed(target, "impersonate", "")
}

/// The first half of the constrained pair. All its resources live in one API group.
pub(super) fn constrained(target: &UserInfo) -> Needed {
    needed(target, &format!("impersonate:{}", mode(target)), AUTHENTICATION)
}

/// The second half: the review that asks for what the target is to be used.
pub(super) fn purpose(caller: &UserInfo, target: &UserInfo, asked: &RequestInfo) -> Bytes {
    request_review(caller, asked, &format!("impersonate-on:{}:{}", mode(target), asked.verb))
}

/// The review that asks whether somebody may make a request.
pub(crate) fn access_review(user: &UserInfo, asked: &RequestInfo) -> Bytes {
    request_review(user, asked, &asked.verb)
}

fn request_review(user: &UserInfo, asked: &RequestInfo, verb: &str) -> Bytes {
    if !asked.is_resource_request {
        return review(user, "nonResourceAttributes", &json!({ "verb": verb, "path": asked.path }));
    }
    review(
        user,
        "resourceAttributes",
        &json!({
            "verb": verb,
            "group": asked.api_group,
            "version": asked.api_version,
            "resource": asked.resource,
            "subresource": asked.subresource,
            "namespace": asked.namespace,
            "name": asked.name,
        }),
    )
}

const AUTHENTICATION: &str = "authentication.k8s.io";

fn mode(target: &UserInfo) -> &'static str {
    if service_account(&target.username).is_some() { "serviceaccount" } else { "user-info" }
}

fn needed(target: &UserInfo, verb: &str, group: &'static str) -> Needed {
    let permission = |group, resource, name: &str| Permission {
        verb: verb.to_owned(),
        group,
        resource,
        subresource: String::new(),
        namespace: String::new(),
        name: name.to_owned(),
    };
    let user = match service_account(&target.username) {
        Some((namespace, name)) => {
            Permission { namespace: namespace.to_owned(), ..permission(group, "serviceaccounts", name) }
        }
        None => permission(group, "users", &target.username),
    };
    let mut single = vec![user];
    single.extend(target.uid.iter().map(|uid| permission(AUTHENTICATION, "uids", uid)));
    for (key, values) in &target.extra {
        let extra =
            |value: &String| Permission { subresource: key.clone(), ..permission(AUTHENTICATION, "userextras", value) };
        single.extend(values.iter().map(extra));
    }
    Needed { single, groups: target.groups.iter().map(|name| permission(group, "groups", name)).collect() }
}

fn review(caller: &UserInfo, kind: &str, attributes: &Value) -> Bytes {
    let spec = json!({
        "user": caller.username,
        "uid": caller.uid,
        "groups": caller.groups,
        "extra": caller.extra,
        kind: attributes,
    });
    let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec });
    Bytes::from(review.to_string())
}
