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
//! fn forge() -> gatewarden_proxy::Authenticated {
//!     gatewarden_proxy::Authenticated { admitted: panic!(), caller: panic!() }
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

// The way of a request, in order.
mod pipeline;

mod server;

mod listener;

mod admit;

mod authenticate;

mod authorize;

mod impersonate;

mod upstream;

mod management;

mod relay;

// What the stages share.
mod audit;
mod body;
mod boundary;
mod cluster;
mod executor;
mod gate;
mod limit;
mod metrics;
mod refusal;
mod rehearsal;
mod socket;
mod spill;
mod stream;
mod tls;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, expect(dead_code, reason = "fuzzing needs a part of it"))]
mod testing;

pub use admit::{Admitted, Incoming, Public};
pub use audit::{AuditConfig, Rotation, WhenFull};
pub use authenticate::Authenticated;
pub use authorize::Authorized;
pub use body::{Body, BoxError};
pub use boundary::{
    Account, Carrier, Cluster, ClusterConfig, ClusterFault, Credential, Front, GrantConfig, GrantMatch, Management,
    ManagementFuture, ManagementRequest, Mint, MintFault, Minted, Noted, NotedSession, Reasons, Rejected, RenderFault,
    RequestLimits, Resolve, ResolveError, Resolved, Revocation, Revoked, RevokedSender, Scope, ServiceAccount,
    ServiceAccountTokens, Session, SessionParts, Snapshot, SnapshotConfig, SnapshotFault, Time,
};
pub use cluster::{Check, ClusterStatus, Mend, Mode, ProbeReport, ProbedAccount, State, probe};
pub use impersonate::Outbound;
pub use listener::{Limits, ListenerConfig, Running, StartError, Timeouts};
pub use rehearsal::{Rehearsal, Rehearsed, Stopped, Verdict};
pub use server::{Observer, Server, ServerConfig};
pub use tls::{CertificateFault, CertificateFiles, PemFault, ServerCertificate};
pub use upstream::PoolSettings;
