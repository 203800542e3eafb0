//! Which verb, resource and name a request means: kube-apiserver's own reading of method, path and query.
//!
//! A gateway that authorizes by another reading than the API server's can be talked past it, so the rules below are
//! that server's, odd ones included: a name in a field selector counts, `HEAD` is a read, `/api/v1/watch/pods` is a
//! watch, and the path is split after percent-decoding.

mod query;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::Method;

use crate::percent;

/// What a request asks for, in the words of RBAC and of audit events.
///
/// An empty string means "none", as it does in Kubernetes: no namespace, no name, the core API group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestInfo {
    /// Whether the path names an API resource; otherwise only `verb` and `path` say anything.
    pub is_resource_request: bool,
    /// The verb that RBAC knows: `get`, `list`, `deletecollection`, …; the lower-case method off the resource paths.
    pub verb: Cow<'static, str>,
    /// `api` or `apis`.
    pub api_prefix: String,
    /// The API group; empty for the core group.
    pub api_group: String,
    /// The version, such as `v1`.
    pub api_version: String,
    /// The namespace; empty at the cluster scope.
    pub namespace: String,
    /// The resource, in its plural.
    pub resource: String,
    /// The subresource, such as `exec`.
    pub subresource: String,
    /// The object's name, from the path or from an exact field selector on `metadata.name`.
    pub name: String,
    /// The decoded path.
    pub path: String,
}

/// Why a path cannot be read. The gateway answers 400: the API server would refuse it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// A `%` without two hexadecimal digits behind it.
    #[error("the path holds a broken percent escape")]
    BrokenEscape,
    /// `/api/v1/watch` or `/api/v1/proxy` with nothing behind it.
    #[error("the path ends where a resource must follow")]
    NoResource,
}

impl RequestInfo {
    /// Reads a request as kube-apiserver does.
    ///
    /// ```
    /// # use http::Method;
    /// # use kube_wire::RequestInfo;
    /// let info = RequestInfo::parse(&Method::GET, "/api/v1/namespaces/dev/pods", Some("watch=1"))?;
    /// assert_eq!((info.verb.as_ref(), info.namespace.as_str(), info.resource.as_str()), ("watch", "dev", "pods"));
    /// # Ok::<(), kube_wire::PathFault>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the path cannot be decoded, or ends behind one of the old verb prefixes.
    pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, PathFault> {
        let path = percent::decode(path).ok_or(PathFault::BrokenEscape)?.into_owned();
        let mut info = Self { verb: lower_case(method), ..Self::default() };
        info.read_path(method, &path)?;
        info.path = path;
        if info.is_resource_request && info.name.is_empty() {
            info.refine(query.unwrap_or_default());
        }
        Ok(info)
    }

    /// Tells whether the request may last for hours: it has no deadline and counts apart from short ones.
    pub fn is_long_running(&self, upgrade: bool) -> bool {
        upgrade
            || matches!(self.verb.as_ref(), "watch" | "proxy")
            || (self.is_resource_request
                && matches!(self.subresource.as_str(), "attach" | "exec" | "proxy" | "log" | "portforward"))
            || (!self.is_resource_request && self.path.starts_with("/debug/pprof/"))
    }

    /// Tells whether the request opens a line into a workload or a node, whatever its verb says.
    ///
    /// `GET …/exec` over WebSocket runs a command, and `nodes/proxy` reaches the kubelet's own `exec`.
    pub fn is_connect(&self) -> bool {
        self.is_resource_request
            && (self.verb == "proxy"
                || matches!(self.subresource.as_str(), "attach" | "exec" | "proxy" | "portforward"))
    }

    /// Tells whether a server behind the API server answers: a pod, a service or a node.
    pub fn is_proxied(&self) -> bool {
        self.is_resource_request && (self.verb == "proxy" || self.subresource == "proxy")
    }

    /// Tells whether the request can only read.
    pub fn is_read_only(&self) -> bool {
        let reads = if self.is_resource_request {
            matches!(self.verb.as_ref(), "get" | "list" | "watch")
        } else {
            matches!(self.verb.as_ref(), "get" | "head" | "options")
        };
        reads && !self.is_connect()
    }

    /// Tells whether the request may change something: everything that does not only read.
    pub fn is_mutating(&self) -> bool {
        !self.is_read_only()
    }

    /// Reads `/api/<version>/…` and `/apis/<group>/<version>/…`; every other path stays a non-resource request.
    fn read_path(&mut self, method: &Method, path: &str) -> Result<(), PathFault> {
        let trimmed = path.trim_matches('/');
        let parts: Vec<&str> = trimmed.split('/').collect();
        let (prefix, group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => ("api", "", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => ("apis", *group, *version, rest),
            _ => return Ok(()),
        };
        self.is_resource_request = true;
        self.api_prefix = prefix.to_owned();
        self.api_group = group.to_owned();
        self.api_version = version.to_owned();
        let rest = match rest {
            ["watch" | "proxy"] => return Err(PathFault::NoResource),
            ["watch", rest @ ..] => {
                self.verb = Cow::Borrowed("watch");
                rest
            }
            ["proxy", rest @ ..] => {
                self.verb = Cow::Borrowed("proxy");
                rest
            }
            rest => {
                self.verb = Cow::Borrowed(resource_verb(method));
                rest
            }
        };
        self.read_object(rest);
        Ok(())
    }

    /// Reads `[namespaces/<ns>/]<resource>[/<name>[/<subresource>…]]`.
    ///
    /// `namespaces/<ns>`, `namespaces/<ns>/status` and `namespaces/<ns>/finalize` are about the namespace itself,
    /// which then is both the namespace and the name.
    fn read_object(&mut self, rest: &[&str]) {
        let object = match rest {
            ["namespaces", namespace, inside @ ..] => {
                self.namespace = (*namespace).to_owned();
                match inside {
                    [] | ["status" | "finalize", ..] => rest,
                    inside => inside,
                }
            }
            rest => rest,
        };
        if let [resource, ..] = object {
            self.resource = (*resource).to_owned();
        }
        if let [_, name, ..] = object {
            self.name = (*name).to_owned();
        }
        // What follows the name under the old proxy verb is a path of the proxied server, not a subresource.
        if let [_, _, subresource, ..] = object
            && self.verb != "proxy"
        {
            self.subresource = (*subresource).to_owned();
        }
    }

    /// Tells a list or watch from a get, and the deletion of a collection from that of an object.
    fn refine(&mut self, query: &str) {
        match self.verb.as_ref() {
            "get" => {
                let options = query::ListOptions::parse(query);
                self.verb = Cow::Borrowed(if options.watch { "watch" } else { "list" });
                self.name = options.name.unwrap_or_default();
            }
            "delete" => self.verb = Cow::Borrowed("deletecollection"),
            _ => {}
        }
    }
}

fn resource_verb(method: &Method) -> &'static str {
    match method.as_str() {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

fn lower_case(method: &Method) -> Cow<'static, str> {
    match method.as_str() {
        "GET" => Cow::Borrowed("get"),
        "HEAD" => Cow::Borrowed("head"),
        "POST" => Cow::Borrowed("post"),
        "PUT" => Cow::Borrowed("put"),
        "PATCH" => Cow::Borrowed("patch"),
        "DELETE" => Cow::Borrowed("delete"),
        "OPTIONS" => Cow::Borrowed("options"),
        other => Cow::Owned(other.to_ascii_lowercase()),
    }
}
