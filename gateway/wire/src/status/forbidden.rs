//! The 403 of an authorizer, worded as kube-apiserver words it.
//!
//! People and scripts know these sentences, and kubectl prints them as they are.

use crate::request::RequestInfo;

use super::{Details, Status};

impl Status {
    /// 403 that names the user and what was asked, with `why` behind a colon when it says something.
    ///
    /// ```
    /// # use kube_wire::{RequestInfo, Status};
    /// let asked = RequestInfo::parse(&http::Method::GET, "/api/v1/namespaces/dev/pods", None)?;
    /// assert_eq!(
    ///     Status::forbidden_request("corp:bob", &asked, "").message(),
    ///     r#"pods is forbidden: User "corp:bob" cannot list resource "pods" in API group "" in the namespace "dev""#,
    /// );
    /// # Ok::<(), kube_wire::PathFault>(())
    /// ```
    pub fn forbidden_request(user: &str, asked: &RequestInfo, why: &str) -> Self {
        let mut sentence = sentence(user, asked);
        if !why.is_empty() {
            sentence.push_str(": ");
            sentence.push_str(why);
        }
        let sentence = for_browsers(&sentence);
        if !asked.is_resource_request {
            return Self::forbidden(format!("forbidden: {sentence}"));
        }
        let group = if asked.api_group.is_empty() { String::new() } else { format!(".{}", asked.api_group) };
        let name = if asked.name.is_empty() { String::new() } else { format!(" {:?}", asked.name) };
        let mut status = Self::forbidden(format!("{}{group}{name} is forbidden: {sentence}", asked.resource));
        status.details = Some(Details {
            name: asked.name.clone(),
            group: asked.api_group.clone(),
            kind: asked.resource.clone(),
            retry_after_seconds: None,
        });
        status
    }
}

fn sentence(user: &str, asked: &RequestInfo) -> String {
    if !asked.is_resource_request {
        return format!("User {user:?} cannot {} path {:?}", asked.verb, asked.path);
    }
    let resource = if asked.subresource.is_empty() {
        asked.resource.clone()
    } else {
        format!("{}/{}", asked.resource, asked.subresource)
    };
    let scope = if asked.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", asked.namespace)
    };
    format!("User {user:?} cannot {} resource {resource:?} in API group {:?} {scope}", asked.verb, asked.api_group)
}

/// The API server escapes what a browser could take for markup; the body is JSON, and old browsers guess.
fn for_browsers(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
