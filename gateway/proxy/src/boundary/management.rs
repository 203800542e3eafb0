//! The management API, seen as one more upstream.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::Response;
use http::request::Parts;

use crate::body::Body;
use crate::boundary::Resolved;

/// Answers requests for the gateway's own API.
///
/// A request arrives here by the same pipeline as one for a cluster: shaped, authenticated (unless its route is one of
/// the few public ones), limited and audited.
///
/// ```
/// use gatewarden_proxy::{Body, Management, ManagementFuture, ManagementRequest};
///
/// #[derive(Debug)]
/// struct WhoAmI;
///
/// impl Management for WhoAmI {
///     fn call(&self, request: ManagementRequest) -> ManagementFuture {
///         let name = request.caller.map_or_else(|| "nobody".to_owned(), |caller| caller.session.user().to_owned());
///         Box::pin(async move { http::Response::new(Body::full(name)) })
///     }
/// }
/// ```
pub trait Management: Debug + Send + Sync {
    /// Answers one request. It must not block its thread: the data plane's workers wait for it. A [`Noted`](super::Noted)
    /// among the extensions of the answer is for the audit log alone.
    fn call(&self, request: ManagementRequest) -> ManagementFuture;
}

/// What [`Management::call`] returns.
pub type ManagementFuture = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Which of the gateway's own servers a request is for. They have different host names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// The management API. No cookie and no credential gets there.
    Api,
    /// The issuer and its pages. Cookies and the `Authorization` header are theirs: they open nothing else.
    Console,
}

/// Why the caller may enter clusters: their own names, and which of them a grant names. Nothing of anybody else is in it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reasons {
    /// What a grant may name the caller by.
    pub subjects: Vec<String>,
    /// By cluster that is open to them, which of these a grant names.
    pub granted_to: BTreeMap<String, Vec<String>>,
    /// The clusters that read a token of the session instead of impersonation headers.
    pub by_token: BTreeSet<String>,
    /// By cluster that is open to them, the host names that lead to it alone.
    pub cluster_hosts: BTreeMap<String, Vec<String>>,
    /// The host names of the gateway, below which each cluster has a path.
    pub hosts: Vec<String>,
    /// The text that a refused user reads.
    pub whom_to_ask: String,
}

/// One request for the management API, or for the issuer.
#[derive(Debug)]
#[non_exhaustive]
pub struct ManagementRequest {
    /// Why the caller may enter the clusters that are open to them.
    pub reasons: Reasons,
    /// Which of them.
    pub front: Front,
    /// Method, target and headers. On the API's host the credential and cookies are gone; hop-by-hop headers and all that
    /// claims an identity or an address are gone on both.
    pub head: Parts,
    /// The whole body; of one that is larger than 16 KiB, just more than these.
    pub body: Body,
    /// Who asks; nobody on a public route, whatever the client sent.
    pub caller: Option<Arc<Resolved>>,
    /// The clusters that the caller may enter, and whether only to read.
    pub open: BTreeMap<String, bool>,
    /// Whether the caller may look after other people's sessions.
    pub is_administrator: bool,
    /// Joins the answer with the audit log.
    pub audit_id: String,
    /// Where the connection came from.
    pub client: IpAddr,
}
