//! `audit.k8s.io/v1` events: the record that a request leaves.
//!
//! The shape is Kubernetes' own, so that whatever already reads API server audit logs reads the gateway's too, and
//! `auditID` joins the two.

mod id;
mod micro_time;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{RequestInfo, Status, UserInfo};

pub use id::{audit_id, client_audit_id};

/// One audit record.
///
/// ```
/// use kube_wire::audit::{Event, Stage};
/// use kube_wire::RequestInfo;
///
/// let info = RequestInfo::parse(&http::Method::GET, "/api/v1/pods", None)?;
/// let now = jiff::Timestamp::UNIX_EPOCH;
/// let event = Event::new(kube_wire::audit::audit_id(), "/api/v1/pods", &info, now).at(Stage::ResponseComplete, now);
/// assert_eq!(event.object_ref.as_ref().unwrap().resource, "pods");
/// assert!(!event.to_line().contains(&b'\n'));
/// # Ok::<(), kube_wire::PathFault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Event<'a> {
    /// Always `Event`.
    pub kind: Cow<'a, str>,
    /// Always `audit.k8s.io/v1`.
    pub api_version: Cow<'a, str>,
    /// How much of the request is recorded.
    pub level: Level,
    /// The id that joins this record with those of other servers.
    #[serde(rename = "auditID")]
    pub audit_id: Cow<'a, str>,
    /// How far the request has come.
    pub stage: Stage,
    /// What was asked, as the API server sees it.
    #[serde(rename = "requestURI")]
    pub request_uri: Cow<'a, str>,
    /// The verb that RBAC knows.
    pub verb: Cow<'a, str>,
    /// Who asked.
    #[serde(default)]
    pub user: Cow<'a, UserInfo>,
    /// Whom the caller acted as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonated_user: Option<Cow<'a, UserInfo>>,
    /// How the impersonation was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_metadata: Option<AuthenticationMetadata>,
    /// The addresses that the request came through, the farthest first.
    #[serde(default, rename = "sourceIPs", skip_serializing_if = "Vec::is_empty")]
    pub source_ips: Vec<String>,
    /// What the client says it is.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub user_agent: Cow<'a, str>,
    /// The object of the request; none off the resource paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectRef<'a>>,
    /// What was answered; none before the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_status: Option<ResponseStatus>,
    /// When the request arrived.
    #[serde(with = "micro_time")]
    pub request_received_timestamp: Timestamp,
    /// When the stage was reached.
    #[serde(with = "micro_time")]
    pub stage_timestamp: Timestamp,
    /// Facts that the shape has no field for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

/// How much of a request is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Nothing.
    None,
    /// Who, what and how it ended; never a body.
    Metadata,
    /// The request's body too.
    Request,
    /// Both bodies.
    RequestResponse,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// It was read and nothing has been done.
    RequestReceived,
    /// The head of a long answer went out; the body goes on.
    ResponseStarted,
    /// The last byte went out.
    ResponseComplete,
    /// The server failed inside.
    Panic,
}

/// How an impersonation was allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationMetadata {
    /// The constrained impersonation verb that allowed it; empty for the legacy one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub impersonation_constraint: String,
}

/// The object that a request is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef<'a> {
    /// The resource, in its plural.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub resource: Cow<'a, str>,
    /// The namespace; empty at the cluster scope.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub namespace: Cow<'a, str>,
    /// The name.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: Cow<'a, str>,
    /// The object's uid.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub uid: Cow<'a, str>,
    /// The API group; empty for the core group.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub api_group: Cow<'a, str>,
    /// The version.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub api_version: Cow<'a, str>,
    /// The object's resource version.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub resource_version: Cow<'a, str>,
    /// The subresource.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub subresource: Cow<'a, str>,
}

/// What was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseStatus {
    metadata: BTreeMap<String, String>,
    /// `Failure` when it was one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// The sentence that the client was told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The word that programs match on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The HTTP status code.
    pub code: u16,
}

impl<'a> Event<'a> {
    /// Opens the record of a request that has just arrived, at level Metadata.
    ///
    /// `request_uri` is what the cluster sees: without the gateway's prefix, and without a secret in it.
    pub fn new(
        audit_id: impl Into<Cow<'a, str>>,
        request_uri: impl Into<Cow<'a, str>>,
        info: &'a RequestInfo,
        received: Timestamp,
    ) -> Self {
        Self {
            kind: Cow::Borrowed("Event"),
            api_version: Cow::Borrowed("audit.k8s.io/v1"),
            level: Level::Metadata,
            audit_id: audit_id.into(),
            stage: Stage::RequestReceived,
            request_uri: request_uri.into(),
            verb: Cow::Borrowed(&info.verb),
            user: Cow::default(),
            impersonated_user: None,
            authentication_metadata: None,
            source_ips: Vec::new(),
            user_agent: Cow::default(),
            object_ref: info.is_resource_request.then(|| ObjectRef::from(info)),
            response_status: None,
            request_received_timestamp: received,
            stage_timestamp: received,
            annotations: BTreeMap::new(),
        }
    }

    /// Moves the record to a later stage.
    #[must_use]
    pub fn at(mut self, stage: Stage, now: Timestamp) -> Self {
        self.stage = stage;
        self.stage_timestamp = now;
        self
    }

    /// Adds a fact under a domain-prefixed key; a later value replaces an earlier one.
    pub fn annotate(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.annotations.insert(key.into(), value.into());
    }

    /// The record as JSON without a line end; JSON escapes those inside, so one record is one line.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        self.append_to(&mut line);
        line
    }

    /// Adds the record, as `to_line` gives it, to what is there.
    pub fn append_to(&self, lines: &mut Vec<u8>) {
        // Strings, numbers and string keys always serialize, and a vector takes every byte.
        let _ = serde_json::to_writer(lines, self);
    }
}

impl<'a> From<&'a RequestInfo> for ObjectRef<'a> {
    fn from(info: &'a RequestInfo) -> Self {
        let part = |part: &'a String| Cow::Borrowed(part.as_str());
        Self {
            resource: part(&info.resource),
            namespace: part(&info.namespace),
            name: part(&info.name),
            uid: Cow::default(),
            api_group: part(&info.api_group),
            api_version: part(&info.api_version),
            resource_version: Cow::default(),
            subresource: part(&info.subresource),
        }
    }
}

impl From<&Status> for ResponseStatus {
    fn from(status: &Status) -> Self {
        Self {
            metadata: BTreeMap::new(),
            status: "Failure".to_owned(),
            message: status.message().to_owned(),
            reason: status.reason().to_owned(),
            code: status.code().as_u16(),
        }
    }
}

impl From<StatusCode> for ResponseStatus {
    fn from(code: StatusCode) -> Self {
        Self { code: code.as_u16(), ..Self::default() }
    }
}
