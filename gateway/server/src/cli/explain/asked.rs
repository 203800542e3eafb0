//! What somebody would do, in kubectl's words, as the request that kubectl would send.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method};
use kube_wire::header::{IMPERSONATE_GROUP, IMPERSONATE_USER};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::kinds;
use crate::cli::CommandError;
use crate::cli::arguments::{Explain, ExplainOptions};

/// A request to a cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// Path and query, as the cluster sees them.
    pub(super) path: String,
    /// What `--as` adds.
    pub(super) headers: HeaderMap,
}

/// Reads the command line. Without a verb it is what kubectl asks first of any cluster.
pub(super) fn read(explain: &Explain) -> Result<Asked, CommandError> {
    let headers = acting_as(&explain.options)?;
    let (method, path) = match (&explain.verb, &explain.resource) {
        (Some(verb), Some(path)) if path.starts_with('/') => (method_of_path(verb)?, path.clone()),
        (Some(verb), Some(resource)) => Object::read(resource, explain)?.request(verb)?,
        _ => (Method::GET, "/api".to_owned()),
    };
    Ok(Asked { method, path, headers })
}

fn acting_as(options: &ExplainOptions) -> Result<HeaderMap, CommandError> {
    let mut headers = HeaderMap::new();
    let groups = options.as_groups.iter().map(|group| (IMPERSONATE_GROUP, group));
    let named: Vec<(HeaderName, &String)> =
        options.acting_as.iter().map(|user| (IMPERSONATE_USER, user)).chain(groups).collect();
    for (name, text) in named {
        let value = HeaderValue::from_bytes(text.as_bytes());
        headers.append(name, value.map_err(|_| input(format!("{text:?} cannot be written into a header")))?);
    }
    Ok(headers)
}

fn method_of_path(verb: &str) -> Result<Method, CommandError> {
    match verb {
        "get" => Ok(Method::GET),
        "head" => Ok(Method::HEAD),
        "post" | "create" => Ok(Method::POST),
        "put" | "update" => Ok(Method::PUT),
        "patch" => Ok(Method::PATCH),
        "delete" => Ok(Method::DELETE),
        other => Err(input(format!("{other:?} is no verb for a path; use get, head, post, put, patch or delete"))),
    }
}

/// An object or a kind of them.
struct Object<'a> {
    group: &'a str,
    version: &'a str,
    resource: &'a str,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    subresource: Option<&'a str>,
}

impl<'a> Object<'a> {
    /// `pods`, `po`, `pods/web`, `deployments.apps/web`, `deployments.v1.apps`.
    fn read(text: &'a str, explain: &'a Explain) -> Result<Self, CommandError> {
        let (kind, inline) = text.split_once('/').map_or((text, None), |(kind, name)| (kind, Some(name)));
        if kind.is_empty() || inline.is_some_and(|name| name.is_empty() || name.contains('/')) {
            return Err(input(format!("{text:?} is no resource; write pods, pods/web, or a path that begins with /")));
        }
        if inline.is_some() && explain.name.is_some() {
            return Err(input("the name stands twice; write pods/web or pods web".to_owned()));
        }
        let options = &explain.options;
        let mut object = Self::of_kind(kind, options);
        object.name = inline.or(explain.name.as_deref());
        object.subresource = options.subresource.as_deref();
        Ok(object)
    }

    /// The kind alone, in the namespace that was asked for.
    fn of_kind(kind: &'a str, options: &'a ExplainOptions) -> Self {
        let (word, rest) = kind.split_once('.').map_or((kind, None), |(word, rest)| (word, Some(rest)));
        let (version, group) = rest.map_or((None, None), |rest| {
            let (version, group) = version_and_group(rest);
            (version, Some(group))
        });
        let known = kinds::find(word, group);
        // A kind of the site's own: whether it has namespaces is said by naming one.
        let namespaced = known.map_or(options.namespace.is_some(), |known| known.namespaced);
        let namespace = namespaced.then(|| options.namespace.as_deref().unwrap_or("default"));
        Self {
            group: known.map_or(group.unwrap_or_default(), |known| known.group),
            version: version.unwrap_or(known.map_or("v1", |known| known.version)),
            resource: known.map_or(word, |known| known.plural),
            namespace: namespace.filter(|_| !options.all_namespaces),
            name: None,
            subresource: None,
        }
    }

    fn request(mut self, verb: &str) -> Result<(Method, String), CommandError> {
        let needs_name = |object: &Self| {
            let missing = || input(format!("name the object to {verb}, such as {}/web", object.resource));
            object.name.map(|_| ()).ok_or_else(missing)
        };
        let of_pod = |object: &mut Self, subresource| {
            object.subresource = Some(subresource);
            needs_name(object)
        };
        let (method, query) = match verb {
            "get" | "describe" if self.subresource.is_some() => {
                needs_name(&self)?;
                (Method::GET, "")
            }
            "get" | "describe" => (Method::GET, ""),
            "list" => {
                self.name = None;
                (Method::GET, "")
            }
            "watch" => (Method::GET, "?watch=true"),
            "create" if self.subresource.is_some() => {
                needs_name(&self)?;
                (Method::POST, "")
            }
            "create" => {
                self.name = None;
                (Method::POST, "")
            }
            "update" | "replace" => (needs_name(&self).map(|()| Method::PUT)?, ""),
            "patch" | "edit" | "apply" | "label" | "annotate" => (needs_name(&self).map(|()| Method::PATCH)?, ""),
            "delete" => (needs_name(&self).map(|()| Method::DELETE)?, ""),
            "deletecollection" => {
                self.name = None;
                (Method::DELETE, "")
            }
            "logs" => (of_pod(&mut self, "log").map(|()| Method::GET)?, ""),
            "exec" => (of_pod(&mut self, "exec").map(|()| Method::POST)?, ""),
            "attach" => (of_pod(&mut self, "attach").map(|()| Method::POST)?, ""),
            "port-forward" => (of_pod(&mut self, "portforward").map(|()| Method::POST)?, ""),
            other => {
                let verbs = "get, list, watch, create, update, patch, delete, deletecollection, logs, exec, attach or port-forward";
                return Err(input(format!("{other:?} is no verb of a request; use {verbs}")));
            }
        };
        Ok((method, format!("{}{query}", self.path()?)))
    }

    fn path(&self) -> Result<String, CommandError> {
        let mut path = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        let namespace = self.namespace.map(|namespace| ["namespaces", namespace]);
        let parts = namespace.iter().flatten().copied().chain([self.resource]);
        for part in parts.chain(self.name).chain(self.name.and(self.subresource)) {
            // What no API server takes for a name: it splits a path after decoding it.
            if matches!(part, "." | "..") || part.contains(['/', '%']) {
                return Err(input(format!("{part:?} is no name in Kubernetes")));
            }
            path.push('/');
            path.extend(utf8_percent_encode(part, IN_A_PATH));
        }
        Ok(path)
    }
}

/// `apps`, or `v1.apps`.
fn version_and_group(rest: &str) -> (Option<&str>, &str) {
    let is_version =
        |text: &str| text.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    match rest.split_once('.') {
        Some((version, group)) if is_version(version) => (Some(version), group),
        None if is_version(rest) => (Some(rest), ""),
        _ => (None, rest),
    }
}

const IN_A_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'?').add(b'<').add(b'>').add(b'\\');

fn input(text: String) -> CommandError {
    CommandError::Input(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use kube_wire::RequestInfo;

    use super::*;
    use crate::cli::arguments::{Arguments, Command};

    fn read_line(line: &str) -> Result<Asked, CommandError> {
        let words =
            ["gatewarden", "explain", "alice"].into_iter().chain(line.split(' ').filter(|word| !word.is_empty()));
        let Command::Explain(explain) = Arguments::parse_from(words).command else { panic!("{line}") };
        read(&explain)
    }

    #[test]
    fn kubectls_words_become_kubectls_requests() {
        for (line, request) in [
            ("", "GET /api"),
            ("get pods -n dev", "GET /api/v1/namespaces/dev/pods"),
            ("get pods", "GET /api/v1/namespaces/default/pods"),
            ("list po -A", "GET /api/v1/pods"),
            ("get pod/web -n dev", "GET /api/v1/namespaces/dev/pods/web"),
            ("get pods web -n dev", "GET /api/v1/namespaces/dev/pods/web"),
            ("watch cm -n dev", "GET /api/v1/namespaces/dev/configmaps?watch=true"),
            ("create deployments.apps/web -n dev", "POST /apis/apps/v1/namespaces/dev/deployments"),
            ("patch deploy/web -n dev --subresource scale", "PATCH /apis/apps/v1/namespaces/dev/deployments/web/scale"),
            ("delete networkpolicy/x", "DELETE /apis/networking.k8s.io/v1/namespaces/default/networkpolicies/x"),
            ("deletecollection jobs -n dev", "DELETE /apis/batch/v1/namespaces/dev/jobs"),
            ("get nodes -n dev", "GET /api/v1/nodes"),
            ("get ns/dev", "GET /api/v1/namespaces/dev"),
            ("logs pods/web -n dev", "GET /api/v1/namespaces/dev/pods/web/log"),
            ("exec pods/web -n dev", "POST /api/v1/namespaces/dev/pods/web/exec"),
            ("get widgets.v1beta1.example.org/a", "GET /apis/example.org/v1beta1/widgets/a"),
            ("get widgets.example.org -n dev", "GET /apis/example.org/v1/namespaces/dev/widgets"),
            ("get /metrics", "GET /metrics"),
        ] {
            let asked = read_line(line).unwrap();
            assert_eq!(format!("{} {}", asked.method, asked.path), request, "{line}");
        }
    }

    #[test]
    fn no_name_reaches_another_part_of_a_path() {
        let asked = read_line("get secrets a?watch=1 -n dev").unwrap();
        let info = RequestInfo::parse(&asked.method, &asked.path, None).unwrap();
        assert_eq!((info.namespace.as_str(), info.name.as_str()), ("dev", "a?watch=1"), "{}", asked.path);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for line in [
            "update pods",
            "delete pods -n dev",
            "impersonate users",
            "get pods/a/b",
            "get pods/a b",
            "logs pods",
            "copy /x",
            "get pods -n ../x",
            "get pods ..",
            "get pods a%2fb",
        ] {
            assert!(read_line(line).is_err(), "{line}");
        }
    }

    #[test]
    fn whom_to_act_as_travels_in_kubectls_headers() {
        let asked = read_line("get pods --as jane --as-group qa --as-group dev").unwrap();
        assert_eq!(asked.headers[IMPERSONATE_USER], "jane");
        assert_eq!(asked.headers.get_all(IMPERSONATE_GROUP).iter().collect::<Vec<_>>(), ["qa", "dev"]);
        assert!(Arguments::try_parse_from(["gatewarden", "explain", "alice", "--as-group", "qa"]).is_err());
    }
}
