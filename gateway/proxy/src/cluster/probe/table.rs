//! The fixed table of questions: what each account must be able to do, and what it must not.

use serde_json::{Map, Value, json};

use super::report::{Mode, Weight};
use crate::boundary::{ClusterConfig, ExtraNames};
use crate::cluster::Role;

/// One question to RBAC about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) role: Role,
    pub(super) verb: String,
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) subresource: String,
    /// For what is no resource; then `resource` is empty.
    pub(super) path: &'static str,
    pub(super) allowed: bool,
    pub(super) weight: Weight,
}

const AUTHENTICATION: &str = "authentication.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

/// Verb, group, resource and subresource.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// The verbs that callers use through constrained impersonation; each is a right of its own.
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// What would make a lost header dangerous. Not every right there is, but one from each way to power: reading secrets,
/// running code, granting oneself more, signing, and acting as a stronger one.
const FORBIDDEN: [Row; 41] = [
    ("get", "", "pods", ""),
    ("list", "", "pods", ""),
    ("create", "", "pods", ""),
    ("update", "", "pods", ""),
    ("patch", "", "pods", ""),
    ("create", "", "pods", "exec"),
    ("get", "", "pods", "exec"),
    ("create", "", "pods", "attach"),
    ("create", "", "pods", "portforward"),
    ("update", "", "pods", "ephemeralcontainers"),
    ("get", "", "secrets", ""),
    ("list", "", "secrets", ""),
    ("watch", "", "secrets", ""),
    ("create", "", "secrets", ""),
    ("update", "", "secrets", ""),
    ("patch", "", "secrets", ""),
    ("get", "", "nodes", "proxy"),
    ("create", "", "serviceaccounts", "token"),
    ("delete", "", "namespaces", ""),
    ("create", "apps", "daemonsets", ""),
    ("patch", "apps", "daemonsets", ""),
    ("create", "apps", "deployments", ""),
    ("patch", "apps", "deployments", ""),
    ("patch", "apps", "statefulsets", ""),
    ("create", "batch", "jobs", ""),
    ("patch", "batch", "cronjobs", ""),
    ("create", RBAC, "clusterrolebindings", ""),
    ("update", RBAC, "clusterrolebindings", ""),
    ("patch", RBAC, "clusterrolebindings", ""),
    ("create", RBAC, "rolebindings", ""),
    ("patch", RBAC, "rolebindings", ""),
    ("update", RBAC, "clusterroles", ""),
    ("patch", RBAC, "clusterroles", ""),
    ("escalate", RBAC, "clusterroles", ""),
    ("bind", RBAC, "clusterroles", ""),
    ("update", "certificates.k8s.io", "certificatesigningrequests", "approval"),
    ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""),
    ("patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""),
    ("patch", "admissionregistration.k8s.io", "validatingwebhookconfigurations", ""),
    ("create", AUTHORIZATION, "subjectaccessreviews", ""),
    ("*", "*", "*", ""),
];

/// What the reviewer must not do. It is asked about everything else by the list of its rules.
const REVIEWER: [Row; 9] = [
    ("get", "", "secrets", ""),
    ("list", "", "secrets", ""),
    ("create", "", "pods", ""),
    ("create", "", "pods", "exec"),
    ("create", "", "serviceaccounts", "token"),
    ("impersonate", "", "users", ""),
    ("impersonate:user-info", AUTHENTICATION, "users", ""),
    ("create", RBAC, "clusterrolebindings", ""),
    ("*", "*", "*", ""),
];

/// Legacy impersonation beside the constrained kind undoes it: the API server tries both.
const LEGACY: [Row; 4] = [
    ("impersonate", "", "users", ""),
    ("impersonate", "", "groups", ""),
    ("impersonate", "", "serviceaccounts", ""),
    ("impersonate:arbitrary-node", AUTHENTICATION, "nodes", ""),
];

/// Every question for this cluster.
pub(super) fn rights(config: &ClusterConfig, mode: Mode) -> Vec<Right> {
    let mut rights = match mode {
        Mode::Constrained => constrained(config),
        Mode::Legacy => legacy(config),
    };
    let forbidden = |(verb, group, resource, subresource): &Row| right(verb, group, resource, subresource).forbidden();
    rights.extend(FORBIDDEN.iter().map(forbidden));
    if mode == Mode::Constrained {
        rights.extend(LEGACY.iter().map(forbidden));
    }
    rights.push(right("create", AUTHORIZATION, "subjectaccessreviews", "").of_reviewer(true));
    if config.service_accounts.is_some() {
        let reviews = right("create", AUTHENTICATION, "tokenreviews", "").of_reviewer(true);
        rights.push(Right { weight: Weight::OwnTokens, ..reviews });
    }
    rights
        .extend(REVIEWER.iter().map(|(verb, group, resource, of)| right(verb, group, resource, of).of_reviewer(false)));
    rights
}

fn constrained(config: &ClusterConfig) -> Vec<Right> {
    let who = "impersonate:user-info";
    let mut rights: Vec<Right> =
        ["users", "groups", "uids"].into_iter().map(|resource| right(who, AUTHENTICATION, resource, "")).collect();
    rights.extend(ExtraNames::keys(config).iter().map(|key| right(who, AUTHENTICATION, "userextras", key)));
    rights.extend(VERBS.map(|verb| right(&format!("impersonate-on:user-info:{verb}"), "", "pods", "")));
    rights.push(Right { path: "/version", ..right("impersonate-on:user-info:get", "", "", "") });
    rights
}

fn legacy(config: &ClusterConfig) -> Vec<Right> {
    let mut rights = vec![
        right("impersonate", "", "users", ""),
        right("impersonate", "", "groups", ""),
        right("impersonate", AUTHENTICATION, "uids", ""),
    ];
    rights.extend(ExtraNames::keys(config).iter().map(|key| right("impersonate", AUTHENTICATION, "userextras", key)));
    rights
}

fn right(verb: &str, group: &'static str, resource: &'static str, subresource: &str) -> Right {
    Right {
        role: Role::Impersonator,
        verb: verb.to_owned(),
        group,
        resource,
        subresource: subresource.to_owned(),
        path: "",
        allowed: true,
        weight: Weight::Needed,
    }
}

impl Right {
    fn forbidden(self) -> Self {
        Self { allowed: false, weight: Weight::Forbidden, ..self }
    }

    fn of_reviewer(self, allowed: bool) -> Self {
        // A right too many is as dangerous as the impersonator's: its token lies on the same disk.
        let weight = if allowed { Weight::Reviewer } else { Weight::Forbidden };
        Self { role: Role::Reviewer, allowed, weight, ..self }
    }

    /// What is asked, for people.
    pub(super) fn name(&self) -> String {
        let account = self.role.word();
        let may = if self.allowed { "may" } else { "may not" };
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let object = match (self.path, self.subresource.as_str()) {
            ("", "") => format!("{}{group}", self.resource),
            ("", subresource) => format!("{}{group}/{subresource}", self.resource),
            (path, _) => path.to_owned(),
        };
        format!("{account} {may} {} {object}", self.verb)
    }

    /// The review that asks for it.
    pub(super) fn review(&self) -> Value {
        let (kind, attributes) = match self.path {
            "" => {
                let (group, resource, subresource) = (self.group, self.resource, &self.subresource);
                let verb = &self.verb;
                let all = json!({"verb": verb, "group": group, "resource": resource, "subresource": subresource});
                ("resourceAttributes", all)
            }
            path => ("nonResourceAttributes", json!({"verb": self.verb, "path": path})),
        };
        let spec: Map<String, Value> = [(kind.to_owned(), attributes)].into_iter().collect();
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec})
    }
}
