//! What runs for each cluster: its accounts, its proof, and the questions that the gateway itself asks of it.
//!
//! The configuration of a cluster is [`crate::boundary::Cluster`], a plain value. Its [`Runtime`] is what lives longer
//! than one snapshot: endpoints with their health, TLS, credentials that are renewed, and whether the cluster is open.

mod account;
mod own;
mod probe;
mod registry;
mod review;
mod runtime;
mod service_accounts;

pub(crate) use own::Own;
pub(crate) use probe::prove;
pub use probe::{Account as ProbedAccount, Check, Mend, Mode, ProbeReport, probe};
pub use registry::ClusterStatus;
pub(crate) use registry::Clusters;
pub(crate) use review::{is_constrained, review};
pub use runtime::State;
pub(crate) use runtime::{Role, Runtime, Speaker};
#[cfg(test)]
pub(crate) use service_accounts::token_question;
pub(crate) use service_accounts::{Means, Proven, Unproven, issuer_of, prove as prove_service_account};
