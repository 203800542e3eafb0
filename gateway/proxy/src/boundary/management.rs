//! The management API, seen as one more upstream.

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
    /// Answers one request. It must not block its thread: the data plane's workers wait for it.
    fn call(&self, request: ManagementRequest) -> ManagementFuture;
}

/// What [`Management::call`] returns.
pub type ManagementFuture = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// One request for the management API.
#[derive(Debug)]
#[non_exhaustive]
pub struct ManagementRequest {
    /// Method, target and headers. The credential, cookies, hop-by-hop headers and all that claims an identity or an
    /// address are gone.
    pub head: Parts,
    /// The whole body; of one that is larger than 16 KiB, just more than these.
    pub body: Body,
    /// Who asks; nobody on a public route, whatever the client sent.
    pub caller: Option<Arc<Resolved>>,
    /// Joins the answer with the audit log.
    pub audit_id: String,
    /// Where the connection came from.
    pub client: IpAddr,
}
