//! What a read-only token or grant may ask a cluster.

use http::Method;
use kube_wire::RequestInfo;

use crate::refusal::Refusal;

/// Lets get, list and watch pass, and reviews of oneself.
///
/// Never a line into a workload or node, whatever its verb: `GET …/exec` runs a command, `nodes/proxy` reaches the
/// kubelet's own `exec`. Never secrets: whoever can read a service account's token can write as that account.
///
/// The verb alone says too little: an old path such as `/api/v1/watch/…` is a watch to RBAC whatever the method is.
pub(super) fn check(method: &Method, asked: &RequestInfo, upgrade: bool) -> Result<(), Refusal> {
    if asks_about_itself(asked) {
        return Ok(());
    }
    let reads = matches!(*method, Method::GET | Method::HEAD) && asked.is_read_only();
    if !reads || asked.is_connect() || (upgrade && asked.verb != "watch") {
        return Err(Refusal::OutOfScope("the access is read-only"));
    }
    if asked.is_resource_request && asked.api_group.is_empty() && asked.resource == "secrets" {
        return Err(Refusal::OutOfScope("the access is read-only and does not include secrets"));
    }
    Ok(())
}

fn asks_about_itself(asked: &RequestInfo) -> bool {
    asked.is_resource_request
        && asked.verb == "create"
        && asked.subresource.is_empty()
        && matches!(
            (asked.api_group.as_str(), asked.resource.as_str()),
            ("authentication.k8s.io", "selfsubjectreviews")
                | ("authorization.k8s.io", "selfsubjectaccessreviews" | "selfsubjectrulesreviews")
        )
}
