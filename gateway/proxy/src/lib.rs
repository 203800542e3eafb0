//! The data plane: from a client's bytes to an upstream, with proof of who asked.
//!
//! Read [`pipeline`](../src/gatewarden_proxy/pipeline.rs.html) first: it shows the whole life of a request on one
//! screen. Each stage is one folder and returns evidence that only it can make:
//! [`Incoming`] → [`Admitted`] → [`Authenticated`] → [`Authorized`] → [`Outbound`].
//!
//! Evidence cannot be forged. Its fields are private to its stage:
//!
//! ```
//! fn stages_hand_it_on(_: gatewarden_proxy::Outbound) {}
//! ```
//! ```compile_fail,E0451
//! fn forge(session: std::sync::Arc<gatewarden_proxy::Session>) -> gatewarden_proxy::Authenticated {
//!     gatewarden_proxy::Authenticated { admitted: todo!(), caller: todo!() }
//! }
//! ```
//! A request on a public route carries nobody's identity, and nothing turns it into a request for a cluster:
//!
//! ```compile_fail,E0277
//! fn promote(public: gatewarden_proxy::Public) -> gatewarden_proxy::Outbound {
//!     public.into()
//! }
//! ```
//! ```compile_fail,E0277
//! fn promote(public: gatewarden_proxy::Public) -> gatewarden_proxy::Authenticated {
//!     public.into()
//! }
//! ```

mod body;
mod boundary;
mod gate;
mod listener;
mod pipeline;
mod admit;
mod authenticate;
mod authorize;
mod impersonate;
mod upstream;
mod refusal;
mod cluster;
mod audit;
mod metrics;

pub use admit::{Admitted, Incoming, Public};
pub use audit::{AuditConfig, WhenFull};
pub use authenticate::Authenticated;
pub use authorize::Authorized;
pub use body::{Body, BoxError};
pub use boundary::{
    Account, Cluster, ClusterConfig, ClusterFault, Credential, GrantConfig, Management, ManagementFuture,
    ManagementRequest, Rejected, RenderFault, RequestLimits, Resolve, ResolveError, Resolved, Revocation, Revoked,
    RevokedSender, Scope, Session, SessionParts, Snapshot, SnapshotConfig, SnapshotFault, Time,
};
pub use impersonate::Outbound;
