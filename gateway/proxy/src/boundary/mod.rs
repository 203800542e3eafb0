//! Where the data plane meets the rest of the gateway.
//!
//! The control plane knows nothing of this crate. Whoever wires a server gives it an immutable [`Snapshot`], a
//! [`Resolve`] for cold credentials, a feed of [`Revocation`]s, a [`Management`] upstream and a [`Time`].

mod cluster;
mod limits;
mod management;
mod mint;
mod noted;
mod resolve;
mod revoked;
mod service_account;
mod session;
mod snapshot;
mod time;

pub(crate) use cluster::MANAGEMENT;
pub use cluster::{Account, Carrier, ClusterConfig, ClusterFault};
pub use limits::RequestLimits;
pub use management::{Front, Management, ManagementFuture, ManagementRequest, Reasons};
pub use mint::{Mint, MintFault, Minted};
pub use noted::{Noted, NotedSession};
pub use resolve::{Credential, Rejected, Resolve, ResolveError, Resolved, Scope};
pub(crate) use revoked::{Life, WeakLife};
pub use revoked::{Revocation, Revoked, RevokedSender};
pub use service_account::{ServiceAccount, ServiceAccountTokens};
pub(crate) use service_account::{groups_of_service_accounts, service_account};
pub(crate) use session::{Home, header_value};
pub use session::{RenderFault, Session, SessionParts};
pub use snapshot::{Cluster, GrantConfig, GrantMatch, Snapshot, SnapshotConfig, SnapshotFault};
pub(crate) use snapshot::{ExtraNames, Granted};
pub use time::Time;
